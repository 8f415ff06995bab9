import { describe, expect, it, vi } from 'vitest'
import { connect } from '../../src/client/connect.ts'
import { openRequest } from '../../src/client/options.ts'
import { SyncError } from '../../src/errors.ts'
import { collection, defineSchema } from '../../src/schema.ts'
import type { ToPage, WorkerApi } from '../../src/worker/api.ts'
import { createStoppedClock } from './clock.ts'
import { createFakeWorker } from './fake-worker.ts'

const schema = defineSchema({ version: 1, collections: { city: collection() } })
const request = openRequest(
  { schema, name: 'world', account: null, endpoint: '/', token: () => 'T' },
  'http://app.test/',
)
const never = new Promise<never>(() => undefined)

function setUp(script: Partial<WorkerApi> = {}, spawn?: () => Worker) {
  const fake = createFakeWorker(script)
  const clock = createStoppedClock()
  const received: ToPage[] = []
  const ended = vi.fn<(error: SyncError) => void>()
  const connection = connect({
    spawn: spawn ?? (() => fake.worker),
    request,
    clock,
    receive: (message) => void received.push(message),
    ended,
  })
  return { fake, clock, received, ended, connection }
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (error as SyncError).code,
  )
const messageOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => (error as SyncError).message,
  )

describe('starting the worker', () => {
  it('hands it a port and the request, and sends what waited, in order, once it is open', async () => {
    const { fake, connection } = setUp()
    connection.post({ kind: 'page', event: 'hidden' })
    connection.post({ kind: 'page', event: 'visible' })
    await connection.opened
    await fake.next('page', 1)
    expect(fake.request()).toEqual(request)
    expect(fake.received).toEqual([
      { kind: 'page', event: 'hidden' },
      { kind: 'page', event: 'visible' },
    ])
  })

  it.each(['', 'Uncaught ReferenceError: x is not defined'])(
    'says what to check when it cannot be loaded (%j)',
    async (detail) => {
      const { fake, connection, ended } = setUp({ open: () => never })
      fake.fire('error', detail)
      const message = await messageOf(connection.opened)
      expect(await codeOf(connection.opened)).toBe('worker_failed')
      for (const cause of ['URL', "worker-src 'self'", 'does not throw', detail]) expect(message).toContain(cause)
      expect(ended).toHaveBeenCalledOnce()
      expect(fake.terminate).toHaveBeenCalledOnce()
    },
  )

  it('fails the same way when the browser refuses to make it, and not before the caller has the connection', async () => {
    const { connection, ended } = setUp({}, () => {
      throw new DOMException('blocked by policy', 'SecurityError')
    })
    expect(ended).not.toHaveBeenCalled()
    expect(await messageOf(connection.opened)).toContain('blocked by policy')
    expect(await codeOf(connection.call('pause', []))).toBe('worker_failed')
    await connection.close()
  })

  it('gives up on one that says nothing for ten seconds, and leaves no call hanging (I20)', async () => {
    const { clock, connection } = setUp({ open: () => never })
    const call = codeOf(connection.call('count', [{ collection: 'city', where: {} }]))
    clock.pass(10_000)
    expect(await codeOf(connection.opened)).toBe('worker_failed')
    expect(await call).toBe('worker_failed')
  })

  it('never ends one that said hello while it opens storage: a schema step takes as long as there are rows (R30, F36)', async () => {
    let open: (answer: { ok: true; value: null }) => void = () => undefined
    const { fake, clock, connection } = setUp({ open: () => new Promise((resolve) => (open = resolve)) })
    await vi.waitFor(() => expect(fake.request()).not.toBeNull())
    await fake.delivered()
    expect(clock.waits()).toEqual([])
    const early = codeOf(connection.call('pause', []))
    clock.pass(600_000)
    expect(await early).toBe('timeout')
    expect(fake.terminate).not.toHaveBeenCalled()
    open({ ok: true, value: null })
    await connection.opened
    await connection.call('pause', [])
  })

  it('passes on why storage could not be opened, with its class and code', async () => {
    const { connection, ended } = setUp({
      open: async () => ({ ok: false, error: { code: 'storage_unavailable', message: 'none here' } }),
    })
    const error: unknown = await connection.opened.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(SyncError)
    expect(error).toMatchObject({ code: 'storage_unavailable', message: 'none here' })
    expect(ended).toHaveBeenCalledExactlyOnceWith(error)
  })
})

