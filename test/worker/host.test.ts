/** The worker behind its thread boundary: Comlink for calls, one port for everything that streams (R22, R29, R38, R39). */
import { transfer, wrap, type Remote } from 'comlink'
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { systemClock, systemRandom } from '../../src/clock.ts'
import type { Http } from '../../src/engine/transport.ts'
import { collection, defineSchema, toPlainSchema, type Schema } from '../../src/schema.ts'
import { createExchange } from '../../src/service/exchange.ts'
import { createMemoryStore } from '../../src/service/memory.ts'
import { WIRE_VERSION, type OpenRequest, type ToPage, type ToWorker, type WorkerApi } from '../../src/worker/api.ts'
import { createHost, databaseName, exposeHost, type HostDeps } from '../../src/worker/host.ts'
import { ownSchema, packagedSchema } from '../../src/worker/schema-of.ts'
import { createMachine } from '../support/device.ts'
import { createNetwork } from '../support/network.ts'
import { answer as reply } from '../engine/world.ts'

const schema = defineSchema({
  version: 3,
  collections: { contact: collection<{ id: number; n: number }>({ indexes: ['n'] }) },
})
const ends: Array<() => unknown> = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

interface Client {
  readonly api: Remote<WorkerApi>
  readonly messages: ToPage[]
  readonly of: <K extends ToPage['kind']>(kind: K) => Array<Extract<ToPage, { kind: K }>>
  readonly send: (message: ToWorker) => void
  readonly open: (request?: Partial<OpenRequest>) => ReturnType<WorkerApi['open']>
}

function start(deps: Partial<HostDeps> = {}, token: string | null = 'good'): Client {
  const { port1: page, port2: inside } = new MessageChannel()
  const { port1: port, port2: theirs } = new MessageChannel()
  const host = createHost({
    schemaOf: packagedSchema,
    http: () => Promise.resolve(reply(204)),
    clock: systemClock,
    random: systemRandom,
    locks: createMachine().locks,
    createChannel: () => ({ post: () => undefined, onHint: () => undefined, close: () => undefined }),
    storageInfo: () => Promise.resolve({ mode: 'persistent', usage: 5, quota: 50 }),
    indexedDB: new IDBFactory(),
    IDBKeyRange,
    ...deps,
  })
  exposeHost(host, inside)
  const api = wrap<WorkerApi>(page)
  const messages: ToPage[] = []
  const send = (message: ToWorker): void => port.postMessage(message)
  port.onmessage = ({ data }: MessageEvent<ToPage>) => {
    messages.push(data)
    if (data.kind === 'token' && token !== null) send({ kind: 'token', request: data.request, token })
  }
  ends.push(async () => {
    await api.close()
    for (const one of [page, inside, port, theirs]) one.close()
  })
  return {
    api,
    messages,
    of: (kind) => messages.filter((message) => message.kind === kind) as never,
    send,
    open: (request = {}) => api.open(transfer(requestOf(request), []), transfer(theirs, [theirs])),
  }
}

function requestOf(more: Partial<OpenRequest>, shape: Schema = schema): OpenRequest {
  return {
    wire: WIRE_VERSION,
    name: 'app',
    account: null,
    endpoint: 'http://sync.test',
    ownWorker: false,
    schema: toPlainSchema(shape, true),
    rate: 0,
    capabilities: {},
    poll: 60_000,
    timeouts: {},
    ceiling: {},
    debug: false,
    ...more,
  }
}

async function serviceOf(
  contacts: number,
): Promise<{ http: Http; store: ReturnType<typeof createMemoryStore>; log: string[] }> {
  const store = createMemoryStore()
  await store.importRecords(
    'acme',
    Array.from({ length: contacts }, (_, at) => ({ type: 'contact', data: { id: at + 1, n: at } })),
  )
  const exchange = createExchange({
    store,
    authorize: (token) =>
      token === 'good' ? { account: 'acme', user: 'ann', scopes: ['sync', 'read', 'write'] } : null,
  })
  const { http, log } = createNetwork({ exchange, clock: systemClock, delayMs: () => 0 })
  return { http, store, log }
}

