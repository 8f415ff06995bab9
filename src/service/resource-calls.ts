/**
 * The Core subset (section 8): list, get, create, partial update, delete, upsert. Changes made here come down the
 * queue like any other. `Idempotency-Key` makes a repeated write take effect once (R17, S16), and the
 * revision in the answer tells a client when its own write has come back to it (R16).
 */
import { headers } from '../protocol/routes.ts'
import { pluralOf } from '../protocol/resource.ts'
import type { Caller } from './access.ts'
import { Refusal, refuseFields, type ExchangeRequest, type Reply } from './answer.ts'
import { dataOf } from './body.ts'
import { toJson } from './data.ts'
import { idOf } from './identity.ts'
import type { Settings } from './options.ts'
import { reviewOf } from './review.ts'
import {
  EVERYONE,
  type JsonObject,
  type ListPage,
  type Match,
  type StoredObject,
  type Writer,
  type WriteOp,
  type WriteResult,
} from './store.ts'

export interface ResourceCalls {
  list(url: URL, caller: Caller, type: string, match?: readonly Match[]): Promise<Reply>
  get(caller: Caller, type: string, id: string): Promise<Reply>
  create(request: ExchangeRequest, caller: Caller, type: string, below?: Below): Promise<Reply>
  update(request: ExchangeRequest, caller: Caller, type: string, id: string): Promise<Reply>
  remove(request: ExchangeRequest, caller: Caller, type: string, id: string): Promise<Reply>
  upsert(request: ExchangeRequest, url: URL, caller: Caller, type: string): Promise<Reply>
}

/** What the path of a new record says of it. */
export interface Below {
  readonly given: JsonObject
  /** The path's fields and this one are together unique: a record that has them is changed instead. */
  readonly unique: string | null
}

const MAX_PER_PAGE = 100

export function createResourceCalls({ store, extensions, rules }: Settings): ResourceCalls {
  async function list(url: URL, caller: Caller, type: string, match?: readonly Match[]): Promise<Reply> {
    const page = { ...listPageOf(url.searchParams), match }
    const { objects, count } = await store.list(caller.account, caller.sees, type, page)
    const links = linksOf(url, page, count)
    const items = objects.map((object) => `{"data":${toJson(object.data ?? {})},"meta":{"type":"${type}"}}`)
    const meta = JSON.stringify({ type: 'collection', count: objects.length, links })
    return { status: 200, body: `{"items":[${items.join(',')}],"meta":${meta}}` }
  }

  async function get(caller: Caller, type: string, id: string): Promise<Reply> {
    const object = await store.read(caller.account, caller.sees, type, id)
    if (object === null) throw missing(type)
    return single(object)
  }

  async function create(request: ExchangeRequest, caller: Caller, type: string, below?: Below): Promise<Reply> {
    const data = { ...(await newData(request, type)), ...below?.given }
    const scopes = scopesOf(caller)
    const unique = below?.unique ?? null
    if (below === undefined || unique === null || !Object.hasOwn(data, unique))
      return write(request, caller, { kind: 'create', type, data, scopes })
    const match = Object.entries({ ...below.given, [unique]: data[unique] })
    return write(request, caller, {
      ...{ kind: 'upsert', type, data, scopes },
      match: match.map(([field, value]) => ({ field, value: String(value) })),
    })
  }

  async function upsert(request: ExchangeRequest, url: URL, caller: Caller, type: string): Promise<Reply> {
    const match = matchOf(url.searchParams)
    const data = await newData(request, type)
    return write(request, caller, { kind: 'upsert', type, match, data, scopes: scopesOf(caller) })
  }

  /** The vendor's service makes every id; ours takes a client's own (R13, `clientIds`). */
  async function newData(request: ExchangeRequest, type: string): Promise<JsonObject> {
    const given = await dataOf(request)
    const { id, ...rest } = given
    const own = extensions && id !== undefined && id !== null
    if (own && idOf(id) === null) throw badId(type)
    return own ? given : rest
  }

  async function update(request: ExchangeRequest, caller: Caller, type: string, id: string): Promise<Reply> {
    const { id: named, ...patch } = await dataOf(request)
    if (named !== undefined && idOf(named) !== id) throw badId(type)
    return write(request, caller, { kind: 'update', type, id, patch })
  }

  async function remove(request: ExchangeRequest, caller: Caller, type: string, id: string): Promise<Reply> {
    return write(request, caller, { kind: 'delete', type, id })
  }

  async function write(request: ExchangeRequest, caller: Caller, op: WriteOp): Promise<Reply> {
    const key = extensions ? idempotencyKeyOf(request) : undefined
    const writer: Writer = { account: caller.account, user: caller.user, sees: caller.sees }
    const object = writtenObject(op.type, await store.write(writer, op, key, reviewOf(rules, caller.user)))
    return object.data === null
      ? { status: 204, headers: revision(object) }
      : { ...single(object), headers: revision(object) }
  }

  function revision(object: StoredObject): Record<string, string> {
    return extensions ? { [headers.revision]: String(object.revision) } : {}
  }

  function linksOf(url: URL, { page, perPage }: ListPage, count: number): Record<string, string> {
    const link = (number: number): string => {
      const target = new URL(url)
      target.searchParams.set('page', String(number))
      target.searchParams.set('per_page', String(perPage))
      return target.href
    }
    return {
      self: link(page),
      first_page: link(1),
      ...(page > 1 && { prev_page: link(page - 1) }),
      ...(page * perPage < count && { next_page: link(page + 1) }),
    }
  }

  return { list, get, create, update, remove, upsert }
}

