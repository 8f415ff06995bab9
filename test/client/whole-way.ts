/**
 * The whole way, in one process: client, thread boundary, real host, engine and store on fake-indexeddb,
 * real service. Only the browser's own parts (worker, locks, channel) are stand-ins. Tabs share disk, lock and channel.
 */
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { vi } from 'vitest'
import type { Sync, SyncOptions } from '../../src/client/api.ts'
import { createClient } from '../../src/client/client.ts'
import { systemClock, systemRandom } from '../../src/clock.ts'
import type { Hint } from '../../src/engine/channel.ts'
import type { Collections, Row, Schema } from '../../src/schema.ts'
import { createExchange } from '../../src/service/exchange.ts'
import { createMemoryStore } from '../../src/service/memory.ts'
import type { ServiceOptions } from '../../src/service/options.ts'
import { createHost, exposeHost } from '../../src/worker/host.ts'
import { packagedSchema } from '../../src/worker/schema-of.ts'
import { createMachine, trackTransactions } from '../support/device.ts'
import { createNetwork, type Fault } from '../support/network.ts'
import { createWorkerLike } from './fake-worker.ts'

const ends: Array<() => unknown> = []

/** For `afterEach`. */
export async function endAll(): Promise<void> {
  for (const end of ends.splice(0).reverse()) await end()
  vi.unstubAllGlobals()
}

export interface World<C extends Collections> {
  /** Opens a tab. */
  start(): Sync<C>
  /** Somebody else changes a record at the server. */
  write(op: Parameters<ReturnType<typeof createMemoryStore>['write']>[1]): Promise<unknown>
  /** Requests that were answered, as `METHOD path -> status`. */
  readonly log: readonly string[]
  /** Every worker that was started, oldest first: the ways in which it can fail. */
  readonly workers: ReadonlyArray<{
    /** Dies as a worker dies: what is not complete rolls back, its lock goes to the next. */
    crash(): void
    /** From now on it hears no hints of other tabs. */
    deafen(): void
  }>
  /** Somebody deletes the database, as the browser's tools do. */
  deleteDatabase(): Promise<void>
  /** What happens to requests from now on. */
  fault: (method: string, path: string) => Fault['kind']
}

export async function createWorld<C extends Collections>(
  schema: Schema<C>,
  records: ReadonlyArray<{ type: string; data: Row }>,
  options: Partial<SyncOptions<C>> = {},
  {
    indexedDB = new IDBFactory(),
    service: serviceOptions = {},
  }: { indexedDB?: IDBFactory | null | undefined; service?: Partial<ServiceOptions> } = {},
): Promise<World<C>> {
  const service = createMemoryStore()
  await service.importRecords(
    'acme',
    records.map(({ type, data }) => ({ type, data: { ...data } })),
  )
  const exchange = createExchange({
    store: service,
    authorize: (token) =>
      token === 'good' ? { account: 'acme', user: 'ann', scopes: ['sync', 'read', 'write'] } : null,
    ...serviceOptions,
  })
  const machine = createMachine()
  const channels = new Set<{ listener: (hint: Hint) => void }>()
  const { http, log } = createNetwork({
    exchange,
    clock: systemClock,
    fault: ({ method, url }) => ({ kind: world.fault(method, new URL(url).pathname) }) as Fault,
  })

  const workers: Array<World<C>['workers'][number]> = []
  const world: World<C> = {
    log,
    fault: () => 'none',
    write: (op) => service.write({ account: 'acme', user: 'ann' }, op),
    workers,
    async deleteDatabase() {
      for (const { name } of (await indexedDB?.databases()) ?? [])
        await new Promise((resolve) => {
          const request = indexedDB?.deleteDatabase(name ?? '')
          request?.addEventListener('success', resolve)
        })
    },
    start() {
      const sync = createClient(
        {
          schema,
          name: 'world',
          account: null,
          endpoint: 'http://sync.test/',
          token: () => 'good',
          rate: 0,
          ...options,
        },
        { clock: systemClock, page: null, base: 'http://app.test/', canRun: true },
      )
      ends.push(() => sync.close())
      return sync
    },
  }
  vi.stubGlobal('Worker', function Worker() {
    return spawn()
  })
  return world

  function spawn(): Worker {
    const { port1: page, port2: inside } = new MessageChannel()
    const owner = {}
    const own = { listener: (_hint: Hint): void => undefined }
    const tracked = indexedDB === null ? null : trackTransactions(indexedDB)
    let alive = true
    const host = createHost({
      schemaOf: packagedSchema,
      http: (request) => (alive ? http(request) : new Promise<never>(() => undefined)),
      clock: systemClock,
      random: systemRandom,
      locks: machine.locks.for(owner),
      createChannel: () => {
        channels.add(own)
        return {
          post: (hint) => {
            for (const other of channels) if (other !== own) setTimeout(() => other.listener(hint), 1)
          },
          onHint: (listener) => void (own.listener = listener),
          close: () => void channels.delete(own),
        }
      },
      storageInfo: async () => ({ mode: 'best-effort', usage: null, quota: null }),
      indexedDB: tracked?.factory,
      IDBKeyRange,
    })
    exposeHost(host, inside)
    const { worker, fire } = createWorkerLike(page, () => {
      page.close()
      inside.close()
      die()
    })
    const die = (): void => {
      alive = false
      tracked?.crash()
      channels.delete(own)
      machine.locks.release(owner)
    }
    workers.push({
      crash() {
        die()
        fire('error', 'killed by the test')
      },
      deafen: () => void channels.delete(own),
    })
    return worker
  }
}