describe('opening', () => {
  it('says hello before storage is touched, then the status, and answers calls', async () => {
    const { api, open, messages, of } = start()
    expect(await api.count({ collection: 'contact', where: {} })).toMatchObject({
      ok: false,
      error: { code: 'storage_closed' },
    })
    expect(await open()).toEqual({ ok: true, value: null })
    await vi.waitFor(() => expect(of('status').at(-1)?.value.deviceId).toBeTruthy())
    expect(messages[0]).toEqual({ kind: 'hello' })
    expect(messages[1]).toMatchObject({ kind: 'status', value: { phase: expect.any(String) as string } })
    expect(await api.count({ collection: 'contact', where: {} })).toEqual({ ok: true, value: 0 })
    await vi.waitFor(() =>
      expect(of('status').at(-1)?.value.storage).toEqual({ mode: 'persistent', usage: 5, quota: 50, low: false }),
    )
  })

  it('is refused, with a sentence, for another build, another schema, and a second client (R29, R30)', async () => {
    const plain = toPlainSchema(schema, true)
    expect(await start().open({ wire: WIRE_VERSION + 1 })).toMatchObject({ ok: false, error: { code: 'version_skew' } })
    expect(await start({ schemaOf: ownSchema(schema) }).open({ schema: { ...plain, version: 4 } })).toMatchObject({
      ok: false,
      error: { code: 'version_skew', message: expect.stringContaining('version 3') as string },
    })
    expect(await start({ schemaOf: ownSchema(schema) }).open({ schema: { ...plain, collections: {} } })).toMatchObject({
      ok: false,
      error: { code: 'version_skew' },
    })
    expect(await start({ schemaOf: ownSchema(schema) }).open({ ownWorker: true })).toEqual({ ok: true, value: null })
    expect(await start().open({ ownWorker: true })).toMatchObject({ ok: false, error: { code: 'schema_needs_worker' } })
    const twice = start()
    await twice.open()
    const { port2 } = new MessageChannel()
    expect(await twice.api.open(requestOf({}), transfer(port2, [port2]))).toMatchObject({
      ok: false,
      error: { code: 'invalid_argument' },
    })
    port2.close()
  })

  it('without IndexedDB is storage_unavailable (R41)', async () => {
    expect(await start({ indexedDB: undefined }).open()).toMatchObject({
      ok: false,
      error: { code: 'storage_unavailable' },
    })
  })

  it('closed while it opens, leaves nothing running', async () => {
    const { api, open } = start()
    const opening = open()
    const closing = api.close()
    expect(await closing).toEqual({ ok: true, value: null })
    expect(await opening).toMatchObject({ ok: false, error: { code: 'closed' } })
  })

  it("puts name, endpoint and account into the database's name, so that no two of them meet (R22, I18)", async () => {
    const places = [
      { name: 'app', endpoint: 'http://a', account: null },
      { name: 'app', endpoint: 'http://a', account: '' },
      { name: 'app', endpoint: 'http://a', account: 'null' },
      { name: 'app', endpoint: 'http://a', account: 'ann' },
      { name: 'app', endpoint: 'http://a/', account: 'ann' },
      { name: 'app2', endpoint: 'http://a', account: 'ann' },
    ]
    for (const subtle of [crypto.subtle, undefined]) {
      const names = await Promise.all(places.map((place) => databaseName(place, subtle)))
      expect(new Set(names).size).toBe(names.length)
      expect(await databaseName({ name: 'app', endpoint: 'http://a', account: 'ann' }, subtle)).toBe(names[3])
    }
    expect(await databaseName({ name: 'app', endpoint: 'http://a', account: 'ann@example.com' })).not.toContain('ann')
  })
})