/** The type of a plural path: the options' irregular forms first, then the rule's inverse. */
export function typeOfPath(path: string, plurals: Readonly<Record<string, string>>): string {
  const irregular = Object.entries(plurals).find(([, plural]) => plural === path)?.[0]
  if (irregular !== undefined) return irregular
  const candidates = [path.replace(/ies$/, 'y'), path.replace(/(x|z|ss|ch|sh)es$/, '$1'), path.replace(/s$/, '')]
  return candidates.find((type) => type !== path && pluralOf(type) === path) ?? path
}

/** Whoever creates something must be able to see it. */
function scopesOf(caller: Caller): readonly string[] | undefined {
  return caller.sees.includes(EVERYONE) ? undefined : caller.sees
}

/** `?email=a` and `?custom_fields[name]=a`; several must all hold. */
function matchOf(query: URLSearchParams): readonly Match[] {
  const names = [...query.keys()]
  if (names.length === 0) throw new Refusal(400, 'invalid_param', 'An upsert needs a field and its value in the query.')
  return [...query].map(([name, value]) => {
    const [, field, member] = /^([^[\]]+)(?:\[([^[\]]+)\])?$/.exec(name) ?? []
    if (field === undefined || field === 'id' || value === '' || names.indexOf(name) !== names.lastIndexOf(name))
      throw badParam(name, 'a field other than id, once, with a value')
    return { field, member, value }
  })
}

function listPageOf(query: URLSearchParams): ListPage {
  const sortBy = query.get('sort_by')
  const [field = '', dir = 'asc'] = (sortBy ?? 'id:asc').split(':')
  if (field === '' || (dir !== 'asc' && dir !== 'desc')) throw badParam('sort_by', 'a field, and asc or desc: id:asc')
  const ids = query
    .get('ids')
    ?.split(',')
    .filter((id) => id !== '')
  return {
    page: numberOf(query, 'page', 1, Number.MAX_SAFE_INTEGER / MAX_PER_PAGE),
    perPage: numberOf(query, 'per_page', 25, MAX_PER_PAGE),
    sortBy: { field, dir },
    ids,
  }
}

function numberOf(query: URLSearchParams, name: string, otherwise: number, most: number): number {
  const text = query.get(name)
  if (text === null) return otherwise
  const value = /^\d{1,16}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > most) throw badParam(name, `a whole number from 1 to ${Math.floor(most)}`)
  return value
}

function badParam(name: string, wanted: string): Refusal {
  return new Refusal(400, 'invalid_param', `The parameter ${name} must be ${wanted}.`)
}

function badId(type: string): Refusal {
  const message = 'An id is a whole number up to 2^53 or a short text, and cannot be changed.'
  return new Refusal(422, 'incorrect_value', message, { resource: type, field: '/id' })
}

export function missing(type: string): Refusal {
  return new Refusal(404, 'not_found', `There is no such ${type}.`, { resource: type })
}

function single(object: StoredObject): Reply {
  return { status: 200, body: `{"data":${toJson(object.data ?? {})},"meta":{"type":"${object.type}"}}` }
}

function writtenObject(type: string, result: WriteResult): StoredObject {
  switch (result.kind) {
    case 'written':
      return result.object
    case 'missing':
      throw missing(type)
    case 'exists':
      throw new Refusal(422, 'already_exists', `There already is such a ${type}.`, { resource: type, field: '/id' })
    case 'key_reused':
      throw new Refusal(422, 'incorrect_value', 'This Idempotency-Key was used before with another request.')
    case 'ambiguous':
      throw new Refusal(422, 'incorrect_value', `Several of type ${type} match; nothing was changed.`, {
        resource: type,
      })
    case 'refused':
      throw refuseFields(type, result.errors)
  }
}

function idempotencyKeyOf(request: ExchangeRequest): string | undefined {
  const key = request.headers.get(headers.idempotencyKey) ?? undefined
  if (key === undefined || /^[\x21-\x7e]{1,200}$/.test(key)) return key
  throw new Refusal(
    400,
    'invalid_header',
    `The header ${headers.idempotencyKey} must be 1 to 200 visible ASCII characters.`,
  )
}
