import { getEventListeners } from 'node:events'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createSync } from '../../src/index.ts'
import type { SyncOptions } from '../../src/client/api.ts'
import { createClient } from '../../src/client/client.ts'
import type { Page } from '../../src/client/page.ts'
import { systemClock, type Clock } from '../../src/clock.ts'
import { SyncError } from '../../src/errors.ts'
import { collection, defineSchema, type StandardSchema } from '../../src/schema.ts'
import type { Status, ToPage, WorkerApi } from '../../src/worker/api.ts'
import { createStoppedClock } from './clock.ts'
import { createFakeWorker } from './fake-worker.ts'

const schema = defineSchema({
  version: 3,
  collections: { city: collection<{ id: number; name: string }>({ indexes: [{ field: 'name', fold: true }] }) },
})
type Options = SyncOptions<typeof schema.collections>

const never = new Promise<never>(() => undefined)
const closers: Array<() => Promise<void>> = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

function setUp({
  script = {},
  options = {},
  page = null,
  clock = systemClock,
}: { script?: Partial<WorkerApi>; options?: Partial<Options>; page?: Page | null; clock?: Clock } = {}) {
  const fake = createFakeWorker(script)
  const sync = createClient(
    {
      schema,
      name: 'world',
      account: 'ann',
      endpoint: '/sync/',
      token: () => 'T',
      worker: () => fake.worker,
      ...options,
    },
    { clock, page, base: 'https://app.test/deep/page.html', canRun: true },
  )
  closers.push(() => sync.close())
  return { fake, sync }
}

const draining: Status = {
  deviceId: 'D',
  sessionId: 'S',
  role: 'leader',
  lastSyncedAt: 5,
  pendingAcks: 2,
  stuck: 0,
  unreadable: 0,
  quarantined: 1,
  records: { settled: 10, unsettled: 3 },
  inbox: { pages: 1, records: 3 },
  outbox: { pending: 0, failed: 0, conflicts: 0 },
  storage: { mode: 'persistent', usage: 1, quota: 2, low: false },
  phase: 'draining',
  progress: { done: 1, estimate: 2, fraction: 0.5, rate: 1, etaMs: 1 },
}

