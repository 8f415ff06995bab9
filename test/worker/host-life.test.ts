/** The worker's end of the boundary: calls answer with data, one client a worker, and nothing outlives close(). */
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock, systemRandom } from '../../src/clock.ts'
import type { HttpResponse } from '../../src/engine/transport.ts'
import { collection, defineSchema, toPlainSchema } from '../../src/schema.ts'
import { WIRE_VERSION, type OpenRequest, type ToPage, type ToWorker, type WorkerApi } from '../../src/worker/api.ts'
import { createHost, databaseName, type HostDeps } from '../../src/worker/host.ts'
import { ownSchema, packagedSchema } from '../../src/worker/schema-of.ts'

const schema = defineSchema({
  version: 1,
  collections: { thing: collection<{ id: number; n?: number }>({ indexes: ['n'] }) },
})
const other = defineSchema({ version: 1, collections: { thing: collection<{ id: number; n?: number }>({}) } })

const request: OpenRequest = {
  wire: WIRE_VERSION,
  name: 'host',
  account: null,
  endpoint: 'http://sync.test',
  ownWorker: true,
  schema: toPlainSchema(schema, false),
  rate: 0,
  capabilities: {},
  poll: 60_000,
  timeouts: {},
  ceiling: {},
  debug: false,
}

interface Bench {
  readonly host: WorkerApi
  /** The worker's end of the port, to be given to `open`. */
  readonly port: MessagePort
  readonly fromWorker: ToPage[]
  readonly say: (message: ToWorker) => void
  readonly indexedDB: IDBFactory
  /** What the host holds of the platform. */
  readonly held: { locks: number; channels: number; requests: number }
}

const ends: Array<() => unknown> = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

/** A host whose service has nothing to send and whose page answers every request for a token. */
function bench(changes: Partial<HostDeps> = {}): Bench {
  const held = { locks: 0, channels: 0, requests: 0 }
  const indexedDB = new IDBFactory()
  const nothing: HttpResponse = { status: 204, header: () => null, text: () => Promise.resolve('') }
  const host = createHost({
    schemaOf: ownSchema(schema),
    http: async () => {
      held.requests++
      return nothing
    },
    clock: systemClock,
    random: systemRandom,
    locks: {
      exclusive: true,
      request: async (_name, _signal, work) => {
        held.locks++
        await work().finally(() => held.locks--)
      },
    },
    createChannel: () => {
      held.channels++
      return { post: () => undefined, onHint: () => undefined, close: () => held.channels-- }
    },
    storageInfo: async () => ({ mode: 'best-effort', usage: null, quota: null }),
    indexedDB,
    IDBKeyRange,
    ...changes,
  })
  const { port1: page, port2: port } = new MessageChannel()
  const fromWorker: ToPage[] = []
  const say = (message: ToWorker): void => page.postMessage(message)
  page.onmessage = ({ data }: MessageEvent<ToPage>) => {
    fromWorker.push(data)
    if (data.kind === 'token') say({ kind: 'token', request: data.request, token: 'token' })
  }
  ends.push(async () => {
    await host.close()
    page.close()
    port.close()
  })
  return { host, port, fromWorker, say, indexedDB, held }
}

const refusal = (code: string) => ({ ok: false, error: { code, message: expect.any(String) as string } })
const fine = { ok: true, value: null }

describe('opening', () => {
  it('says hello at once, before storage answers, so that a slow disk is not taken for a dead worker (R39)', async () => {
    // A request to open that is never answered, as while another tab holds back an upgrade.
    const silent = new Proxy(new IDBFactory(), {
      get: (real, name) => {
        const value: unknown = Reflect.get(real, name)
        if (typeof value !== 'function') return value
        return name === 'open' ? () => ({ addEventListener: () => undefined }) : (value.bind(real) as unknown)
      },
    })
    const { host, port, fromWorker } = bench({ indexedDB: silent })
    const opening = host.open(request, port)
    await expect.poll(() => fromWorker).toEqual([{ kind: 'hello' }])
    expect(await host.count({ collection: 'thing', where: {} })).toMatchObject(refusal('storage_closed'))
    expect(await host.close()).toEqual(fine)
    expect(await Promise.race([opening, Promise.resolve('pending')])).toBe('pending')
  })

  it('refuses a page of another release by name, without a hello and without touching storage (I20, R30)', async () => {
    const { host, port, indexedDB, fromWorker, held } = bench()
    expect(await host.open({ ...request, wire: WIRE_VERSION + 1 }, port)).toMatchObject(refusal('version_skew'))
    expect(await indexedDB.databases()).toEqual([])
    expect([fromWorker, held]).toEqual([[], { locks: 0, channels: 0, requests: 0 }])
  })

  it.each([
    ['another version', { schema: { ...request.schema, version: 2 } }],
    ['other indexes', { schema: toPlainSchema(other, false) }],
  ])('refuses a page whose schema has %s than the worker file, and makes no database (R30)', async (_, changes) => {
    const { host, port, indexedDB } = bench()
    expect(await host.open({ ...request, ...changes }, port)).toMatchObject(refusal('version_skew'))
    expect(await indexedDB.databases()).toEqual([])
    expect(await host.count({ collection: 'thing', where: {} })).toMatchObject(refusal('storage_closed'))
  })

  it("refuses a packaged worker that was given as the app's own (I20)", async () => {
    const { host, port } = bench({ schemaOf: packagedSchema })
    expect(await host.open(request, port)).toMatchObject(refusal('schema_needs_worker'))
  })

  it('serves one client: a second is refused and the first goes on (R22)', async () => {
    const { host, port, fromWorker } = bench()
    expect(await host.open(request, port)).toEqual(fine)
    const { port1, port2 } = new MessageChannel()
    expect(await host.open({ ...request, name: 'second' }, port2)).toMatchObject(refusal('invalid_argument'))
    port1.close()
    expect(await host.count({ collection: 'thing', where: {} })).toEqual({ ok: true, value: 0 })
    expect(await host.now(10_000)).toEqual(fine)
    expect(fromWorker.filter(({ kind }) => kind === 'hello')).toHaveLength(1)
  })

  it('keeps accounts, endpoints and names apart, and writes none of them out (R22)', async () => {
    const names = await Promise.all(
      [
        request,
        { ...request, account: 'ann' },
        { ...request, account: 'bob' },
        { ...request, account: '' },
        { ...request, endpoint: 'http://other.test' },
        { ...request, name: 'elsewhere' },
      ].map((place) => databaseName(place)),
    )
    expect(new Set(names).size).toBe(names.length)
    expect(await databaseName({ ...request })).toBe(names[0])
    expect(names.filter((name) => /ann|bob|test/.test(name))).toEqual([])
  })
})

