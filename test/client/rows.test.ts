import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRowSet } from '../../src/client/rows.ts'
import { positionOrder, shadowKey } from '../../src/keys.ts'
import type { WireRow } from '../../src/worker/api.ts'

const value = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom('a', 'b', ''), fc.boolean(), fc.constant(null))
const row = fc
  .record({
    id: fc.integer({ min: 1, max: 12 }).map(String),
    value,
    state: fc.constantFrom('synced', 'pending', 'stale'),
  })
  .map(({ id, value, state }): WireRow => ({
    id,
    key: shadowKey(value),
    data: { id, value, nested: [{ value }] },
    state,
  }))
const slice = fc.record({
  reset: fc.boolean(),
  rows: fc.array(row, { maxLength: 6 }),
  removed: fc.array(fc.integer({ min: 1, max: 12 }).map(String), { maxLength: 3 }),
  last: fc.boolean(),
})

describe('the rows of a query on the page', () => {
  for (const dir of ['asc', 'desc'] as const) {
    it(`are, after any slices, what sorting the final rows gives (R39, ${dir})`, () => {
      const compare = positionOrder(dir)
      fc.assert(
        fc.property(fc.array(slice, { maxLength: 12 }), (slices) => {
          const rows = createRowSet(compare)
          let committed = new Map<string, WireRow>()
          let model = new Map<string, WireRow>()
          for (const part of slices) {
            rows.take(part)
            if (part.reset) model = new Map()
            for (const id of part.removed) model.delete(id)
            for (const one of part.rows) model.set(one.id, one)
            const before = rows.entries()
            if (!part.last) continue
            const { added, changed, removed } = rows.commit()

            expect(rows.entries()).toEqual([...model.values()].sort(compare))
            const ids = (list: readonly WireRow[]): string[] => list.map(({ id }) => id).sort()
            expect(ids(added)).toEqual([...model.keys()].filter((id) => !committed.has(id)).sort())
            expect(ids(removed)).toEqual([...committed.keys()].filter((id) => !model.has(id)).sort())
            const same = (id: string): boolean => JSON.stringify(committed.get(id)) === JSON.stringify(model.get(id))
            expect(ids(changed)).toEqual([...model.keys()].filter((id) => committed.has(id) && !same(id)).sort())
            for (const one of before) {
              const now = model.get(one.id)
              if (now === undefined) continue
              if (same(one.id)) expect(rows.entries()).toContain(one)
              // A state stands beside the row: the row an app renders stays the same object (R21).
              const unchanged = JSON.stringify(now.data) === JSON.stringify(one.data)
              const shown = rows.entries().find(({ id }) => id === one.id)
              expect(shown?.data === one.data).toBe(unchanged)
            }
            committed = new Map(model)
          }
        }),
        { numRuns: 300 },
      )
    })
  }

  it('are not visible before the commit', () => {
    const rows = createRowSet(positionOrder('asc'))
    rows.take({ reset: true, rows: [numbered(1)], removed: [] })
    expect(rows.entries()).toEqual([])
    rows.commit()
    expect(rows.entries()).toHaveLength(1)
  })

  it('cost comparisons by what comes, not by what is there (R39)', () => {
    let compared = 0
    const order = positionOrder('asc')
    const rows = createRowSet((a, b) => {
      compared += 1
      return order(a, b)
    })
    const spent = (rowsToTake: WireRow[]): number => {
      compared = 0
      rows.take({ reset: false, rows: rowsToTake, removed: [] })
      rows.commit()
      return compared
    }
    spent(Array.from({ length: 20_000 }, (_, at) => numbered(at * 2)))
    expect(spent(Array.from({ length: 1_000 }, (_, at) => numbered(100_000 + at)))).toBeLessThan(1_500)
    expect(spent([numbered(777)])).toBeLessThan(60)
    expect(rows.entries()).toHaveLength(21_001)
  })

  it('keep their identity through a reset that brings the same data', () => {
    const rows = createRowSet(positionOrder('asc'))
    rows.take({ reset: true, rows: [numbered(1), numbered(2)], removed: [] })
    rows.commit()
    const [first] = rows.entries()
    rows.take({ reset: true, rows: [numbered(1), { ...numbered(2), state: 'stale' }], removed: [] })
    const { added, changed, removed } = rows.commit()
    expect(rows.entries()[0]).toBe(first)
    expect([added, changed.map(({ id }) => id), removed]).toEqual([[], ['2'], []])
  })
})

function numbered(at: number): WireRow {
  return { id: String(at), key: [2, at], data: { id: at }, state: 'synced' }
}
