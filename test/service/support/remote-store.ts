/**
 * The store contract spoken over real HTTP: a Node server on loopback with the service over a store, and a
 * client that turns contract calls into protocol calls. So the conformance suite tests the whole service.
 * What the protocol has no call for (import, forget, the moment of working off) goes to the store directly.
 */
import { pluralOf } from '../../../src/protocol/resource.ts'
import { idOf } from '../../../src/service/identity.ts'
import { createNodeListener, listen } from '../../../src/service/node.ts'
import type { Access } from '../../../src/service/options.ts'
import type { HandedItem, JsonObject, StoredObject, SyncStore, WriteOp } from '../../../src/service/store.ts'

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

interface Wire {
  readonly data: JsonObject
  readonly meta: {
    readonly type: string
    readonly sync: { readonly event_type: HandedItem['event']; readonly ack_key: string; readonly revision: number }
  }
}

interface CallOptions {
  readonly device?: string
  readonly body?: unknown
  readonly key?: string | undefined
  readonly limits?: readonly number[]
}

/** Keys wait for the suite to have them worked off; a start does not do it on the way. */
const WORK_OFF_DELAY = 1000

/** What the suite uses: a writer without scopes of his own sees everything. */
const ALL_SCOPES = ['everyone', 'east', 'west', 'south']

const DEFAULT_LIMITS = [100, 1024 * 1024, 100]

