/**
 * The real service over the store in memory, seeded with records, behind a network that can fail: what a test needs
 * in place of a server. Nothing of it is a mock but the wire.
 */
import { systemClock, type Clock } from '../clock.ts'
import { createExchange, type Exchange } from '../service/exchange.ts'
import { createMemoryStore } from '../service/memory.ts'
import type { Access, ServiceOptions } from '../service/options.ts'
import type { JsonObject, SyncStore, Terms, WriteOp } from '../service/store.ts'
import type { VirtualClock } from './clock.ts'
import { createNetwork, type Network, type Transfer } from './network.ts'
import { seeded, seededRandom } from './random.ts'
import type { WireAnswer } from './wire.ts'

export interface TestServerOptions extends Partial<
  Omit<ServiceOptions, 'store' | 'authorize' | 'now' | 'uuid' | 'background'>
> {
  /** Records at the server from the beginning, by type. */
  readonly records?: Readonly<Record<string, readonly object[]>> | undefined
  /** Who has which token. Default: `server.token` may do everything, others nothing. */
  readonly authorize?: ServiceOptions['authorize'] | undefined
  /** Whose records `records`, `write` and the like are about; what `authorize` answers should agree. Default `test`. */
  readonly account?: string | undefined
  /** The time of everything: service, network, clients. The system's unless given. */
  readonly clock?: Clock | VirtualClock | undefined
  /** How long the service remembers sessions, devices and idempotency keys. */
  readonly terms?: Partial<Terms> | undefined
  /** Seed of ids that the service makes up. Default 1. */
  readonly seed?: number | undefined
}

export interface TestServer {
  /** An address for `createSync`; `fetch` looks at paths only. */
  readonly endpoint: string
  /** The token that may do everything, unless `authorize` was given. */
  readonly token: string
  /**
   * The service as `fetch`, through the network: for `startWorker({schema, fetch})`, a service worker or request
   * interceptors. Rejects with a TypeError when the network fails.
   */
  readonly fetch: typeof globalThis.fetch
  readonly network: Network
  readonly clock: Clock | VirtualClock
  /** The store itself, for what is not here. */
  readonly store: SyncStore
  /** All records of a type, by id. */
  records<T extends object = JsonObject>(type: string): Promise<T[]>
  record<T extends object = JsonObject>(type: string, id: string | number): Promise<T | null>
  /** Somebody else creates a record, past network and rules for writes. Answers with the record. */
  create(type: string, data: object): Promise<JsonObject>
  /** Somebody else changes fields of a record. */
  update(type: string, id: string | number, patch: object): Promise<JsonObject>
  /** Somebody else deletes a record. */
  delete(type: string, id: string | number): Promise<void>
}

const TOKEN = 'test-token'
const ENDPOINT = 'http://sync.test'

export async function createTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { records = {}, account = 'test', clock = systemClock, terms, seed = 1, authorize, ...service } = options
  const { uuid } = seededRandom(seeded(seed))
  const store = createMemoryStore({ epoch: 'test', uuid, now: () => clock.now(), terms })
  await store.importRecords(
    account,
    Object.entries(records).flatMap(([type, all]) => all.map((data) => ({ type, data: data as JsonObject }))),
  )
  const everything: Access = { account, user: 'tester', scopes: ['sync', 'read', 'write'] }
  const exchange = createExchange({
    ...service,
    store,
    uuid,
    authorize: authorize ?? ((token) => (token === TOKEN ? everything : null)),
    now: () => clock.now(),
    background: (task, ms) => void clock.sleep(ms).then(task),
  })
  const { network, transfer } = createNetwork({ exchange: held(exchange, clock), clock })

  async function write(op: WriteOp): Promise<JsonObject> {
    const result = await store.write({ account, user: 'somebody-else' }, op)
    if (result.kind !== 'written') throw new Error(`The server cannot ${op.kind} this ${op.type}: ${result.kind}.`)
    return { ...result.object.data }
  }

  return {
    endpoint: ENDPOINT,
    token: TOKEN,
    fetch: createFetch(transfer),
    network,
    clock,
    store,
    async records(type) {
      const { objects } = await store.list(account, ['everyone'], type, { page: 1, perPage: Number.MAX_SAFE_INTEGER })
      return objects.map(({ data }) => ({ ...data })) as never
    },
    async record(type, id) {
      const found = await store.read(account, ['everyone'], type, String(id))
      return (found?.data ? { ...found.data } : null) as never
    },
    create: (type, data) => write({ kind: 'create', type, data: data as JsonObject }),
    update: (type, id, patch) => write({ kind: 'update', type, id: String(id), patch: patch as JsonObject }),
    delete: async (type, id) => void (await write({ kind: 'delete', type, id: String(id) })),
  }
}

/** No virtual time passes while the service is at work. */
function held(exchange: Exchange, clock: Clock | VirtualClock): Exchange {
  if (!('hold' in clock)) return exchange
  return async (request) => {
    const release = clock.hold()
    try {
      return await exchange(request)
    } finally {
      release()
    }
  }
}

function createFetch(transfer: Transfer): typeof globalThis.fetch {
  return async (input, init) => {
    const request = new Request(input, init)
    const { method, url, headers, signal } = request
    const body = request.body === null ? null : await request.text()
    let answer: WireAnswer
    try {
      answer = await transfer({ method, url, headers: Object.fromEntries(headers), body, signal })
    } catch (error) {
      throw signal.aborted ? signal.reason : error
    }
    return new Response(method === 'HEAD' ? null : bodyOf(answer), { status: answer.status, headers: answer.headers })
  }
}

function bodyOf({ body, broken }: WireAnswer): BodyInit | null {
  if (!broken || body === null) return body
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  // Not before all of it was read: an error takes with it what waits.
  let left = bytes.length > 0
  return new ReadableStream(
    {
      pull(controller) {
        if (left) controller.enqueue(bytes)
        else controller.error(new TypeError('The connection broke.'))
        left = false
      },
    },
    { highWaterMark: 0 },
  )
}
