/**
 * Reading one table through an index or by id, with native requests: ranges of shadow keys in, rows, keys or
 * counts out. Knows nothing of the overlay; every row found is judged by the caller (R2, R4).
 */
import type { CompiledQuery } from '../query.ts'
import { result } from './native.ts'
import type { Plan } from './plan.ts'
import type { TableRow } from './rows.ts'

/** Rows read at once: large, since every batch is a round trip, but no table is too large for one answer. */
const BATCH = 25_000

type Ranges = typeof IDBKeyRange

/** The ranges of a plan; one of null is the whole table. Empty stretches (gt 5, lt 5) are left out. */
export function rangesOf(
  { path, ranges }: Plan,
  { query: { after, order } }: CompiledQuery,
  make: Ranges,
): ReadonlyArray<IDBKeyRange | null> {
  if (path === null) return [after !== undefined && order === undefined ? make.lowerBound(after.id, true) : null]
  return ranges.flatMap(({ lower, upper, lowerOpen, upperOpen }) => {
    try {
      return [make.bound(lower, upper, lowerOpen, upperOpen)]
    } catch {
      // IndexedDB knows no empty range.
      return []
    }
  })
}

/** Rows of all ranges that pass the test; a whole table in batches, so that what fails is let go at once. */
export async function readAll(
  table: IDBObjectStore,
  path: string | null,
  ranges: ReadonlyArray<IDBKeyRange | null>,
  make: Ranges,
  test: (row: TableRow) => boolean,
): Promise<TableRow[]> {
  if (path !== null) {
    const parts = await Promise.all(ranges.map((range) => result<TableRow[]>(table.index(path).getAll(range))))
    return parts.flat().filter(test)
  }
  const found: TableRow[] = []
  const [first = null] = ranges
  const read = (range: IDBKeyRange | null): Promise<TableRow[]> => result(table.getAll(range, BATCH))
  for (let next: Promise<TableRow[]> | null = read(first); next !== null;) {
    const rows: TableRow[] = await next
    next = rows.length < BATCH ? null : read(make.lowerBound(rows.at(-1)!.id, true))
    for (const row of rows) if (test(row)) found.push(row)
  }
  return found
}

/** The first rows of one range in the order of its keys, or the last ones backwards. */
export async function readFirst(
  table: IDBObjectStore,
  path: string | null,
  range: IDBKeyRange | null | undefined,
  size: number,
  desc: boolean,
): Promise<TableRow[]> {
  if (range === undefined) return []
  const source = path === null ? table : table.index(path)
  if (!desc) return result(source.getAll(range, size))
  // The browsers that know `getAllRecords` know the direction of `getAll` too.
  if ('getAllRecords' in source)
    return result(source.getAll({ query: range, count: size, direction: 'prev' } as unknown as IDBKeyRange))
  const rows: TableRow[] = []
  const cursors = source.openCursor(range, 'prev')
  return new Promise((resolve, reject) => {
    cursors.onerror = () => reject(cursors.error as DOMException)
    cursors.onsuccess = () => {
      const cursor = cursors.result
      if (cursor !== null) rows.push(cursor.value as TableRow)
      if (cursor === null || rows.length === size) resolve(rows)
      else cursor.continue()
    }
  })
}

/** How many rows the ranges hold, without reading one. */
export async function countKeys(
  table: IDBObjectStore,
  path: string | null,
  ranges: ReadonlyArray<IDBKeyRange | null>,
): Promise<number> {
  const source = path === null ? table : table.index(path)
  const counts = await Promise.all(ranges.map((range) => result(source.count(range ?? undefined))))
  return counts.reduce((sum, count) => sum + count, 0)
}

/** The ids of the rows in the ranges, without reading one. */
export async function readKeys(
  table: IDBObjectStore,
  path: string | null,
  ranges: ReadonlyArray<IDBKeyRange | null>,
): Promise<string[]> {
  const source = path === null ? table : table.index(path)
  const keys = await Promise.all(ranges.map((range) => result(source.getAllKeys(range) as IDBRequest<string[]>)))
  return keys.flat()
}
