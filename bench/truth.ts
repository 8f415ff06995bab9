/** What the answers must be: the generator's word, with the changes made so far. Differences are gathered, not thrown. */
import { isDeepStrictEqual } from 'node:util'
import { randomOf, type DataSet, type Row } from './data.ts'

/** What never changes of a data set; costly, so made once. */
export interface Facts {
  /** Values of the first records by `shape.sort`. */
  readonly sorted: readonly string[]
  /** Ids that the scan must find before any change, in ascending order. */
  readonly scanned: readonly number[]
}

export const SORTED = 50

export function factsOf({ size, record, shape }: DataSet): Facts {
  const sorts: string[] = []
  const scanned: number[] = []
  for (let index = 0; index < size; index++) {
    const row = record(index, 0)
    sorts.push(row[shape.sort] as string)
    if ((row[shape.scan.field] as number) >= shape.scan.from) scanned.push(row['id'] as number)
  }
  return { sorted: sorts.sort((a, b) => (a < b ? -1 : 1)).slice(0, SORTED), scanned: scanned.sort((a, b) => a - b) }
}

export interface Truth {
  /** Notes that these records have changed. @returns their new version */
  change(indexes: readonly number[]): number
  row(what: string, row: Row | undefined, index: number): void
  group(what: string, rows: readonly Row[], group: Row[string], limit: number): void
  sorted(rows: readonly Row[]): void
  scanned(rows: readonly Row[]): void
  equal(what: string, actual: unknown, expected: unknown): void
  /** What was wrong; empty if nothing was. */
  readonly faults: readonly string[]
}

export function createTruth(data: DataSet, facts: Facts): Truth {
  const versions = new Map<number, number>()
  const faults: string[] = []
  let version = 0

  const right = (row: Row, index: number): boolean =>
    isDeepStrictEqual(row, data.record(index, versions.get(index) ?? 0))
  function equal(what: string, actual: unknown, expected: unknown): void {
    if (!isDeepStrictEqual(actual, expected)) faults.push(`${what}: ${brief(actual)} instead of ${brief(expected)}`)
  }

  return {
    faults,
    equal,
    change(indexes) {
      version++
      for (const index of indexes) versions.set(index, version)
      return version
    },
    row(what, row, index) {
      if (row === undefined || !right(row, index)) faults.push(`${what}: record ${index} is ${brief(row)}`)
    },
    group(what, rows, group, limit) {
      equal(`${what}, rows`, rows.length, Math.min(limit, groupSize(data, group, limit)))
      equal(`${what}, doubles`, new Set(rows.map((row) => row['id'])).size, rows.length)
      const wrong = rows.filter(
        (row) => row[data.shape.group] !== group || !right(row, data.indexOf(row['id'] as number)),
      )
      equal(`${what}, wrong rows`, wrong.length, 0)
    },
    sorted(rows) {
      equal(
        'sorted',
        rows.map((row) => row[data.shape.sort]),
        facts.sorted,
      )
    },
    scanned(rows) {
      equal(
        'scan',
        rows.map((row) => row['id'] as number).sort((a, b) => a - b),
        facts.scanned,
      )
    },
  }
}

/** Counts no further than `enough`. */
function groupSize({ size, record, shape }: DataSet, group: Row[string], enough: number): number {
  let count = 0
  for (let index = 0; index < size && count < enough; index++) if (record(index, 0)[shape.group] === group) count++
  return count
}

function brief(value: unknown): string {
  return (JSON.stringify(value) ?? 'undefined').slice(0, 200)
}

/** `count` different numbers below `size`, the same for the same seed. */
export function someOf(size: number, count: number, seed: number): number[] {
  const random = randomOf(seed)
  const chosen = new Set<number>()
  while (chosen.size < Math.min(count, size)) chosen.add(Math.floor(random() * size))
  return [...chosen]
}
