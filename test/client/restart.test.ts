/** Another worker in place of one that died or lost its database: the app's objects go on (F19, F32, I20). */
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { LiveChanges, SyncOptions } from '../../src/client/api.ts'
import { createClient } from '../../src/client/client.ts'
import { collection, defineSchema } from '../../src/schema.ts'
import { NOTHING_KNOWN, type EditInfo, type Status, type ToPage, type WorkerApi } from '../../src/worker/api.ts'
import { createStoppedClock } from './clock.ts'
import { createFakeWorker, type FakeWorker } from './fake-worker.ts'

interface City {
  readonly id: number
  readonly name: string
}

const schema = defineSchema({ version: 1, collections: { city: collection<City>() } })
const never = new Promise<never>(() => undefined)
const idle = (deviceId: string, more: Partial<Status> = {}): Status =>
  ({ ...NOTHING_KNOWN, deviceId, phase: 'idle', lastSyncedAt: 1, ...more }) as Status
const closed = { code: 'storage_closed', message: 'gone' } as const

const closers: Array<() => Promise<void>> = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** Each worker does what the script of its turn says; the last script stays. */
function setUp(scripts: ReadonlyArray<Partial<WorkerApi>> = [{}], options: Partial<SyncOptions<never>> = {}) {
  const clock = createStoppedClock()
  const workers: FakeWorker[] = []
  const document = Object.assign(new EventTarget(), { visibilityState: 'hidden' as DocumentVisibilityState })
  const persist = vi.fn<() => Promise<unknown>>(async () => true)
  const sync = createClient(
    {
      schema,
      name: 'world',
      account: null,
      endpoint: '/',
      token: () => 'T',
      worker: () => {
        const fake = createFakeWorker(scripts[workers.length] ?? scripts.at(-1))
        workers.push(fake)
        return fake.worker
      },
      ...options,
    },
    {
      clock,
      page: { document, window: new EventTarget(), onLine: () => true, persist },
      base: 'http://app.test/',
      canRun: true,
    },
  )
  closers.push(() => sync.close())
  const nth = (at: number): FakeWorker => workers[at] as FakeWorker
  /** The next worker, open. */
  const another = async (): Promise<FakeWorker> => {
    const { length } = workers
    clock.pass(10_000)
    await vi.waitFor(() => expect(nth(length)?.calls[0]?.[0]).toBe('open'))
    await nth(length).next('page')
    return nth(length)
  }
  return { sync, clock, workers, nth, another, persist }
}

const rows = (
  stream: number,
  names: readonly string[],
  more: Partial<Extract<ToPage, { kind: 'rows' }>> = {},
): ToPage => ({
  kind: 'rows',
  stream,
  reset: true,
  rows: names.map((name, at) => ({ id: String(at), key: null, data: { id: at, name }, state: 'synced' })),
  removed: [],
  last: true,
  ...more,
})

