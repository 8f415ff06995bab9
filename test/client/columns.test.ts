import { describe, expect, it } from 'vitest'
import type { ColumnsChange } from '../../src/client/api.ts'
import { createColumnFeed } from '../../src/client/columns.ts'
import { systemClock } from '../../src/clock.ts'
import { createStreamSource } from './stream-source.ts'

function setUp() {
  const source = createStreamSource()
  const query = { collection: 'city', where: {}, select: ['lon', 'lat'] }
  const feed = createColumnFeed(query, ['lon', 'lat'] as const, { openStream: source.openStream, clock: systemClock })
  const heard: Array<[from: number, to: number, slots: number[]]> = []
  const listener = ({ from, to, slots }: ColumnsChange): void => void heard.push([from, to, [...slots]])
  const shown = (): number[][] => {
    const { size, columns } = feed.getSnapshot()
    return [columns.lon, columns.lat].map((column) => [...column.subarray(0, size)])
  }
  return { source, feed, heard, listener, shown }
}

describe('a column feed (R39)', () => {
  it('shows each batch at once and says which slots are new and which changed', () => {
    const { source, feed, heard, listener, shown } = setUp()
    feed.changes(listener)
    source.columns(
      [0, 1],
      [
        [1, 2],
        [3, 4],
      ],
      { reset: true, last: false },
    )
    expect(feed.getSnapshot()).toMatchObject({ state: 'loading', size: 0 })
    source.columns([2], [[5], [6]])
    source.columns(
      [0, 3],
      [
        [NaN, 7],
        [NaN, 8],
      ],
    )
    expect(heard).toEqual([
      [0, 3, []],
      [3, 4, [0]],
    ])
    expect(shown()).toEqual([
      [NaN, 2, 5, 7],
      [NaN, 4, 6, 8],
    ])
  })

  it('grows without losing anything', () => {
    const { source, feed, shown } = setUp()
    feed.subscribe(() => undefined)
    const slots = Array.from({ length: 5_000 }, (_, at) => at)
    for (let at = 0; at < 5_000; at += 700) {
      const part = slots.slice(at, at + 700)
      source.columns(part, [part, part.map((slot) => -slot)], { reset: at === 0 })
    }
    expect(shown()).toEqual([slots, slots.map((slot) => -slot)])
  })

  it('begins anew after a reset, which shows only when it is complete', () => {
    const { source, feed, heard, listener, shown } = setUp()
    feed.changes(listener)
    source.columns(
      [0, 1],
      [
        [1, 2],
        [1, 2],
      ],
      { reset: true },
    )
    source.columns([0], [[9], [9]], { reset: true, last: false })
    expect(shown()).toEqual([
      [1, 2],
      [1, 2],
    ])
    source.columns([], [[], []])
    expect(shown()).toEqual([[9], [9]])
    source.columns([], [[], []], { reset: true })
    expect(heard).toEqual([
      [0, 2, []],
      [0, 1, []],
      [0, 0, []],
    ])
  })

  it('keeps the snapshot where nothing changed, and gives a late follower all slots', async () => {
    const { source, feed, heard, listener } = setUp()
    feed.subscribe(() => undefined)
    source.columns(
      [0, 1],
      [
        [1, 2],
        [1, 2],
      ],
      { reset: true },
    )
    const before = feed.getSnapshot()
    source.columns([], [[], []])
    expect(feed.getSnapshot()).toBe(before)
    feed.changes(listener)
    await Promise.resolve()
    expect(heard).toEqual([[0, 2, []]])
  })
})
