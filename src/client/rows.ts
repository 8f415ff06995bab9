/**
 * The sorted rows of one query on the page (R39). Slices are taken without being visible; `commit` makes
 * them visible at once and says what changed. Rows that did not change keep their identity, also through
 * a reset, and so does the data of one whose state changed. Rows usually come sorted, and sorting those costs one comparison each; merging k rows into n costs
 * O(k log n) comparisons and one copy.
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
  // What is taken and not yet committed. Null: removed, which only a row of `current` can be.
  let pending = new Map<string, WireRow | null>()
  // Whether it is the whole answer anew.
  let whole = false

  return {
    take({ reset, rows, removed }) {
      if (reset) begin(true)
      for (const id of removed) {
        if (current.has(id)) pending.set(id, null)
        else pending.delete(id)
      }
      for (const row of rows) {
        const known = current.get(row.id)
        pending.set(row.id, known === undefined ? row : asKnown(row, known))
      }
    },

    commit() {
      if (whole) for (const id of current.keys()) if (!pending.has(id)) pending.set(id, null)
      const difference = current.size === 0 ? fill() : patch()
      begin(false)
      return difference
    },

    entries: () => entries,
  }

  function begin(anew: boolean): void {
    pending = new Map()
    whole = anew
  }

  /** The first answer may be large: nothing is compared that cannot differ. */
  function fill(): RowDifference {
    current = pending as Map<string, WireRow>
    entries = [...current.values()].sort(compare)
    return { added: entries, changed: [], removed: [] }
  }

  function patch(): RowDifference {
    const added: WireRow[] = []
    const changed: WireRow[] = []
    const removed: WireRow[] = []
    const leaving = new Set<WireRow>()
    for (const [id, after] of pending) {
      const before = current.get(id)
      if (after === before) continue
      if (before !== undefined) leaving.add(before)
      if (after !== null) {
        current.set(id, after)
        ;(before === undefined ? added : changed).push(after)
      } else if (before !== undefined) {
        current.delete(id)
        removed.push(before)
      }
    }
    if (added.length + leaving.size > 0)
      entries = merge(
        entries.filter((row) => !leaving.has(row)),
        [...added, ...changed].sort(compare),
        compare,
      )
    return { added, changed, removed }
  }
}

/** The same row where nothing changed; the same data where only its state did. */
function asKnown(row: WireRow, known: WireRow): WireRow {
  if (JSON.stringify(row.data) !== JSON.stringify(known.data)) return row
  const { data, state } = known
  return row.state === state && JSON.stringify(row.key) === JSON.stringify(known.key) ? known : { ...row, data }
}

/** Both in order, and so is the result. */
function merge(rows: readonly WireRow[], coming: readonly WireRow[], compare: Compare): readonly WireRow[] {
  const merged: WireRow[] = []
  let from = 0
  for (const row of coming) {
    let to = from
    for (let end = rows.length; to < end;) {
      const middle = (to + end) >>> 1
      if (compare(rows[middle] as WireRow, row) < 0) to = middle + 1
      else end = middle
    }
    while (from < to) merged.push(rows[from++] as WireRow)
    merged.push(row)
  }
  return merged.concat(rows.slice(from))
}
