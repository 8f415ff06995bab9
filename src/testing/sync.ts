/**
 * `createTestSync`: the real client, the real engine and the real store, in one thread. Stand-ins are only what the
 * browser brings: the worker (a message channel, so that everything is still cloned), locks, channel and page.
 */
import type { Sync, SyncOptions } from '../client/api.ts'
import { createClient } from '../client/client.ts'
import type { Page } from '../client/page.ts'
import { systemRandom, type Random } from '../clock.ts'
import type { Collections, Schema } from '../schema.ts'
import { createHost, exposeHost } from '../worker/host.ts'
import { createHttp } from '../worker/platform.ts'
import { ownSchema } from '../worker/schema-of.ts'
import { deviceOf, holdingTime } from './device.ts'
import type { Network } from './network.ts'
import { seeded, seededRandom } from './random.ts'
import type { TestServer } from './server.ts'

/** Options of `createSync`, all but `schema` with defaults that fit the server; no rate limit. */
export interface TestSyncOptions<C extends Collections> extends Partial<Omit<SyncOptions<C>, 'schema' | 'worker'>> {
  /** The app's own; validators and functions run in it too, since there is no thread to cross. */
  readonly schema: Schema<C>
  readonly server: TestServer
  /** The disk, such as `new IDBFactory()` of fake-indexeddb. Clients over one object are tabs of one device. Default: the global. */
  readonly indexedDB?: IDBFactory | undefined
  /** Of the same package as `indexedDB`. Default: the global. */
  readonly IDBKeyRange?: typeof globalThis.IDBKeyRange | undefined
  /** Seed of UUIDs and of the jitter of retries. Default: the system's randomness. */
  readonly seed?: number | undefined
}

/**
 * Opens a tab of an app, on the clock and the network of `server`. Close it at the end of the test.
 * @throws SyncError as `createSync` does; Error without an IndexedDB
 */
export function createTestSync<const C extends Collections>(options: TestSyncOptions<C>): Sync<C> {
  const { server, indexedDB = globalThis.indexedDB, IDBKeyRange = globalThis.IDBKeyRange, seed, ...rest } = options
  if (indexedDB === undefined || IDBKeyRange === undefined)
    throw new Error('createTestSync needs indexedDB and IDBKeyRange, of fake-indexeddb for instance.')
  const { clock, network } = server
  const random: Random = seed === undefined ? systemRandom : seededRandom(seeded(seed))
  const spawn = (): Worker => {
    const { port1: page, port2: inside } = new MessageChannel()
    exposeHost(
      createHost({
        ...deviceOf(indexedDB),
        schemaOf: ownSchema(options.schema as Schema),
        http: createHttp(server.fetch),
        clock,
        random,
        storageInfo: async () => ({ mode: 'best-effort', usage: null, quota: null }),
        indexedDB: 'hold' in clock ? holdingTime(indexedDB, clock) : indexedDB,
        IDBKeyRange,
      }),
      inside,
    )
    const terminate = (): void => {
      page.close()
      inside.close()
    }
    return Object.assign(page, { terminate }) as unknown as Worker
  }
  const sync = createClient<C>(
    {
      name: 'test',
      account: null,
      endpoint: server.endpoint,
      token: () => server.token,
      rate: 0,
      ...rest,
      worker: spawn,
    },
    { clock, page: pageOn(network), base: 'http://app.test/', canRun: true },
  )
  if ('hold' in clock) {
    const release = clock.hold()
    sync.ready.then(release, release)
  }
  return sync
}

/** A visible page that hears when the network comes and goes. */
function pageOn(network: Network): Page {
  const window = new EventTarget()
  network.onChange((online) => window.dispatchEvent(new Event(online ? 'online' : 'offline')))
  const document = Object.assign(new EventTarget(), { visibilityState: 'visible' as const })
  return { document, window, onLine: () => network.isOnline }
}
