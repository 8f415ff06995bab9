/**
 * The sorted rows of one query on the page (R39). Slices are taken without being visible; `commit` makes
 * them visible at once and says what changed. Rows that did not change keep their identity, also through
 * a reset. Appending k rows costs O(k) comparisons, merging k rows into n costs O(k log(n/k)) and one copy.
 */
import type { Position } from '../keys.ts'
import type { WireRow } from '../worker/api.ts'

export interface Slice {
  readonly reset: boolean
  readonly rows: readonly WireRow[]
  readonly removed: readonly string[]
}

export interface RowDifference {
  readonly added: readonly WireRow[]
  readonly changed: readonly WireRow[]
  readonly removed: readonly WireRow[]
}

export interface RowSet {
  take(slice: Slice): void
  commit(): RowDifference
  /** The committed rows in the query's order; a new array after each commit that changed something. */
  entries(): readonly WireRow[]
}

type Compare = (a: Position, b: Position) => number

export function createRowSet(compare: Compare): RowSet {
  let entries: readonly WireRow[] = []
  let current = new Map<string, WireRow>()
  let pending = new Map<string, WireRow | null>()
  let renewed = false

  return {
    take({ reset, rows, removed }) {
      if (reset) {
        renewed = true
        pending = new Map()
      }
      for (const id of removed) pending.set(id, null)
      for (const row of rows) {
        const known = current.get(row.id)
        pending.set(row.id, known !== undefined && sameJson(known, row) ? known : row)
      }
    },

    commit() {
      const added: WireRow[] = []
      const changed: WireRow[] = []
      const removed: WireRow[] = []
      const leaving: WireRow[] = []
      if (renewed) for (const id of current.keys()) if (!pending.has(id)) pending.set(id, null)
      for (const [id, after] of pending) {
        const before = current.get(id)
        if (after === (before ?? null)) continue
        if (before !== undefined) leaving.push(before)
        if (after === null) {
          current.delete(id)
          if (before !== undefined) removed.push(before)
        } else {
          current.set(id, after)
          ;(before === undefined ? added : changed).push(after)
        }
      }
      pending = new Map()
      renewed = false
      if (added.length + leaving.length > 0) entries = merge(entries, leaving, added.concat(changed), compare)
      return { added, changed, removed }
    },

    entries: () => entries,
  }
}

/** `sorted` without `leaving` (all of them members) and with `coming`, sorted again. */
function merge(sorted: readonly WireRow[], leaving: WireRow[], coming: WireRow[], compare: Compare): readonly WireRow[] {
  leaving.sort(compare)
  coming.sort(compare)
  const last = sorted.at(-1)
  const first = coming[0]
  if (leaving.length === 0 && (last === undefined || first === undefined || compare(last, first) < 0)) return sorted.concat(coming)
  const merged: WireRow[] = []
  let from = 0
  let gone = 0
  let come = 0
  const copyUpTo = (row: WireRow): void => {
    const to = place(sorted, row, from, compare)
    for (; from < to; from++) merged.push(sorted[from] as WireRow)
  }
  for (;;) {
    const out = leaving[gone]
    const into = coming[come]
    if (out !== undefined && (into === undefined || compare(out, into) <= 0)) {
      copyUpTo(out)
      from += 1
      gone += 1
    } else if (into !== undefined) {
      copyUpTo(into)
      merged.push(into)
      come += 1
    } else break
  }
  for (; from < sorted.length; from++) merged.push(sorted[from] as WireRow)
  return merged
}

/** The first position at or after `from` whose row does not sort before `row`: steps that double, then halving. */
function place(sorted: readonly WireRow[], row: WireRow, from: number, compare: Compare): number {
  const before = (at: number): boolean => compare(sorted[at] as WireRow, row) < 0
  let low = from
  let step = 1
  while (low + step <= sorted.length && before(low + step - 1)) {
    low += step
    step *= 2
  }
  let high = Math.min(low + step - 1, sorted.length)
  while (low < high) {
    const middle = (low + high) >>> 1
    if (before(middle)) low = middle + 1
    else high = middle
  }
  return low
}

/** Whether two values parsed from JSON are the same. */
function sameJson(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b)
  const fields = Object.keys(a)
  return (
    Array.isArray(a) === Array.isArray(b) &&
    fields.length === Object.keys(b).length &&
    fields.every((field) => Object.hasOwn(b, field) && sameJson(a[field as keyof typeof a], b[field as keyof typeof b]))
  )
}