describe('createSync (R38)', () => {
  it('sends the worker what it needs, with an absolute endpoint', async () => {
    const { fake, sync } = setUp({ options: { rate: 5, timeouts: {}, ceiling: {}, capabilities: { nudge: false } } })
    await sync.ready
    expect(fake.request()).toMatchObject({
      wire: 4,
      name: 'world',
      account: 'ann',
      endpoint: 'https://app.test/sync',
      ownWorker: true,
      schema: { version: 3 },
      rate: 5,
      capabilities: { nudge: false },
      poll: 60_000,
      debug: false,
    })
  })

  it('has a collection for each wire type, and starts by itself', async () => {
    const { fake, sync } = setUp({ script: { get: async () => ({ ok: true, value: [{ id: 1, name: 'Rome' }] }) } })
    expect(await sync.city.get(1)).toEqual({ id: 1, name: 'Rome' })
    expect(fake.calls.map(([name]) => name)).toEqual(['open', 'get'])
  })

  const mistakes: Array<[string, Record<string, unknown>, string, string?]> = [
    ['no name', { name: undefined }, 'name'],
    ['an empty name', { name: '' }, 'name'],
    ['no account at all (R22)', { account: undefined }, 'account'],
    ['an account that is no text (R22)', { account: 7 }, 'account'],
    ['an endpoint that is no address', { endpoint: 'http://' }, 'endpoint'],
    ['an endpoint of another kind', { endpoint: 'ftp://x.test/' }, 'endpoint'],
    ['an endpoint with a password', { endpoint: 'https://a:b@x.test/' }, 'endpoint'],
    ['an endpoint with a query', { endpoint: '/sync?token=T' }, 'endpoint'],
    ['no endpoint', { endpoint: undefined }, 'endpoint'],
    ['a token instead of a function', { token: 'T' }, 'token'],
    ['a worker that is an address', { worker: '/worker.js' }, 'worker'],
    ['a rate below 0', { rate: -1 }, 'rate'],
    ['a poll that is no number', { poll: '5' }, 'poll'],
    ['a ceiling that is no number', { ceiling: { records: NaN } }, 'records'],
    ['capabilities that are no object', { capabilities: null }, 'capabilities'],
    ['a log that is no function', { log: console }, 'log'],
    ['a misspelt option', { acount: null }, 'acount'],
    ['no schema', { schema: undefined }, 'schema'],
    [
      'a schema with a doubled key',
      { schema: { version: 1, collections: { city: { options: { key: ['id', 'id'] } } } } },
      'twice',
      'schema_invalid',
    ],
    [
      'a schema with an empty key',
      { schema: { version: 1, collections: { city: { options: { key: [] } } } } },
      'key',
      'schema_invalid',
    ],
  ]
  it.each(mistakes)(
    'refuses %s at the call, with a sentence that names it',
    (_what, options, named, code = 'invalid_argument') => {
      const attempt = (): unknown => setUp({ options: options as Partial<Options> })
      expect(attempt).toThrow(SyncError)
      expect(attempt).toThrow(expect.objectContaining({ code }) as SyncError)
      expect(attempt).toThrow(named)
    },
  )

  it('asks for the own worker when the packaged one cannot run the schema (R29)', () => {
    const validate: StandardSchema<{ id: number }> = {
      '~standard': { version: 1, vendor: 'test', validate: () => ({}) },
    }
    for (const options of [{ validate }, { key: (row: { id: number }) => row.id }]) {
      const functions = defineSchema({ version: 1, collections: { city: collection<{ id: number }>(options) } })
      const given = { schema: functions, name: 'n', account: null, endpoint: '/', token: () => 'T' }
      expect(() => createSync(given)).toThrow(expect.objectContaining({ code: 'schema_needs_worker' }) as SyncError)
      expect(() => createSync({ ...given, worker: () => createFakeWorker().worker })).not.toThrow()
    }
  })

  it('sends the packaged worker the schema as data', async () => {
    const fake = createFakeWorker()
    vi.stubGlobal('Worker', function Worker() {
      return fake.worker
    })
    vi.stubGlobal('indexedDB', {})
    const sync = createSync({ schema, name: 'n', account: null, endpoint: 'https://x.test', token: () => 'T' })
    await sync.ready
    expect(fake.request().schema).toEqual({
      version: 3,
      collections: { city: { options: { key: 'id', indexes: [{ field: 'name', fold: true }] } } },
    })
    await sync.close()
    vi.unstubAllGlobals()
  })
})

describe('on a server', () => {
  it('starts nothing, keeps the page renderable and leaves no promise hanging or unhandled (I20)', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const sync = createSync({ schema, name: 'n', account: null, endpoint: '/', token: () => 'T' })
    expect(sync.status.getSnapshot().phase).toBe('starting')
    const live = sync.city.live()
    live.subscribe(() => undefined)()
    expect(live.getSnapshot()).toMatchObject({ state: 'loading', rows: [] })
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
    for (const promise of [sync.ready, sync.now(), sync.city.get(1), sync.city.all(), sync.city.count()])
      await expect(promise).rejects.toMatchObject({
        code: 'storage_unavailable',
        message: expect.stringContaining('browsers') as string,
      })
    await sync.close()
  })
})