describe('calls', () => {
  it('answer with data, also when they fail: class and code survive the thread (I20)', async () => {
    const { api, open } = start()
    await open()
    expect(await api.get('nothing', ['1'])).toEqual({
      ok: false,
      error: expect.objectContaining({ code: 'invalid_argument' }) as object,
    })
    expect(await api.count({ collection: 'contact', where: { n: {} } as never })).toMatchObject({
      ok: false,
      error: { code: 'invalid_argument', message: expect.stringContaining('"n"') as string },
    })
    expect(await api.pause()).toEqual({ ok: true, value: null })
    expect(await api.now(1_000)).toMatchObject({ ok: false, error: { code: 'paused' } })
    expect(await api.resume()).toEqual({ ok: true, value: null })
    expect(await api.close()).toEqual({ ok: true, value: null })
    expect(await api.get('contact', ['1'])).toMatchObject({ ok: false, error: { code: 'closed' } })
    expect(await api.close()).toEqual({ ok: true, value: null })
  })

  it('bring a whole sync to the page: rows, count, history, status at the end (R38)', async () => {
    const { http } = await serviceOf(250)
    const { api, open, send, of } = start({ http })
    await open()
    expect(await api.now(10_000)).toEqual({ ok: true, value: null })
    expect(await api.get('contact', [''])).toMatchObject({ ok: false, error: { code: 'invalid_argument' } })
    expect(await api.get('contact', [7, '999'])).toEqual({ ok: true, value: [{ id: 7, n: 6 }, undefined] })
    expect(await api.count({ collection: 'contact', where: { n: { lt: 100 } } })).toEqual({ ok: true, value: 100 })
    send({ kind: 'follow', what: 'history', on: true })
    await vi.waitFor(() =>
      expect(of('history').at(-1)?.value.sessions.at(-1)).toMatchObject({ outcome: 'clean', items: 250 }),
    )
    expect(of('history').at(-1)?.value.sessions.at(-1)).not.toHaveProperty('n')
    await api.close()
    await vi.waitFor(() => expect(of('status').at(-1)?.value.phase).toBe('closed'))
  })

  it('restart() wipes and downloads anew; streams begin anew (R23)', async () => {
    const { http } = await serviceOf(30)
    const { api, open, send, of } = start({ http })
    await open()
    await api.now(10_000)
    send({ kind: 'open-stream', stream: 1, mode: 'live', query: { collection: 'contact', where: {} } })
    await vi.waitFor(() => expect(of('rows').flatMap(({ rows }) => rows)).toHaveLength(30))
    const device = of('status').at(-1)?.value.deviceId
    const before = of('rows').length
    expect(await api.restart()).toEqual({ ok: true, value: null })
    expect(await api.now(10_000)).toEqual({ ok: true, value: null })
    await vi.waitFor(() =>
      expect(
        of('rows')
          .slice(before)
          .flatMap(({ rows }) => rows),
      ).toHaveLength(30),
    )
    expect(of('rows')[before]).toMatchObject({ reset: true })
    await vi.waitFor(() => expect(of('status').at(-1)?.value.deviceId).not.toBe(device))
  })

  it('the page can call what the worker offers and nothing else (F49)', async () => {
    const { api } = start()
    const loose = api as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
    for (const name of ['constructor', '__proto__', 'toString', 'valueOf', 'evil'])
      await expect(loose[name]?.()).rejects.toThrow()
  })
})