describe('errors', () => {
  it('come back as data with their codes, whatever was asked and whenever (I20)', async () => {
    const { host, port } = bench()
    const calls = () => [host.get('thing', ['1']), host.now(1_000), host.pause(), host.resume(), host.restart()]
    for (const answer of await Promise.all(calls())) expect(answer).toMatchObject(refusal('storage_closed'))
    expect(await host.open(request, port)).toEqual(fine)
    expect(await host.get('nothing', ['1'])).toMatchObject(refusal('invalid_argument'))
    expect(await host.count({ collection: 'nothing', where: {} })).toMatchObject(refusal('invalid_argument'))
    expect(await host.get('thing', ['1'])).toEqual({ ok: true, value: [undefined] })
    expect(await host.pause()).toEqual(fine)
    expect(await host.now(1_000)).toMatchObject(refusal('paused'))
    await host.close()
    for (const answer of await Promise.all(calls())) expect(answer).toMatchObject(refusal('closed'))
    expect(await host.open(request, port)).toMatchObject(refusal('invalid_argument'))
  })

  it('of a followed query reach its stream alone (I20, R39)', async () => {
    const { host, port, say, fromWorker } = bench()
    await host.open(request, port)
    say({ kind: 'open-stream', stream: 1, mode: 'live', query: { collection: 'nothing', where: {} } })
    say({ kind: 'open-stream', stream: 2, mode: 'live', query: { collection: 'thing', where: {} } })
    const streams = () => fromWorker.filter(({ kind }) => kind === 'failed' || kind === 'rows')
    await expect.poll(() => streams().length).toBe(2)
    expect(streams()).toMatchObject([
      { kind: 'failed', stream: 1, error: { code: 'invalid_argument' } },
      { kind: 'rows', stream: 2, reset: true, rows: [], last: true },
    ])
  })

  it('of the token callback are told in the status, and the callback is asked again (F6, I20)', async () => {
    const { host, port, fromWorker } = bench()
    let refusals = 0
    const { port1: page, port2: inside } = new MessageChannel()
    page.onmessage = ({ data }: MessageEvent<ToPage>) => {
      fromWorker.push(data)
      if (data.kind !== 'token') return
      const { request: asked } = data
      const answer: ToWorker =
        refusals++ === 0
          ? { kind: 'token-failed', request: asked, message: 'signed out' }
          : { kind: 'token', request: asked, token: 'token' }
      page.postMessage(answer)
    }
    port.close()
    await host.open(request, inside)
    expect(await host.now(20_000)).toEqual(fine)
    const told = fromWorker.flatMap((message) => (message.kind === 'status' ? [message.value] : []))
    expect(told).toContainEqual(
      expect.objectContaining({
        phase: 'waiting',
        error: expect.objectContaining({ code: 'token_failed' }) as unknown,
      }),
    )
    page.close()
  })
})

describe('closing', () => {
  it('while storage opens ends what was opening: no lock, no channel, no request stays (I20)', async () => {
    const { host, port, held } = bench()
    const opening = host.open(request, port)
    expect(await host.close()).toEqual(fine)
    expect(await opening).toMatchObject(refusal('closed'))
    expect([held.locks, held.channels]).toEqual([0, 0])
    const { requests } = held
    expect(await host.count({ collection: 'thing', where: {} })).toMatchObject(refusal('closed'))
    expect(held.requests).toBe(requests)
  })

  it('gives back the lock and the channel, twice is fine, and another worker may have the database (I20, R24)', async () => {
    const first = bench()
    expect(await first.host.open(request, first.port)).toEqual(fine)
    await expect.poll(() => first.held).toMatchObject({ locks: 1, channels: 1 })
    expect(await first.host.close()).toEqual(fine)
    expect(await first.host.close()).toEqual(fine)
    expect(first.held).toMatchObject({ locks: 0, channels: 0 })
    const second = bench({ indexedDB: first.indexedDB })
    expect(await second.host.open(request, second.port)).toEqual(fine)
    expect(await second.host.now(10_000)).toEqual(fine)
  })
})