describe('status, history and quarantine', () => {
  it('show what the worker says', async () => {
    const { fake, sync } = setUp()
    const heard = vi.fn()
    sync.status.subscribe(heard)
    expect(sync.status.getSnapshot()).toMatchObject({ phase: 'starting', deviceId: null })
    await sync.ready
    fake.send({ kind: 'status', value: draining })
    await fake.delivered()
    expect(sync.status.getSnapshot()).toEqual(draining)
    expect(heard).toHaveBeenCalledOnce()
  })

  it.each<['history' | 'quarantine', ToPage, object]>([
    ['history', { kind: 'history', value: { sessions: [] } }, { sessions: [] }],
    ['quarantine', { kind: 'quarantine', value: { count: 3, items: [] } }, { count: 3, items: [] }],
  ])('%s is followed only while somebody looks', async (what, message, shown) => {
    const { fake, sync } = setUp()
    await sync.ready
    expect(fake.received).toEqual([])
    const stop = sync[what].subscribe(() => undefined)
    expect(await fake.next('follow')).toEqual({ kind: 'follow', what, on: true })
    fake.send(message)
    await fake.delivered()
    expect(sync[what].getSnapshot()).toEqual(shown)
    stop()
    expect(await fake.next('follow', 1)).toEqual({ kind: 'follow', what, on: false })
  })

  it('status shows the error with which ready rejects, by the phase that fits it', async () => {
    const seen = async (code: 'storage_unavailable' | 'schema_conflict'): Promise<Status> => {
      const { sync } = setUp({ script: { open: async () => ({ ok: false, error: { code, message: 'said so' } }) } })
      await expect(sync.ready).rejects.toMatchObject({ code, message: 'said so' })
      return sync.status.getSnapshot()
    }
    expect(await seen('storage_unavailable')).toMatchObject({
      phase: 'storage-problem',
      error: { code: 'storage_unavailable' },
    })
    expect(await seen('schema_conflict')).toMatchObject({ phase: 'stopped', error: { code: 'schema_conflict' } })
  })

  it('status keeps the last facts and says why when the worker dies, and live queries say so too (I20)', async () => {
    // One that is handed over ready-made cannot be started again.
    const fake = createFakeWorker()
    const { sync } = setUp({ options: { worker: fake.worker } })
    await sync.ready
    const live = sync.city.live()
    live.subscribe(() => undefined)
    fake.send({ kind: 'status', value: draining })
    await fake.delivered()
    fake.fire('error', 'boom')
    const { progress: _progress, ...facts } = draining as Status & { progress: unknown }
    expect(sync.status.getSnapshot()).toEqual({
      ...facts,
      phase: 'stopped',
      error: expect.objectContaining({ code: 'worker_crashed' }) as object,
    })
    expect(live.getSnapshot()).toMatchObject({ state: 'error', error: { code: 'worker_crashed' } })
  })
})

