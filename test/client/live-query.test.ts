import { afterEach, describe, expect, it, vi } from 'vitest'
import type { LiveChanges } from '../../src/client/api.ts'
import { createLiveQuery } from '../../src/client/live-query.ts'
import { systemClock } from '../../src/clock.ts'
import { SyncError } from '../../src/errors.ts'
import { shadowKey } from '../../src/keys.ts'
import type { Query } from '../../src/query.ts'
import { createStreamSource } from './stream-source.ts'

interface Item {
  readonly id: number
  readonly value: unknown
}

const byValue: Query = { collection: 'item', where: {}, order: { field: 'value', dir: 'asc' } }

function setUp(query: Query = byValue) {
  const source = createStreamSource((value) => (query.order === undefined ? null : shadowKey(value)))
  return { source, live: createLiveQuery<Item>(query, { openStream: source.openStream, clock: systemClock }) }
}

const ids = (rows: readonly Item[]): number[] => rows.map(({ id }) => id)
const aTask = (): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, 0)).then(() => new Promise((resolve) => setTimeout(resolve, 0)))

describe('a live query (R38, R39)', () => {
  it('is loading and empty, and asks nothing, until somebody subscribes', () => {
    const { source, live } = setUp()
    expect(live.getSnapshot()).toEqual({ state: 'loading', rows: [], states: [], error: null })
    expect(live.getSnapshot()).toBe(live.getSnapshot())
    expect(source.posted).toEqual([])
  })

  it('shows slices together, in order, at the last of a batch, with one notification', () => {
    const { source, live } = setUp()
    const seen: Array<[string, number[]]> = []
    live.subscribe(() => seen.push([live.getSnapshot().state, ids(live.getSnapshot().rows)]))
    source.rows(
      [
        [2, 20],
        [4, 40],
      ],
      { reset: true, last: false },
    )
    expect(live.getSnapshot().state).toBe('loading')
    source.rows([
      [1, 60],
      [3, 10],
    ])
    expect(seen).toEqual([['ready', [3, 2, 4, 1]]])
  })

  it('keeps rows that did not change, and the snapshot where nothing did', () => {
    const { source, live } = setUp()
    const heard = vi.fn()
    live.subscribe(heard)
    source.rows(
      [
        [1, 1],
        [2, 2],
        [3, 3],
      ],
      { reset: true },
    )
    const before = live.getSnapshot()
    source.rows([[2, 2]])
    expect(live.getSnapshot()).toBe(before)
    expect(heard).toHaveBeenCalledTimes(1)
    source.rows([[2, 9]], { removed: [1] })
    const after = live.getSnapshot()
    expect(ids(after.rows)).toEqual([3, 2])
    expect(after.rows[0]).toBe(before.rows[2])
    expect(after.rows[1]).not.toBe(before.rows[1])
    expect(ids(before.rows)).toEqual([1, 2, 3])
  })

  it('says beside the rows how they stand, never inside, and keeps the rows (R21)', () => {
    const { source, live } = setUp()
    live.subscribe(() => undefined)
    source.rows(
      [
        [1, 1],
        [2, 2],
      ],
      { reset: true },
    )
    const before = live.getSnapshot()
    for (const state of ['stale', 'pending', 'failed', 'conflict'] as const) {
      source.rows([[2, 2]], { state })
      expect(live.getSnapshot().states).toEqual(['synced', state])
      expect(live.getSnapshot().rows[1]).toBe(before.rows[1])
    }
    expect(before.states).toEqual(['synced', 'synced'])
    expect(Object.keys(live.getSnapshot().rows[1] ?? {})).toEqual(['id', 'value'])
  })

  it('gives differences, the first one with every row, removed rows as last known', () => {
    const { source, live } = setUp()
    const heard: Array<LiveChanges<Item>> = []
    live.changes((changes) => heard.push(changes))
    source.rows(
      [
        [1, 1],
        [2, 2],
      ],
      { reset: true },
    )
    source.rows(
      [
        [2, 5],
        [3, 3],
      ],
      { removed: [1] },
    )
    expect(heard).toEqual([
      {
        added: [
          { id: 1, value: 1 },
          { id: 2, value: 2 },
        ],
        changed: [],
        removed: [],
      },
      { added: [{ id: 3, value: 3 }], changed: [{ id: 2, value: 5 }], removed: [{ id: 1, value: 1 }] },
    ])
  })

  it('gives a late follower every row first, once, and then the same differences as everybody', async () => {
    const { source, live } = setUp()
    live.subscribe(() => undefined)
    source.rows(
      [
        [1, 1],
        [2, 2],
      ],
      { reset: true },
    )
    const heard: Array<LiveChanges<Item>> = []
    live.changes((changes) => heard.push(changes))
    expect(heard).toEqual([])
    await Promise.resolve()
    source.rows([[3, 3]])
    expect(heard.map(({ added }) => ids(added))).toEqual([[1, 2], [3]])
  })

  it('gives a follower whom a batch reaches first everything, and no row twice', async () => {
    const { source, live } = setUp()
    live.subscribe(() => undefined)
    source.rows([[1, 1]], { reset: true })
    const heard: Array<LiveChanges<Item>> = []
    live.changes((changes) => heard.push(changes))
    source.rows([[2, 2]])
    await Promise.resolve()
    expect(heard.map(({ added }) => ids(added))).toEqual([[1, 2]])
  })

  it('tells an empty answer from one that has not come', () => {
    const { source, live } = setUp()
    const heard = vi.fn()
    live.changes(heard)
    source.rows([], { reset: true })
    expect(heard).toHaveBeenCalledExactlyOnceWith({ added: [], changed: [], removed: [] })
    expect(live.getSnapshot().state).toBe('ready')
  })

  it('runs while anybody listens, closes after the last, and survives a quick change of listeners', async () => {
    const { source, live } = setUp()
    const stopFirst = live.subscribe(() => undefined)
    const stopSecond = live.changes(() => undefined)
    source.rows([[1, 1]], { reset: true })
    stopFirst()
    stopFirst()
    await aTask()
    expect(source.open()).toBe(1)
    stopSecond()
    const stopThird = live.subscribe(() => undefined)
    await aTask()
    expect(source.posted.map(({ kind }) => kind)).toEqual(['open-stream'])
    stopThird()
    await aTask()
    expect(source.open()).toBe(0)
    expect(live.getSnapshot()).toMatchObject({ state: 'loading', rows: [{ id: 1 }] })
  })

  it('starts anew after a pause: rows that are still the same keep their identity, the follower gets all', async () => {
    const { source, live } = setUp()
    const stop = live.subscribe(() => undefined)
    source.rows(
      [
        [1, 1],
        [2, 2],
      ],
      { reset: true },
    )
    const [first] = live.getSnapshot().rows
    stop()
    await aTask()
    const heard: Array<LiveChanges<Item>> = []
    live.changes((changes) => heard.push(changes))
    source.rows([
      [1, 1],
      [3, 3],
    ])
    expect(live.getSnapshot().rows[0]).toBe(first)
    expect(ids(live.getSnapshot().rows)).toEqual([1, 3])
    expect(heard.map(({ added }) => ids(added))).toEqual([[1, 3]])
  })

  it('shows the error of a query that cannot be run, and keeps what it had', () => {
    const { source, live } = setUp()
    live.subscribe(() => undefined)
    source.rows([[1, 1]], { reset: true })
    source.deliver({ kind: 'failed', stream: 1, error: { code: 'storage_closed', message: 'gone' } })
    const { state, error, rows } = live.getSnapshot()
    expect([state, error, ids(rows)]).toEqual(['error', new SyncError('storage_closed', 'gone'), [1]])
    expect(error).toBeInstanceOf(SyncError)
  })

  it('says so when there is no worker any more, also to those who come later (I20)', async () => {
    const { source, live } = setUp()
    const heard = vi.fn()
    source.fail(new SyncError('worker_crashed', 'gone'))
    live.subscribe(heard)
    await Promise.resolve()
    expect(heard).toHaveBeenCalledOnce()
    expect(live.getSnapshot()).toMatchObject({ state: 'error', error: { code: 'worker_crashed' } })
  })

  describe('with a listener that throws', () => {
    const uncaught = process.listeners('uncaughtException')
    afterEach(() => {
      for (const listener of uncaught) process.on('uncaughtException', listener)
    })

    it('tells the others all the same, and the error is not swallowed', async () => {
      const { source, live } = setUp()
      process.removeAllListeners('uncaughtException')
      const reported = new Promise((resolve) => process.once('uncaughtException', resolve))
      const heard = vi.fn()
      live.subscribe(() => {
        throw new Error('mine')
      })
      live.subscribe(heard)
      source.rows([[1, 1]], { reset: true })
      expect(heard).toHaveBeenCalledOnce()
      expect(await reported).toMatchObject({ message: 'mine' })
    })
  })
})
