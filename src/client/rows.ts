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
  // What is taken and not yet committed: changes (null: removed), or after a reset the whole answer anew.
  let pending = new Map<string, WireRow | null>()
  let whole: Map<string, WireRow> | null = null
  // Slices usually come sorted; finding that out slice by slice keeps long sorts off the page's thread.
  let ordered = true
  let last: WireRow | undefined

  return {
    take({ reset, rows, removed }) {
      if (reset) {
        clear()
        whole = new Map()
      }
      const target: Map<string, WireRow | null> = whole ?? pending
      for (const id of removed) {
        if (whole === null) pending.set(id, null)
        else whole.delete(id)
      }
      for (const row of rows) {
        const known = current.get(row.id)
        ordered &&= last === undefined || compare(last, row) < 0
        last = row
        // Moved to the end, where it is in order.
        target.delete(row.id)
        target.set(row.id, known !== undefined && sameJson(known, row) ? known : row)
      }
    },

    commit() {
      const difference = whole === null ? patch() : renew(whole)
      clear()
      return difference
    },

    entries: () => entries,
  }

  function clear(): void {
    pending = new Map()
    whole = null
    ordered = true
    last = undefined
  }

  function patch(): RowDifference {
    const added: WireRow[] = []
    const changed: WireRow[] = []
    const removed: WireRow[] = []
    const leaving: WireRow[] = []
    const coming: WireRow[] = []
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
        coming.push(after)
      }
    }
    if (!ordered) coming.sort(compare)
    if (coming.length + leaving.length > 0) entries = merge(entries, leaving.sort(compare), coming, compare)
    return { added, changed, removed }
  }

  function renew(rows: Map<string, WireRow>): RowDifference {
    const before = current
    current = rows
    const list = [...rows.values()]
    entries = ordered ? list : list.sort(compare)
    // The first answer may be large: nothing is compared that cannot differ.
    if (before.size === 0) return { added: entries, changed: [], removed: [] }
    return {
      added: entries.filter(({ id }) => !before.has(id)),
      changed: entries.filter((row) => before.has(row.id) && before.get(row.id) !== row),
      removed: [...before.values()].filter(({ id }) => !rows.has(id)),
    }
  }
}

/** `sorted` without `leaving` (members of it) and with `coming`; all three in order, and so is the result. */
function merge(
  sorted: readonly WireRow[],
  leaving: readonly WireRow[],
  coming: readonly WireRow[],
  compare: Compare,
): readonly WireRow[] {
  const merged: WireRow[] = []
  let from = 0
  let gone = 0
  const copyUpTo = (row: WireRow): void => {
    for (const to = place(sorted, row, from, compare); from < to; from++) merged.push(sorted[from] as WireRow)
  }
  const dropUpTo = (limit: WireRow | undefined): void => {
    for (
      let row = leaving[gone];
      row !== undefined && (limit === undefined || compare(row, limit) <= 0);
      row = leaving[++gone]
    ) {
      copyUpTo(row)
      from += 1
    }
  }
  for (const row of coming) {
    dropUpTo(row)
    copyUpTo(row)
    merged.push(row)
  }
  dropUpTo(undefined)
  return merged.concat(sorted.slice(from))
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