describe('a worker that dies', () => {
  it('fails the calls in flight by code; later ones wait for another worker, and ready stays as it was (F19, I20)', async () => {
    const { sync, nth, workers, another } = setUp([
      { now: () => never },
      { count: async () => ({ ok: true, value: 7 }) },
    ])
    await sync.ready
    nth(0).send({ kind: 'status', value: idle('D', { records: { settled: 5, unsettled: 0 } }) })
    await nth(0).delivered()
    const under = expect(sync.now()).rejects.toMatchObject({ code: 'worker_crashed' })
    nth(0).fire('error', 'out of memory')
    await under
    expect(nth(0).terminate).toHaveBeenCalledOnce()
    expect(sync.status.getSnapshot()).toMatchObject({
      phase: 'waiting',
      records: { settled: 5 },
      error: { code: 'worker_crashed', message: expect.stringContaining('out of memory') as string },
    })
    const later = sync.city.count()
    expect(workers).toHaveLength(1)
    await another()
    expect(await later).toBe(7)
    await sync.ready
  })

  it('leaves live queries their rows until another worker has read them anew, as a difference (F19, R39)', async () => {
    const { sync, nth, another } = setUp()
    await sync.ready
    const live = sync.city.live()
    const heard: Array<LiveChanges<City>> = []
    live.changes((change) => void heard.push(change))
    const { stream } = await nth(0).next('open-stream')
    nth(0).send(rows(stream, ['Lima', 'Bonn']))
    // Half of a step, of which the rest never comes.
    nth(0).send(rows(stream, ['Half'], { reset: false, last: false }))
    await nth(0).delivered()
    const kept = live.getSnapshot().rows[0]
    nth(0).fire('error')
    expect(live.getSnapshot()).toMatchObject({ state: 'ready', rows: [{ name: 'Lima' }, { name: 'Bonn' }] })
    const second = await another()
    expect(await second.next('open-stream')).toEqual(nth(0).received.find(({ kind }) => kind === 'open-stream'))
    second.send(rows(stream, ['Lima', 'Rom', 'Kiew']))
    await second.delivered()
    expect(live.getSnapshot()).toMatchObject({
      state: 'ready',
      rows: [{ name: 'Lima' }, { name: 'Rom' }, { name: 'Kiew' }],
    })
    expect(live.getSnapshot().rows[0]).toBe(kept)
    expect(heard.slice(1)).toMatchObject([{ added: [{ name: 'Kiew' }], changed: [{ name: 'Rom' }], removed: [] }])
  })

  it('leaves columns, too: their slots begin anew (F19, R39)', async () => {
    const { sync, nth, another } = setUp()
    const columns = sync.city.select('id').columns()
    const heard: number[][] = []
    columns.changes(({ from, to }) => void heard.push([from, to]))
    const { stream } = await nth(0).next('open-stream')
    const send = (fake: FakeWorker, values: number[]): void =>
      fake.send({
        kind: 'columns',
        stream,
        reset: true,
        slots: Uint32Array.from(values.keys()),
        values: [Float64Array.from(values)],
        last: true,
      })
    send(nth(0), [1, 2, 3])
    await nth(0).delivered()
    nth(0).fire('error')
    const second = await another()
    send(second, [8, 9])
    await second.delivered()
    const { size, columns: shown } = columns.getSnapshot()
    expect([size, [...shown.id].slice(0, 2), heard]).toEqual([
      2,
      [8, 9],
      [
        [0, 3],
        [0, 2],
      ],
    ])
  })

  it('tells the next one what the page looks at and whether it is shown (F19, R25)', async () => {
    const { sync, nth, another } = setUp()
    await sync.ready
    sync.history.subscribe(() => undefined)
    const stop = sync.quarantine.subscribe(() => undefined)
    sync.outbox.subscribe(() => undefined)
    stop()
    await nth(0).next('follow', 3)
    nth(0).fire('messageerror')
    const second = await another()
    await second.next('follow', 1)
    expect(second.received).toEqual([
      { kind: 'page', event: 'hidden' },
      { kind: 'follow', what: 'history', on: true },
      { kind: 'follow', what: 'outbox', on: true },
    ])
  })

  it('has its token requests cancelled, and a late answer is not taken for one of the next (promise 8)', async () => {
    const answers: Array<(token: string) => void> = []
    const { nth, sync, another } = setUp([{}], { token: () => new Promise<string>((resolve) => answers.push(resolve)) })
    await sync.ready
    nth(0).send({ kind: 'token', request: 1, reason: 'start' })
    await nth(0).delivered()
    nth(0).fire('error')
    const second = await another()
    second.send({ kind: 'token', request: 1, reason: 'start' })
    await second.delivered()
    answers[0]?.('old')
    answers[1]?.('new')
    expect(await second.next('token')).toEqual({ kind: 'token', request: 1, token: 'new' })
    expect(second.received.filter(({ kind }) => kind.startsWith('token'))).toHaveLength(1)
  })

  it('is replaced three times within five minutes, each time later, and then no more: stopped, with the reason (I20)', async () => {
    const { sync, clock, nth, workers, another } = setUp()
    await sync.ready
    for (let turn = 0; turn < 3; turn++) {
      nth(turn).fire('error')
      expect(clock.waits()).toContain((turn + 1) * 1_000)
      await another()
    }
    nth(3).fire('error', 'again')
    expect(sync.status.getSnapshot()).toMatchObject({
      phase: 'stopped',
      error: { code: 'worker_crashed', message: expect.stringContaining('reload') as string },
    })
    await expect(sync.city.count()).rejects.toMatchObject({ code: 'worker_crashed' })
    clock.pass(10_000)
    await nth(3).delivered()
    expect(workers).toHaveLength(4)
  })

  it('has its restarts back after five minutes', async () => {
    const { sync, clock, nth, another } = setUp()
    await sync.ready
    for (let turn = 0; turn < 5; turn++) {
      nth(turn).fire('error')
      await another()
      clock.pass(300_000)
      await nth(turn + 1).delivered()
    }
    expect(await sync.city.count()).toBe(0)
  })

  it('and cannot be made again, since it was handed over ready-made, ends the client', async () => {
    const fake = createFakeWorker()
    const { sync, clock } = setUp([], { worker: fake.worker })
    await sync.ready
    fake.fire('error')
    expect(sync.status.getSnapshot()).toMatchObject({ phase: 'stopped', error: { code: 'worker_crashed' } })
    await expect(sync.city.count()).rejects.toMatchObject({ code: 'worker_crashed' })
    expect(clock.waits()).toEqual([])
  })

  it('and never started ends the client at once; a second one that does not start is tried again (I20)', async () => {
    const first = setUp([{ open: () => never }])
    first.nth(0).fire('error')
    await expect(first.sync.ready).rejects.toMatchObject({ code: 'worker_failed' })
    expect(first.sync.status.getSnapshot()).toMatchObject({ phase: 'stopped', error: { code: 'worker_failed' } })
    expect(first.workers).toHaveLength(1)

    const { sync, clock, nth, another } = setUp([{}, { open: () => never }, {}])
    await sync.ready
    nth(0).fire('error')
    clock.pass(10_000)
    await vi.waitFor(() => expect(nth(1)?.calls.length).toBe(1))
    nth(1).fire('error')
    await another()
    expect(await sync.city.count()).toBe(0)
  })

  it('is not replaced after close(), also not one whose successor is waited for (I20)', async () => {
    const { sync, clock, nth, workers } = setUp()
    await sync.ready
    nth(0).fire('error')
    const later = expect(sync.city.count()).rejects.toMatchObject({ code: 'closed' })
    await sync.close()
    await later
    clock.pass(10_000)
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(workers).toHaveLength(1)
    expect(sync.status.getSnapshot().phase).toBe('closed')
  })
})

