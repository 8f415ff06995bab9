/**
 * How a read joins memory and tables (R2): rows and mark in one read-only transaction, the overlay after
 * them, synchronously, at the very end. An overlay record counts only if its sequence is above that mark;
 * then it hides the table row of its id. Where pages were settled under newer ones that this worker has not
 * read, half a page could show, so it reads the logs first and asks again. The answer is an exact whole-page prefix of the queue.
 */
import type { Collection } from 'dexie'
import type { ShadowKey } from '../keys.ts'
import type { CompiledQuery } from '../query.ts'
import type { CollectionSpec, Row } from '../schema.ts'
import type { Connection } from './database.ts'
import type { LogRow, TableRow } from './rows.ts'
import type { Overlay } from './overlay.ts'
import { planQuery, type KeyRange, type Plan } from './plan.ts'

export interface Found {
  readonly id: string
  readonly rev: number
  readonly row: Row
  /** Sort key of the query's order; null without one. */
  readonly key: ShadowKey | null
}

export interface QueryRunner {
  find(query: CompiledQuery, spec: CollectionSpec): Promise<Found[]>
  get(spec: CollectionSpec, ids: readonly string[]): Promise<Array<Row | undefined>>
  count(query: CompiledQuery, spec: CollectionSpec): Promise<number>
}

/** First read of a limited query, and by how much it grows while hidden rows leave it short. */
const READ_AHEAD = 16
const GROWTH = 4

/** @param catchUp reads what other workers stored since. */
export function createQueryRunner(
  { dexie, meta, rows }: Connection,
  overlay: Overlay,
  catchUp: () => Promise<void>,
  onScan: (collection: string, field: string) => void,
): QueryRunner {
  /** @param body reads what it needs, and only then, in one go, looks into the overlay. */
  async function reading<T>(spec: CollectionSpec, body: (mark: number) => Promise<T>): Promise<T> {
    for (;;) {
      const release = overlay.ticket()
      try {
        const found = await dexie.transaction('r', meta, rows(spec.name), async () => {
          const log = (await meta.get('log')) as LogRow | undefined
          // Asked before anything is read: following may bring the overlay up to date behind a merge that missed it.
          return (log?.seen ?? 0) > overlay.head ? null : { answer: await body(log?.mark ?? 0) }
        })
        if (found !== null) return found.answer
      } finally {
        release()
      }
      await catchUp()
    }
  }

  /** What the overlay adds to a query's answer, in order; of a limited query only as much as can be in it. */
  function fromOverlay(query: CompiledQuery, spec: CollectionSpec, mark: number): Found[] {
    const found: Found[] = []
    const { limit = Infinity } = query.query
    for (const [id, { seq, rev, row }] of overlay.entries(spec.name)) {
      if (seq <= mark || row === null || !query.matches(row)) continue
      const one = { id, rev, row, key: query.sortKey(row) }
      if (!isAfter(query, one)) continue
      if (limit === Infinity) found.push(one)
      else insert(found, one, limit, query.compare)
    }
    return limit === Infinity ? found.sort(query.compare) : found
  }

  function fromTable(query: CompiledQuery, spec: CollectionSpec, mark: number, stored: readonly TableRow[]): Found[] {
    const found: Found[] = []
    for (const { id, rev, data } of stored) {
      if ((overlay.entry(spec.name, id)?.seq ?? -1) > mark || !query.matches(data)) continue
      const one = { id, rev, row: data, key: query.sortKey(data) }
      if (isAfter(query, one)) found.push(one)
    }
    return found
  }

  function merge(query: CompiledQuery, spec: CollectionSpec, mark: number, table: Found[], plan: Plan): Found[] {
    const added = fromOverlay(query, spec, mark)
    const merged = added.length === 0 ? table : table.concat(added)
    if (added.length > 0 || !plan.ordered) merged.sort(query.compare)
    return query.query.limit === undefined ? merged : merged.slice(0, query.query.limit)
  }

  return {
    find: (query, spec) => {
      const plan = planQuery(query, spec)
      if (plan.scanned !== null) onScan(spec.name, plan.scanned)
      const { limit, order } = query.query
      if (limit === 0) return Promise.resolve([])
      return reading(spec, async (mark) => {
        if (limit === undefined || !plan.ordered) {
          const stored = await Promise.all(collections(rows(spec.name), plan, query).map((part) => part.toArray()))
          const table = fromTable(query, spec, mark, stored.flat())
          return merge(query, spec, mark, order?.dir === 'desc' && plan.ordered ? table.reverse() : table, plan)
        }
        // One range in order: read a little more than asked for, and more again while hidden rows leave it short.
        for (let size = limit + READ_AHEAD; ; size *= GROWTH) {
          const [part] = collections(rows(spec.name), plan, query)
          const stored =
            part === undefined ? [] : await (order?.dir === 'desc' ? part.reverse() : part).limit(size).toArray()
          const table = fromTable(query, spec, mark, stored)
          if (table.length >= limit || stored.length < size) return merge(query, spec, mark, table, plan)
        }
      })
    },

    get: (spec, ids) =>
      reading(spec, async (mark) => {
        const stored = await rows(spec.name).bulkGet([...ids])
        return ids.map((id, at) => {
          const entry = overlay.entry(spec.name, id)
          return entry !== undefined && entry.seq > mark ? (entry.row ?? undefined) : stored[at]?.data
        })
      }),

    count: (counted, spec) => {
      const { collection, where } = counted.query
      const query = { ...counted, query: { collection, where } }
      const plan = planQuery(query, spec)
      if (plan.scanned !== null) onScan(spec.name, plan.scanned)
      return reading(spec, async (mark) => {
        const parts = collections(rows(spec.name), plan, query)
        const isAlone = (): boolean => overlay.entries(spec.name).size === 0
        if (plan.exact && isAlone()) {
          const counts = await Promise.all(parts.map((part) => part.count()))
          if (isAlone()) return counts.reduce((sum, count) => sum + count, 0)
        }
        const stored = plan.exact
          ? (await Promise.all(parts.map((part) => part.primaryKeys()))).flat()
          : (await Promise.all(parts.map((part) => part.toArray())))
              .flat()
              .flatMap(({ id, data }) => (query.matches(data) ? [id] : []))
        let count = 0
        for (const id of stored) if ((overlay.entry(spec.name, id)?.seq ?? -1) <= mark) count++
        for (const { seq, row } of overlay.entries(spec.name).values())
          if (seq > mark && row !== null && query.matches(row)) count++
        return count
      })
    },
  }
}