describe('control', () => {
  it('passes pause, resume, restart and now on', async () => {
    const { fake, sync } = setUp()
    await sync.pause()
    await sync.resume()
    await sync.restart()
    await sync.now({ timeout: 5_000 })
    expect(fake.calls.slice(1)).toEqual([['pause'], ['resume'], ['restart'], ['now', 5_000]])
  })

  it('now() has a deadline of its own and takes a signal', async () => {
    const clock = createStoppedClock()
    const { sync } = setUp({ clock, script: { now: () => never } })
    await sync.ready
    const late = expect(sync.now()).rejects.toMatchObject({ code: 'timeout' })
    const stop = new AbortController()
    const cancelled = expect(sync.now({ signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' })
    stop.abort()
    await cancelled
    clock.pass(61_000)
    await late
    await expect(sync.now({ timeout: Infinity })).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  it('close() ends this tab: status, calls, queries and stores, and nothing is sent any more', async () => {
    const { fake, sync } = setUp({ script: { now: () => never } })
    await sync.ready
    const live = sync.city.live()
    live.subscribe(() => undefined)
    const pending = [sync.now(), sync.city.all()].map((promise) =>
      expect(promise).rejects.toMatchObject({ code: 'closed' }),
    )
    await sync.close()
    await Promise.all(pending)
    expect(sync.status.getSnapshot().phase).toBe('closed')
    expect(live.getSnapshot()).toMatchObject({ state: 'error', error: { code: 'closed' } })
    await expect(sync.city.get(1)).rejects.toMatchObject({ code: 'closed' })
    sync.history.subscribe(() => undefined)
    expect(fake.received.map(({ kind }) => kind)).not.toContain('follow')
  })
})

describe('the token callback (promise 8)', () => {
  it('is asked with the reason and its answer handed to the worker, once a request', async () => {
    let answer: (token: string) => void = () => undefined
    const token = vi.fn(() => new Promise<string>((resolve) => (answer = resolve)))
    const { fake, sync } = setUp({ options: { token } })
    await sync.ready
    fake.send({ kind: 'token', request: 1, reason: 'start' }, { kind: 'token', request: 1, reason: 'start' })
    await fake.delivered()
    answer('secret')
    expect(await fake.next('token')).toEqual({ kind: 'token', request: 1, token: 'secret' })
    expect(token).toHaveBeenCalledExactlyOnceWith({ reason: 'start', signal: expect.any(AbortSignal) as AbortSignal })
  })

  it.each<[string, () => unknown, string]>([
    [
      'throws',
      () => {
        throw new Error('no session')
      },
      'no session',
    ],
    ['rejects', () => Promise.reject(new Error('offline')), 'offline'],
    ['gives nothing', () => undefined, 'token'],
    ['gives an empty text', () => '', 'token'],
  ])('that %s is told to the worker as a failure', async (_what, token, message) => {
    const { fake, sync } = setUp({ options: { token: token as () => string } })
    await sync.ready
    fake.send({ kind: 'token', request: 4, reason: 'refused' })
    expect(await fake.next('token-failed')).toEqual({
      kind: 'token-failed',
      request: 4,
      message: expect.stringContaining(message) as string,
    })
  })

  it('is cancelled when the worker no longer wants it, and its late answer goes nowhere', async () => {
    const answers: Array<(token: string) => void> = []
    const signals: AbortSignal[] = []
    const token = ({ signal }: { signal: AbortSignal }): Promise<string> => {
      signals.push(signal)
      return new Promise((resolve) => answers.push(resolve))
    }
    const { fake, sync } = setUp({ options: { token } })
    await sync.ready
    fake.send(
      { kind: 'token', request: 1, reason: 'start' },
      { kind: 'token-cancel', request: 1 },
      { kind: 'token', request: 2, reason: 'start' },
    )
    await fake.delivered()
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    answers[0]?.('late')
    answers[1]?.('good')
    expect(await fake.next('token')).toEqual({ kind: 'token', request: 2, token: 'good' })
    fake.send({ kind: 'token', request: 3, reason: 'start' })
    await fake.delivered()
    await sync.close()
    expect(signals[2]?.aborted).toBe(true)
  })
})

describe('the page', () => {
  it('tells the worker when it is shown, hidden, on- and offline, until the end', async () => {
    const document = Object.assign(new EventTarget(), { visibilityState: 'hidden' as DocumentVisibilityState })
    const window = new EventTarget()
    const { fake, sync } = setUp({ page: { document, window, onLine: () => false } })
    await sync.ready
    document.visibilityState = 'visible'
    document.dispatchEvent(new Event('visibilitychange'))
    window.dispatchEvent(new Event('offline'))
    window.dispatchEvent(new Event('online'))
    window.dispatchEvent(new Event('pageshow'))
    await fake.next('page', 5)
    expect(fake.received.map((message) => (message.kind === 'page' ? message.event : ''))).toEqual([
      'offline',
      'hidden',
      'visible',
      'offline',
      'online',
      'visible',
    ])
    await sync.close()
    const left = ['online', 'offline', 'pageshow'].flatMap((type) => getEventListeners(window, type))
    expect([...left, ...getEventListeners(document, 'visibilitychange')]).toEqual([])
  })

  it('gets the log of the worker when it asked for one', async () => {
    const log = vi.fn()
    const { fake, sync } = setUp({ options: { log } })
    await sync.ready
    expect(fake.request().debug).toBe(true)
    fake.send({ kind: 'log', level: 'info', event: 'session.start', fields: { pages: 1 } })
    await fake.delivered()
    expect(log).toHaveBeenCalledExactlyOnceWith('info', 'session.start', { pages: 1 })
  })
})
