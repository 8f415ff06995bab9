/**
 * Numeric fields of many rows as growing typed arrays (R39): for maps and charts, where 100,000 row objects
 * would cost the page's thread hundreds of milliseconds. Slots are dense numbers given by the worker;
 * a removed row leaves NaN in its slot.
 */
import type { Query } from '../query.ts'
import type { ColumnFeed, ColumnsChange } from './api.ts'
import { createFeed, type FeedDeps } from './feed.ts'

export function createColumnFeed<F extends string>(
  query: Query,
  fields: readonly F[],
  { openStream, clock }: FeedDeps,
): ColumnFeed<F> {
  let shown = noSlots(fields.length)

  return createFeed(clock, {
    start({ failed, commit }) {
      // The slots under construction: those shown, or fresh ones from a reset until its last message.
      let building = noSlots(fields.length)
      return openStream('columns', query, {
        failed,
        columns({ reset, slots, values, last }) {
          if (reset) building = noSlots(fields.length)
          write(building, slots, values)
          if (!last) return
          const { known, size, touched } = building
          const quiet = building === shown && known === size && touched.length === 0
          shown = building
          building.known = size
          building.touched = []
          commit(quiet ? null : changeOf(known, size, touched))
        },
      })
    },
    view: (state) => ({
      ...state,
      size: shown.size,
      columns: Object.fromEntries(fields.map((field, at) => [field, shown.arrays[at]])) as Record<F, Float64Array>,
    }),
    whole: () => changeOf(0, shown.size, []),
  })
}

interface Slots {
  size: number
  /** How many of them the last change told of, and which of those have changed since. */
  known: number
  touched: number[]
  readonly arrays: Float64Array[]
}

function noSlots(fields: number): Slots {
  return { size: 0, known: 0, touched: [], arrays: Array.from({ length: fields }, () => new Float64Array()) }
}

function write(target: Slots, slots: Uint32Array, values: readonly Float64Array[]): void {
  for (const slot of slots) {
    target.size = Math.max(target.size, slot + 1)
    if (slot < target.known) target.touched.push(slot)
  }
  target.arrays.forEach((array, field) => {
    const column = (target.arrays[field] = withRoomFor(target.size, array))
    slots.forEach((slot, at) => (column[slot] = values[field]?.[at] ?? NaN))
  })
}

function withRoomFor(size: number, column: Float64Array): Float64Array {
  if (size <= column.length) return column
  const larger = new Float64Array(2 * size).fill(NaN)
  larger.set(column)
  return larger
}

function changeOf(from: number, to: number, slots: number[]): ColumnsChange {
  return { from, to, slots: Uint32Array.from(slots) }
}