export async function createRemoteStore(store: SyncStore): Promise<SyncStore> {
  const listeners = new Map<string, ReturnType<typeof createNodeListener>>()
  const server = await listen(
    (request, response) => {
      // Each test says what page size, bytes and session limit the service is to have.
      const [pageSize = 100, pageBytes = 1024 * 1024, maxSessions = 100] = String(
        request.headers['x-test-limits'] ?? '',
      )
        .split(',')
        .map(Number)
      const key = [pageSize, pageBytes, maxSessions].join()
      const listener =
        listeners.get(key) ??
        createNodeListener({
          store,
          authorize,
          pageSize,
          pageBytes,
          maxSessions,
          ackDelayMs: WORK_OFF_DELAY,
          background: () => {},
        })
      listeners.set(key, listener)
      listener(request, response)
    },
    { port: 0 },
  )

  async function call(access: Access, method: string, path: string, more: CallOptions = {}): Promise<Answer> {
    const headers: Record<string, string> = {
      Authorization: `Bearer ${Buffer.from(JSON.stringify(access)).toString('base64url')}`,
    }
    if (more.device !== undefined) headers['X-Basecrm-Device-UUID'] = more.device
    if (more.key !== undefined) headers['Idempotency-Key'] = more.key
    headers['X-Test-Limits'] = (more.limits ?? DEFAULT_LIMITS).join()
    const body = more.body === undefined ? null : JSON.stringify(more.body)
    const response = await fetch(server.url + path, { method, headers, body })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  function access(account: string, user: string, sees: readonly string[] | undefined): Access {
    return { account, user, scopes: ['sync', 'read', 'write'], sees }
  }

  return {
    epoch: store.epoch,

    async openSession({ account, user, device }, sees, maxSessions) {
      const answer = await call(access(account, user, sees), 'POST', '/v2/sync/start', {
        device,
        limits: [100, 1024 * 1024, maxSessions],
      })
      if (answer.status === 429) return { kind: 'too_many' }
      const deviceIsNew = JSON.parse(answer.headers.get('X-Tidegate') ?? '{}').device === 'new'
      if (answer.status === 204) return { kind: 'nothing', deviceIsNew }
      const { id, queues } = JSON.parse(expectStatus(answer, 201)).data
      return { kind: 'opened', session: id, pending: queues[0].data.total_count, deviceIsNew }
    },

    async takePage({ account, user, device }, session, { limit, bytes, sees }) {
      const path = `/v2/sync/${session}/queues/main`
      const answer = await call(access(account, user, sees), 'GET', path, { device, limits: [limit, bytes, 100] })
      if (answer.status === 404) return { kind: 'gone' }
      if (answer.status === 204) return { kind: 'drained' }
      const { items, meta } = JSON.parse(expectStatus(answer, 200))
      return { kind: 'page', items: items.map(itemOf), left: meta.count_left }
    },

    async acceptAcks({ account, user, device }, keys) {
      const answer = await call(access(account, user, undefined), 'POST', '/v2/sync/ack', {
        device,
        body: { data: { ack_keys: keys } },
      })
      expectStatus(answer, 202)
    },

    async write({ account, user, sees }, op, key, review) {
      // The Core API has no call for scopes: the embedding application decides those, and reviews.
      if (('scopes' in op && op.scopes !== undefined) || review !== undefined)
        return store.write({ account, user, sees }, op, key, review)
      const { method, path, data } = requestOf(op)
      const answer = await call(access(account, user, sees ?? ALL_SCOPES), method, `/v2/${pluralOf(op.type)}${path}`, {
        key,
        ...(data !== undefined && { body: { data } }),
      })
      if (answer.status === 404) return { kind: 'missing' }
      if (answer.status === 422) {
        const { code, message } = JSON.parse(answer.text).errors[0].error
        return {
          kind: code === 'already_exists' ? 'exists' : message.startsWith('Several') ? 'ambiguous' : 'key_reused',
        }
      }
      const written = answer.status === 204 ? null : (JSON.parse(expectStatus(answer, 200)).data as JsonObject)
      const object: StoredObject = {
        type: op.type,
        id: written === null && 'id' in op ? String(op.id) : String(idOf(written?.['id'])),
        revision: Number(answer.headers.get('X-Tidegate-Revision')),
        data: written,
      }
      return { kind: 'written', object }
    },

    async read(account, sees, type, id) {
      const answer = await call(access(account, 'ann', sees), 'GET', `/v2/${pluralOf(type)}/${encodeURIComponent(id)}`)
      if (answer.status === 404) return null
      return { type, id, revision: 0, data: JSON.parse(expectStatus(answer, 200)).data }
    },

    async list(account, sees, type, asked) {
      const { page, perPage, ids, match, sortBy } = asked
      // Only paths below another record ask so.
      if (match !== undefined) return store.list(account, sees, type, asked)
      const query = new URLSearchParams({ page: String(page), per_page: String(perPage) })
      if (ids !== undefined) query.set('ids', ids.join())
      if (sortBy !== undefined) query.set('sort_by', `${sortBy.field}:${sortBy.dir}`)
      const answer = await call(access(account, 'ann', sees), 'GET', `/v2/${pluralOf(type)}?${query}`)
      const { items } = JSON.parse(expectStatus(answer, 200))
      // The protocol's lists do not say how many there are in all.
      const { count } = await store.list(account, sees, type, { page, perPage, ids, sortBy })
      return { count, objects: items.map(({ data }: Wire) => ({ type, id: String(data['id']), revision: 0, data })) }
    },

    importRecords: (account, records, progress) => store.importRecords(account, records, progress),
    workOffAcks: (options) => store.workOffAcks(options),
    forget: (device) => store.forget(device),

    async close() {
      await server.close()
      await store.close()
    },
  }
}

function requestOf(op: WriteOp): { readonly method: string; readonly path: string; readonly data?: JsonObject } {
  switch (op.kind) {
    case 'create':
      return { method: 'POST', path: '', data: op.data }
    case 'update':
      return { method: 'PUT', path: `/${encodeURIComponent(op.id)}`, data: op.patch }
    case 'delete':
      return { method: 'DELETE', path: `/${encodeURIComponent(op.id)}` }
    case 'upsert': {
      const filters = op.match.map(({ field, member, value }) => [
        member === undefined ? field : `${field}[${member}]`,
        value,
      ])
      return { method: 'POST', path: `/upsert?${new URLSearchParams(filters)}`, data: op.data }
    }
  }
}

/** The token is the access itself. */
function authorize(token: string): Access {
  return JSON.parse(Buffer.from(token, 'base64url').toString())
}

function itemOf({ data, meta }: Wire): HandedItem {
  const { event_type: event, ack_key: ackKey, revision } = meta.sync
  return { type: meta.type, id: String(data['id']), revision, event, ackKey, json: JSON.stringify(data) }
}

function expectStatus({ status, text }: Answer, wanted: number): string {
  if (status !== wanted) throw new Error(`Status ${status} instead of ${wanted}: ${text}`)
  return text
}
