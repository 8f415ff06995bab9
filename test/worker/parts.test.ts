/** Reports to the page, and the browser's parts as the engine sees them (R25, R27, R39, R41, F49). */
import { describe, expect, it, vi } from 'vitest'
import type { Hint } from '../../src/engine/channel.ts'
import type { Status } from '../../src/engine/status.ts'
import type { Store } from '../../src/store/store.ts'
import type { ToPage } from '../../src/worker/api.ts'
import { createChannel, createLocks, storageInfo } from '../../src/worker/platform.ts'
import { createReports } from '../../src/worker/reports.ts'
import { createScheduler, seeded, virtualClock } from '../support/virtual-time.ts'

describe('reports', () => {
  function setUp() {
    const scheduler = createScheduler(seeded(1))
    const clock = virtualClock(scheduler)
    let current = { phase: 'starting' } as Status
    const listeners = new Set<(status: Status) => void>()
    const sent: ToPage[] = []
    let history = 0
    const store = {
      history: () =>
        Promise.resolve([
          { n: ++history, startedAt: 1, endedAt: 2, outcome: 'clean', pages: 0, items: 0, acked: 0, error: null },
        ]),
      quarantine: { list: (limit: number) => Promise.resolve({ count: 300, items: [], limit }) },
    } as unknown as Store
    const reports = createReports({
      store,
      clock,
      send: (message) => void sent.push(message),
      status: {
        get current() {
          return current
        },
        subscribe: (listener) => {
          listeners.add(listener)
          return () => listeners.delete(listener)
        },
      },
    })
    return {
      reports,
      sent,
      run: (ms: number) => scheduler.run(() => scheduler.now >= ms, ms),
      set: (next: Partial<Status>) => {
        current = { ...current, ...next } as Status
        for (const listener of listeners) listener(current)
      },
      statuses: () => sent.filter(({ kind }) => kind === 'status').length,
    }
  }

  it('tell a new phase at once, and numbers within one phase at most ten times a second, the last one surely (R39)', async () => {
    const { set, run, statuses, sent } = setUp()
    expect(statuses()).toBe(1)
    set({ phase: 'connecting' })
    set({ phase: 'idle' })
    expect(statuses()).toBe(3)
    for (let n = 1; n <= 50; n++) {
      set({ pendingAcks: n })
      await run(n * 10)
    }
    await run(1_000)
    expect(statuses()).toBeLessThanOrEqual(3 + 7)
    expect(sent.at(-1)).toMatchObject({ kind: 'status', value: { pendingAcks: 50 } })
  })

  it('tell history and quarantine only while somebody looks (R38)', async () => {
    const { set, run, reports, sent } = setUp()
    const lists = (): string[] => sent.filter(({ kind }) => kind !== 'status').map(({ kind }) => kind)
    set({ pendingAcks: 1 })
    await run(2_000)
    expect(lists()).toEqual([])
    reports.follow('history', true)
    await run(2_100)
    expect(lists()).toEqual(['history'])
    for (let n = 0; n < 20; n++) set({ pendingAcks: n })
    await run(4_000)
    expect(lists()).toEqual(['history', 'history'])
    reports.follow('history', false)
    reports.follow('quarantine', true)
    await run(4_100)
    expect(lists()).toEqual(['history', 'history', 'quarantine'])
    expect(sent.at(-1)).toMatchObject({ kind: 'quarantine', value: { count: 300, limit: 200 } })
  })

  it('end with a last word, and then are silent', async () => {
    const { set, run, reports, sent } = setUp()
    set({ pendingAcks: 1 })
    reports.close()
    const { length } = sent
    expect(sent.at(-1)).toMatchObject({ kind: 'status', value: { pendingAcks: 1 } })
    set({ phase: 'idle' })
    await run(5_000)
    expect(sent).toHaveLength(length)
  })
})

describe('the channel between tabs', () => {
  it('carries hints to the others, not to oneself, and drops whatever is no hint (R25, F49)', async () => {
    const [one, two, raw] = [
      createChannel('tidegate-test'),
      createChannel('tidegate-test'),
      new BroadcastChannel('tidegate-test'),
    ]
    const heard: Array<[string, Hint]> = []
    one.onHint((hint) => void heard.push(['one', hint]))
    two.onHint((hint) => void heard.push(['two', hint]))
    for (const forged of [null, 'log', { kind: 'evil' }, { kind: 'log', extra: '<script>' }, 7]) raw.postMessage(forged)
    one.post({ kind: 'wake' })
    await vi.waitFor(() => expect(heard.filter(([, { kind }]) => kind === 'wake')).toEqual([['two', { kind: 'wake' }]]))
    expect(
      heard
        .filter(([, { kind }]) => kind !== 'wake')
        .map(([tab, hint]) => `${tab} ${hint.kind}`)
        .sort(),
    ).toEqual(['one log', 'two log'])
    for (const channel of [one, two, raw]) channel.close()
  })
})

describe('locks', () => {
  it('are the browser\'s; an aborted wait is "aborted" (R27)', async () => {
    const manager = {
      request: (_name: string, { signal }: { signal: AbortSignal }, work: () => Promise<void>) =>
        signal.aborted ? Promise.reject(new DOMException('gone', 'AbortError')) : work(),
    } as unknown as LockManager
    const locks = createLocks(manager)
    expect(locks.exclusive).toBe(true)
    const work = vi.fn(() => Promise.resolve())
    await locks.request('name', new AbortController().signal, work)
    expect(work).toHaveBeenCalledTimes(1)
    await expect(locks.request('name', AbortSignal.abort(), work)).rejects.toMatchObject({ code: 'aborted' })
  })

  it('where there are none, grant at once and say so (R27)', async () => {
    const locks = createLocks(undefined)
    expect(locks.exclusive).toBe(false)
    const work = vi.fn(() => Promise.resolve())
    await locks.request('name', new AbortController().signal, work)
    expect(work).toHaveBeenCalledTimes(1)
  })
})

describe('storage', () => {
  it('is told as the browser tells it, and modestly where it does not (R41)', async () => {
    const manager = {
      estimate: () => Promise.resolve({ usage: 1, quota: 2 }),
      persisted: () => Promise.resolve(true),
    } as unknown as StorageManager
    expect(await storageInfo(manager)).toEqual({ mode: 'persistent', usage: 1, quota: 2 })
    expect(await storageInfo({} as StorageManager)).toEqual({ mode: 'best-effort', usage: null, quota: null })
    expect(await storageInfo(undefined)).toEqual({ mode: 'best-effort', usage: null, quota: null })
  })
})
