/**
 * The two paths below another record (section 8.1): contacts associated with a deal, line items of an order.
 * They are records of their own, which name their parent; these calls find and make them by it. Neither has a PUT.
 */
import type { Caller } from './access.ts'
import type { ExchangeRequest, Reply } from './answer.ts'
import { missing, type ResourceCalls } from './resource-calls.ts'
import type { Match, SyncStore } from './store.ts'

interface Nested {
  readonly parent: string
  readonly type: string
  /** Field that holds the parent's id. */
  readonly parentField: string
  /** Field that the path names one by; no two of a parent have the same. */
  readonly key: string
}

const PATHS: Readonly<Record<string, Nested>> = {
  'deals/associated_contacts': {
    parent: 'deal',
    type: 'associated_contact',
    parentField: 'deal_id',
    key: 'contact_id',
  },
  'orders/line_items': { parent: 'order', type: 'line_item', parentField: 'order_id', key: 'id' },
}

const NESTED_PATH = /^\/v2\/([^/]+)\/([^/]+)\/([^/]+)(?:\/([^/]+))?$/

export interface NestedPath extends Nested {
  readonly parentId: string
  /** Null: all of the parent. */
  readonly keyValue: string | null
}

/** Null if there is nothing at this path. */
export function nestedPath(path: string): NestedPath | null {
  const [, parents = '', parentId = '', children = '', keyValue] = NESTED_PATH.exec(path) ?? []
  const name = `${parents}/${children}`
  const nested = Object.hasOwn(PATHS, name) ? PATHS[name] : undefined
  return nested === undefined
    ? null
    : { ...nested, parentId: decode(parentId), keyValue: keyValue === undefined ? null : decode(keyValue) }
}

export interface NestedCalls {
  list(url: URL, caller: Caller, path: NestedPath): Promise<Reply>
  create(request: ExchangeRequest, caller: Caller, path: NestedPath): Promise<Reply>
  get(caller: Caller, path: NestedPath): Promise<Reply>
  remove(request: ExchangeRequest, caller: Caller, path: NestedPath): Promise<Reply>
}

export function createNestedCalls(store: SyncStore, resources: ResourceCalls): NestedCalls {
  async function parentOf(caller: Caller, { parent, parentId }: NestedPath): Promise<unknown> {
    const found = await store.read(caller.account, caller.sees, parent, parentId)
    if (found === null) throw missing(parent)
    return found.data?.['id']
  }

  async function idOfChild(caller: Caller, path: NestedPath): Promise<string> {
    const match: readonly Match[] = [ofParent(path), { field: path.key, value: path.keyValue ?? '' }]
    const { objects } = await store.list(caller.account, caller.sees, path.type, { page: 1, perPage: 1, match })
    const [found] = objects
    if (found === undefined) throw missing(path.type)
    return found.id
  }

  return {
    async list(url, caller, path) {
      await parentOf(caller, path)
      return resources.list(url, caller, path.type, [ofParent(path)])
    },

    async create(request, caller, path) {
      const parent = { [path.parentField]: await parentOf(caller, path) }
      // A pair is there once: associating a contact again changes its role.
      return resources.create(request, caller, path.type, {
        given: parent,
        unique: path.key === 'id' ? null : path.key,
      })
    },

    get: async (caller, path) => resources.get(caller, path.type, await idOfChild(caller, path)),
    remove: async (request, caller, path) =>
      resources.remove(request, caller, path.type, await idOfChild(caller, path)),
  }
}

function ofParent({ parentField, parentId }: NestedPath): Match {
  return { field: parentField, value: parentId }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