describe('streams', () => {
  it('open, follow and close by number; a wrong query fails its own stream only (R39)', async () => {
    const { http, store } = await serviceOf(10)
    const { api, open, send, of } = start({ http })
    await open()
    await api.now(10_000)
    send({ kind: 'open-stream', stream: 1, mode: 'live', query: { collection: 'contact', where: {} } })
    send({ kind: 'open-stream', stream: 2, mode: 'live', query: { collection: 'nothing', where: {} } })
    send({ kind: 'open-stream', stream: 3, mode: 'once', query: { collection: 'contact', where: { n: 3 } } })
    await vi.waitFor(() =>
      expect(of('failed')).toEqual([
        { kind: 'failed', stream: 2, error: expect.objectContaining({ code: 'invalid_argument' }) as object },
      ]),
    )
    await vi.waitFor(() =>
      expect(
        of('rows')
          .map(({ stream, rows }) => `${stream}: ${rows.length}`)
          .sort(),
      ).toEqual(['1: 10', '3: 1']),
    )
    await store.write({ account: 'acme', user: 'bob' }, { kind: 'delete', type: 'contact', id: '4' })
    await api.now(10_000)
    await vi.waitFor(() => expect(of('rows').at(-1)).toMatchObject({ stream: 1, removed: ['4'], rows: [] }))
    send({ kind: 'close-stream', stream: 1 })
    const { length } = of('rows')
    await store.write({ account: 'acme', user: 'bob' }, { kind: 'delete', type: 'contact', id: '5' })
    await api.now(10_000)
    expect(await api.count({ collection: 'contact', where: {} })).toEqual({ ok: true, value: 8 })
    expect(of('rows')).toHaveLength(length)
  })

  it('columns are handed over, not copied (R39)', async () => {
    const { http } = await serviceOf(10)
    const { api, open, send, of } = start({ http })
    await open()
    await api.now(10_000)
    send({
      kind: 'open-stream',
      stream: 1,
      mode: 'columns',
      query: { collection: 'contact', where: {}, select: ['id', 'n'] },
    })
    await vi.waitFor(() => expect(of('columns')).toHaveLength(1))
    const [first] = of('columns')
    expect(first?.slots).toBeInstanceOf(Uint32Array)
    expect(first?.values.map((column) => column.length)).toEqual([10, 10])
  })

  it('a scan is said once for each field, and only to who listens (R38)', async () => {
    const { api, open, of } = start()
    await open({ debug: true })
    for (let times = 0; times < 3; times++) await api.count({ collection: 'contact', where: { other: 1 } })
    await vi.waitFor(() =>
      expect(of('log').filter(({ event }) => event === 'query.scan')).toEqual([
        { kind: 'log', level: 'info', event: 'query.scan', fields: { collection: 'contact', field: 'other' } },
      ]),
    )
  })
})

describe('the token', () => {
  it('is asked of the page when needed, and kept in no log and no storage (AUTH-1, I25, F48)', async () => {
    const canary = 'canary-9f3b7c'
    const factory = new IDBFactory()
    const { store } = await serviceOf(30)
    const exchange = createExchange({
      store,
      authorize: (token) => (token === canary ? { account: 'acme', user: 'ann', scopes: ['sync'] } : null),
    })
    const { api, open, messages } = start(
      { http: createNetwork({ exchange, clock: systemClock }).http, indexedDB: factory },
      canary,
    )
    await open({ debug: true })
    expect(await api.now(10_000)).toEqual({ ok: true, value: null })
    expect(JSON.stringify(messages)).not.toContain(canary)
    expect(JSON.stringify(await dump(factory))).not.toContain(canary)
    const logged = JSON.stringify(messages.filter(({ kind }) => kind === 'log'))
    expect(logged).toContain('session.end')
    const meta = (await dump(factory))['meta'] as Array<{ key: string; device?: string }>
    const device = meta.find(({ key }) => key === 'identity')?.device
    expect(device).toBeTruthy()
    expect(logged).not.toContain(String(device))
    expect(logged).not.toContain('contact')
  })

  it('that the page cannot give is a state, and its message reaches the app (F6, I20)', async () => {
    const { open, of, messages, send, api } = start({}, null)
    await open()
    await vi.waitFor(() => expect(of('token')).toHaveLength(1))
    expect(of('token')[0]).toEqual({ kind: 'token', request: 1, reason: 'start' })
    send({ kind: 'token-failed', request: 1, message: 'logged out' })
    await vi.waitFor(() => {
      const status = of('status').at(-1)?.value
      expect(status).toMatchObject({
        error: { code: 'token_failed', message: expect.stringContaining('logged out') as string },
      })
    })
    send({ kind: 'token', request: 77, token: 'for nobody' })
    expect(messages.filter(({ kind }) => kind === 'failed')).toEqual([])
    expect(await api.count({ collection: 'contact', where: {} })).toEqual({ ok: true, value: 0 })
  })

  it('that is no longer wanted is taken back', async () => {
    const factory = new IDBFactory()
    const { open, of } = start({ indexedDB: factory }, null)
    await open()
    await vi.waitFor(() => expect(of('token')).toHaveLength(1))
    const [info] = await factory.databases()
    factory.deleteDatabase(info?.name ?? '')
    await vi.waitFor(() => expect(of('token-cancel')).toEqual([{ kind: 'token-cancel', request: 1 }]))
    await vi.waitFor(() =>
      expect(of('status').at(-1)?.value).toMatchObject({ phase: 'stopped', error: { code: 'storage_closed' } }),
    )
  })
})