/** Keeps the best `limit` of what it is given, sorted. */
function insert(best: Found[], one: Found, limit: number, compare: CompiledQuery['compare']): void {
  const last = best[limit - 1]
  if (last !== undefined && compare(last, one) < 0) return
  let low = 0
  let high = best.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compare(best[middle]!, one) < 0) low = middle + 1
    else high = middle
  }
  best.splice(low, 0, one)
  if (best.length > limit) best.pop()
}

function isAfter(query: CompiledQuery, row: Found): boolean {
  const { after } = query.query
  return after === undefined || query.compare(after, row) < 0
}

type Rows = ReturnType<Connection['rows']>

function collections(
  table: Rows,
  plan: Plan,
  { query: { after, order } }: CompiledQuery,
): Array<Collection<TableRow, string>> {
  const { path } = plan
  if (path === null)
    return [after !== undefined && order === undefined ? table.where('id').above(after.id) : table.toCollection()]
  return plan.ranges
    .filter(isPossible)
    .map((range) => table.where(path).between(range.lower, range.upper, !range.lowerOpen, !range.upperOpen))
}

// An empty stretch (gt 5, lt 5) is no error, it just finds nothing; IndexedDB would throw.
function isPossible({ lower, upper, lowerOpen, upperOpen }: KeyRange): boolean {
  const order = compareDeep(lower, upper)
  return order < 0 || (order === 0 && !lowerOpen && !upperOpen)
}

function compareDeep(a: unknown, b: unknown): number {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b ? 0 : (a as number) < (b as number) ? -1 : 1
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const order = compareDeep(a[at], b[at])
    if (order !== 0) return order
  }
  return a.length - b.length
}