describe('handles of edits', () => {
  const edit = (id: string, more: Partial<EditInfo> = {}): EditInfo => ({
    id,
    collection: 'city',
    key: -1,
    op: 'insert',
    value: {},
    at: 1,
    group: null,
    state: 'pending',
    problem: null,
    ...more,
  })
  const writes: Partial<WorkerApi> = { write: async (ops) => ({ ok: true, value: ops.map((_, at) => edit(`e${at}`)) }) }
  const insertTwo = (sync: ReturnType<typeof setUp>['sync']) =>
    sync.write((tx) => {
      tx.city.insert({ name: 'one' })
      tx.city.insert({ name: 'two' })
    })

  it('hear from the next worker how their edits fare; what it does not know the server has (R15, R20)', async () => {
    const finds: Partial<WorkerApi> = {
      outbox: async (...[, id]) => ({ ok: true, value: id === 'e0' ? edit(id, { state: 'sending', key: 9 }) : null }),
    }
    const { sync, nth, another } = setUp([writes, finds])
    const [one, two] = await insertTwo(sync)
    nth(0).send({ kind: 'status', value: idle('D') })
    await nth(0).delivered()
    nth(0).fire('error')
    const second = await another()
    second.send(
      { kind: 'status', value: { ...NOTHING_KNOWN, phase: 'starting' } },
      { kind: 'status', value: idle('D') },
    )
    await vi.waitFor(() => expect([one?.state, one?.key, two?.state]).toEqual(['sending', 9, 'synced']))
    second.send({ kind: 'edits', edits: [['e0', 'synced', 9]] })
    await second.delivered()
    expect(one?.state).toBe('synced')
  })

  it('never say synced of an edit that went with the database (F32, promise 3)', async () => {
    const log = vi.fn()
    const { sync, nth, another } = setUp([writes, {}], { log })
    const [one] = await insertTwo(sync)
    nth(0).send(
      { kind: 'status', value: idle('D') },
      { kind: 'status', value: idle('D', { phase: 'stopped', error: closed } as never) },
    )
    await nth(0).delivered()
    const second = await another()
    second.send({ kind: 'status', value: idle('another device') })
    await vi.waitFor(() => expect(one?.state).toBe('discarded'))
    expect(log).toHaveBeenCalledWith('error', 'storage.rebuilt', {})
  })
})