describe('keeping the data', () => {
  const now = (api: Client['api']): Promise<unknown> => api.now(10_000)

  it('is proposed once, after the first clean session of a device, not before and not at later starts (R41)', async () => {
    const { http } = await serviceOf(3)
    let reachable = false
    const disk = {
      indexedDB: new IDBFactory(),
      http: ((request) => (reachable ? http(request) : Promise.resolve(reply(503)))) as Http,
    }
    const first = start(disk)
    await first.open()
    await vi.waitFor(() => expect(first.of('status').at(-1)?.value.phase).toBe('waiting'))
    expect(first.of('persist')).toEqual([])
    reachable = true
    first.send({ kind: 'page', event: 'online' })
    await now(first.api)
    await now(first.api)
    await vi.waitFor(() => expect(first.of('persist')).toHaveLength(1))
    await first.api.close()
    const second = start(disk)
    await second.open()
    await now(second.api)
    await now(second.api)
    expect([first.of('persist').length, second.of('persist')]).toEqual([1, []])
  })

  it('shows in the status as soon as the page has the word of the browser (R41)', async () => {
    let mode: 'best-effort' | 'persistent' = 'best-effort'
    const { open, of, send } = start({ storageInfo: async () => ({ mode, usage: null, quota: null }) })
    await open()
    await vi.waitFor(() => expect(of('status').at(-1)?.value).toMatchObject({ phase: 'idle' }))
    mode = 'persistent'
    send({ kind: 'page', event: 'persisted' })
    await vi.waitFor(() => expect(of('status').at(-1)?.value.storage.mode).toBe('persistent'))
  })

  it.each([
    [80, 100, false],
    [81, 100, true],
    [81, null, false],
    [null, 100, false],
  ])('of %s bytes of %s used, low is %s: a warning before the disk is full (F31)', async (usage, quota, low) => {
    const { open, of } = start({ storageInfo: async () => ({ mode: 'best-effort', usage, quota }) })
    await open()
    await vi.waitFor(() =>
      expect(of('status').at(-1)?.value).toMatchObject({ phase: 'idle', storage: { usage, quota, low } }),
    )
  })
})

async function dump(factory: IDBFactory): Promise<Record<string, unknown[]>> {
  const [info] = await factory.databases()
  const db = await new Promise<IDBDatabase>((resolve) => {
    const request = factory.open(info?.name ?? '') as unknown as IDBOpenDBRequest
    request.onsuccess = () => resolve(request.result)
  })
  const rows: Record<string, unknown[]> = {}
  for (const name of Array.from(db.objectStoreNames))
    rows[name] = await new Promise((resolve) => {
      const request = db.transaction(name).objectStore(name).getAll()
      request.onsuccess = () => resolve(request.result as unknown[])
    })
  db.close()
  return rows
}