describe('a call', () => {
  it('gives the value, or the error with its code, which Comlink alone would drop', async () => {
    const { connection } = setUp({
      count: async () => ({ ok: true, value: 7 }),
      now: async () => ({
        ok: false,
        error: { code: 'rate_limited', message: 'slow down', status: 429, retryAfterMs: 1_000 },
      }),
    })
    expect(await connection.call('count', [{ collection: 'city', where: {} }])).toBe(7)
    await expect(connection.call('now', [1])).rejects.toMatchObject({
      name: 'SyncError',
      code: 'rate_limited',
      status: 429,
      retryAfterMs: 1_000,
    })
  })

  it('rejects at its deadline, and the connection lives on (I20)', async () => {
    const { clock, connection } = setUp({ pause: () => never })
    const call = messageOf(connection.call('pause', []))
    await connection.opened
    clock.pass(60_000)
    expect(await call).toBe('sync.pause() got no answer within 60 s.')
    await connection.call('resume', [])
  })

  it('rejects as soon as its signal aborts', async () => {
    const { connection } = setUp({ now: () => never })
    const stop = new AbortController()
    const call = codeOf(connection.call('now', [1], { signal: stop.signal }))
    stop.abort()
    expect(await call).toBe('aborted')
    expect(await codeOf(connection.call('now', [1], { signal: stop.signal }))).toBe('aborted')
  })

  it('that holds something which cannot be cloned is refused by code (F50)', async () => {
    const { connection } = setUp()
    const where = { name: (() => 'x') as unknown as string }
    expect(await codeOf(connection.call('count', [{ collection: 'city', where }]))).toBe('invalid_argument')
  })

  it('leaves no timer behind', async () => {
    const { clock, connection } = setUp()
    await connection.call('pause', [])
    expect(clock.waits()).toEqual([])
  })
})

describe('the death of the worker', () => {
  it.each(['error', 'messageerror'] as const)(
    'by %s rejects every call that waits, and every later one (I20)',
    async (type) => {
      const { fake, connection, ended } = setUp({ now: () => never, pause: () => never })
      await connection.opened
      const calls = [
        connection.call('now', [1]),
        connection.call('pause', []),
        connection.guard('The query', never),
      ].map(codeOf)
      fake.fire(type, 'out of memory')
      expect(await Promise.all(calls)).toEqual(['worker_crashed', 'worker_crashed', 'worker_crashed'])
      expect(await codeOf(connection.call('resume', []))).toBe('worker_crashed')
      expect(ended).toHaveBeenCalledOnce()
      expect(fake.terminate).toHaveBeenCalledOnce()
    },
  )

  it('silences the port', async () => {
    const { fake, connection, received } = setUp()
    await connection.opened
    fake.send({ kind: 'history', value: { sessions: [] } })
    fake.fire('error')
    await fake.delivered()
    expect(received).toEqual([])
  })
})

describe('closing', () => {
  it('asks the worker first and terminates it after its answer (F20)', async () => {
    const { fake, connection, ended } = setUp()
    await connection.opened
    const calls = [codeOf(connection.call('now', [1]))]
    await connection.close()
    expect(fake.calls.map(([name]) => name)).toContain('close')
    expect(fake.terminate).toHaveBeenCalledOnce()
    expect(ended.mock.calls[0]?.[0].code).toBe('closed')
    expect(await Promise.all(calls)).toEqual(['closed'])
    expect(await codeOf(connection.call('pause', []))).toBe('closed')
  })

  it('waits two seconds for a worker that does not answer, no longer', async () => {
    const { fake, clock, connection } = setUp({ close: () => never })
    await connection.opened
    const closing = connection.close()
    expect(fake.terminate).not.toHaveBeenCalled()
    clock.pass(2_000)
    await closing
    expect(fake.terminate).toHaveBeenCalledOnce()
  })

  it('twice is once, also while storage is being opened and after a crash', async () => {
    const { fake, connection } = setUp({ open: () => never })
    expect(connection.close()).toBe(connection.close())
    await connection.close()
    expect(await codeOf(connection.opened)).toBe('closed')
    expect(fake.terminate).toHaveBeenCalledOnce()

    const crashed = setUp()
    await crashed.connection.opened
    crashed.fake.fire('error')
    await crashed.connection.close()
    expect(crashed.fake.calls.map(([name]) => name)).not.toContain('close')
  })
})