describe('a worker that lost its database', () => {
  it.each<[string, (stream: number) => ToPage]>([
    ['its status', () => ({ kind: 'status', value: idle('D', { phase: 'stopped', error: closed } as never) })],
    ['a query', (stream) => ({ kind: 'failed', stream, error: closed })],
  ])('by the word of %s is replaced, and live queries go on (F32, F38)', async (_what, message) => {
    const { sync, nth, another } = setUp()
    await sync.ready
    const live = sync.city.live()
    live.subscribe(() => undefined)
    const { stream } = await nth(0).next('open-stream')
    nth(0).send(rows(stream, ['Lima']), message(stream), { kind: 'failed', stream, error: closed })
    await nth(0).delivered()
    expect(live.getSnapshot().state).toBe('ready')
    expect(sync.status.getSnapshot()).toMatchObject({ phase: 'waiting', error: { code: 'storage_closed' } })
    const second = await another()
    second.send(rows(stream, ['Bonn']))
    await second.delivered()
    expect(live.getSnapshot().rows).toEqual([{ id: 0, name: 'Bonn' }])
  })

  it('because somebody signed out stays as it is (R28)', async () => {
    const { sync, nth, clock, workers } = setUp()
    await sync.ready
    const gone = { phase: 'stopped', error: { code: 'signed_out', message: 'bye' } } as never
    sync.city.live().subscribe(() => undefined)
    const { stream } = await nth(0).next('open-stream')
    nth(0).send({ kind: 'status', value: idle('D', gone) }, { kind: 'failed', stream, error: closed })
    await nth(0).delivered()
    clock.pass(10_000)
    await nth(0).delivered()
    expect(workers).toHaveLength(1)
    expect(sync.status.getSnapshot()).toMatchObject(gone)
  })
})

describe('keeping the data', () => {
  it('is asked of the browser when the worker says so, and the worker then looks what came of it (R41)', async () => {
    const { sync, nth, persist } = setUp()
    await sync.ready
    await nth(0).delivered()
    expect(persist).not.toHaveBeenCalled()
    nth(0).send({ kind: 'persist' })
    expect(await nth(0).next('page', 1)).toEqual({ kind: 'page', event: 'persisted' })
    expect(persist).toHaveBeenCalledOnce()
  })

  it('that the browser refuses, or cannot do, is no error (I20)', async () => {
    const { sync, nth, persist } = setUp()
    await sync.ready
    persist.mockRejectedValueOnce(new TypeError('no'))
    nth(0).send({ kind: 'persist' })
    await nth(0).delivered()
    expect(persist).toHaveBeenCalledOnce()
    expect(await sync.city.get(1)).toBeUndefined()
  })
})
