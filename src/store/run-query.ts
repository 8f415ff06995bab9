/**
 * How a read joins memory and tables (R2): rows and mark in one read-only transaction, the overlay after
 * them, synchronously, at the very end. An overlay record counts only if its sequence is above that mark;
 * then it hides the table row of its id. Where pages were settled under newer ones that this worker has not
 * read, half a page could show, so it reads the logs first and asks again. The answer is an exact whole-page prefix of the queue.
 * In the tab that leads, which alone writes, the overlay answers alone while nothing was ever settled, and for records it holds.
 */
import type { ShadowKey } from '../keys.ts'
import type { CompiledQuery } from '../query.ts'
import type { CollectionSpec, Row } from '../schema.ts'
import type { Database } from './database.ts'
import type { Edits } from './edits.ts'
import { result } from './native.ts'
import { tableName, type LogRow, type TableRow } from './rows.ts'
import type { Overlay } from './overlay.ts'
import { planQuery, type Plan } from './plan.ts'
import { countKeys, readAll, readFirst, readKeys, rangesOf } from './read-table.ts'

export interface Found {
  readonly id: string
  readonly rev: number
  /** Grows with every change of this record's local edits; with `rev` it says which version a row is. */
  readonly local: number
  readonly row: Row
  /** Sort key of the query's order; null without one. */
  readonly key: ShadowKey | null
}

export interface QueryRunner {
  find(query: CompiledQuery, spec: CollectionSpec): Promise<Found[]>
  get(spec: CollectionSpec, ids: readonly string[]): Promise<Array<Row | undefined>>
  count(query: CompiledQuery, spec: CollectionSpec): Promise<number>
}

export interface QueryDeps {
  readonly database: Database
  readonly overlay: Overlay
  readonly edits: Edits
  /** Reads what other workers stored since. */
  readonly catchUp: () => Promise<void>
  /** Whether nobody else can have written, so that what is in memory is what is on the disk. */
  readonly isCurrent: () => boolean
  readonly onScan: (collection: string, field: string) => void
}

/** First read of a limited query, and by how much it grows while hidden rows leave it short. */
const READ_AHEAD = 16
const GROWTH = 4
/** So many records of the overlay are looked up one by one before all keys of a range are read instead. */
const LOOKED_UP = 200

export function createQueryRunner({ database, overlay, edits, catchUp, isCurrent, onScan }: QueryDeps): QueryRunner {
  const { native, range } = database

  /**
   * @param body asks for what it needs at once; then it takes the mark, looks into the overlay and answers, all without
   * waiting again. A mark of null says that it cannot answer: this worker has to read the logs first.
   */
  async function reading<T>(
    spec: CollectionSpec,
    body: (table: IDBObjectStore, mark: () => Promise<number | null>) => Promise<T | null>,
  ): Promise<T> {
    for (;;) {
      const release = overlay.ticket()
      // Where nobody else writes, the mark of before is good enough: what was settled since is in memory still.
      const known = isCurrent() ? overlay.mark : null
      try {
        const table = tableName(spec.name)
        // A page commit keeps `meta` to itself while it lasts; whoever need not ask there does not wait for it.
        const answer = await native.read(known === null ? ['meta', table] : [table], (store) => {
          const log = known === null ? result<LogRow | undefined>(store('meta').get('log')) : null
          return body(store(table), async () => {
            if (known !== null) return known
            const { mark = 0, seen = 0 } = (await log) ?? {}
            return seen > overlay.head ? null : mark
          })
        })
        if (answer !== null) return answer
      } finally {
        release()
      }
      await catchUp()
    }
  }

  /** The mark above which everything there is lies in the overlay; null if the tables hold something. */
  function wholeFrom(): number | null {
    const { mark, base } = overlay
    return isCurrent() && mark === base ? mark : null
  }

  /** What the overlay adds to a query's answer, in order; of a limited query only as much as can be in it. */
  function fromOverlay(query: CompiledQuery, spec: CollectionSpec, mark: number): Found[] {
    const found: Found[] = []
    const { limit = Infinity } = query.query
    const add = (id: string, rev: number, local: number, row: Row | null): void => {
      if (row === null || !query.matches(row)) return
      const one = { id, rev, local, row, key: query.sortKey(row) }
      if (!isAfter(query, one)) return
      if (limit === Infinity) found.push(one)
      else insert(found, one, limit, query.compare)
    }
    const edited = edits.truths.of(spec.name)
    for (const [id, { seq, rev, row }] of overlay.entries(spec.name))
      if (seq > mark && !edited.has(id)) add(id, rev, 0, row)
    for (const [id, { truth, local, row }] of edited) add(id, truth.rev, local, row)
    return limit === Infinity ? found.sort(query.compare) : found
  }

  function isHidden({ name }: CollectionSpec, id: string, mark: number): boolean {
    return edits.truths.get(name, id) !== undefined || (overlay.entry(name, id)?.seq ?? -1) > mark
  }

  function fromTable(query: CompiledQuery, spec: CollectionSpec, mark: number, stored: readonly TableRow[]): Found[] {
    const found: Found[] = []
    for (const { id, rev, data } of stored) {
      if (isHidden(spec, id, mark)) continue
      const one = { id, rev, local: 0, row: data, key: query.sortKey(data) }
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

  /** Records of the overlay that hide rows or stand for none. */
  function countHeld(query: CompiledQuery, spec: CollectionSpec, mark: number): number {
    let count = 0
    const edited = edits.truths.of(spec.name)
    for (const [id, { seq, row }] of overlay.entries(spec.name))
      if (seq > mark && !edited.has(id) && row !== null && query.matches(row)) count++
    for (const { row } of edited.values()) if (row !== null && query.matches(row)) count++
    return count
  }

  return {
    async find(query, spec) {
      const plan = planQuery(query, spec)
      if (plan.scanned !== null) onScan(spec.name, plan.scanned)
      const { limit, order } = query.query
      if (limit === 0) return []
      const whole = wholeFrom()
      if (whole !== null) return fromOverlay(query, spec, whole)
      const desc = order?.dir === 'desc'
      const matches = test(query, plan)
      const ranges = rangesOf(plan, query, range)
      return reading(spec, async (table, marked) => {
        if (limit === undefined || !plan.ordered) {
          const [stored, mark] = await Promise.all([readAll(table, plan.path, ranges, range, matches), marked()])
          if (mark === null) return null
          const rows = fromTable(query, spec, mark, stored)
          return merge(query, spec, mark, desc && plan.ordered ? rows.reverse() : rows, plan)
        }
        // One range in order: read a little more than asked for, and more again while hidden rows leave it short.
        const ahead = Math.min(READ_AHEAD, overlay.entries(spec.name).size + edits.truths.of(spec.name).size)
        for (let size = limit + ahead; ; size = size * GROWTH + READ_AHEAD) {
          const [stored, mark] = await Promise.all([readFirst(table, plan.path, ranges[0], size, desc), marked()])
          if (mark === null) return null
          const rows = fromTable(query, spec, mark, stored.filter(matches))
          if (rows.length >= limit || stored.length < size) return merge(query, spec, mark, rows, plan)
        }
      })
    },

    async get(spec, ids) {
      const { name } = spec
      /** Undefined: it is for the table to say. */
      const held = (id: string, mark: number): Row | null | undefined => {
        const edited = edits.truths.get(name, id)
        if (edited !== undefined) return edited.row
        const entry = overlay.entry(name, id)
        return entry !== undefined && entry.seq > mark ? entry.row : undefined
      }
      const { mark } = overlay
      const known = ids.map((id) => held(id, mark))
      if (wholeFrom() !== null || (isCurrent() && !known.includes(undefined)))
        return known.map((row) => row ?? undefined)
      return reading(spec, async (table, marked) => {
        const [mark, ...stored] = await Promise.all([
          marked(),
          ...ids.map((id) => result<TableRow | undefined>(table.get(id))),
        ])
        if (mark === null) return null
        return ids.map((id, at) => {
          const row = held(id, mark)
          return row === undefined ? stored[at]?.data : (row ?? undefined)
        })
      })
    },

    async count(counted, spec) {
      const { collection, where } = counted.query
      const query = { ...counted, query: { collection, where } }
      const plan = planQuery(query, spec)
      if (plan.scanned !== null) onScan(spec.name, plan.scanned)
      const whole = wholeFrom()
      if (whole !== null) return countHeld(query, spec, whole)
      const matches = test(query, plan)
      const ranges = rangesOf(plan, query, range)
      return reading(spec, async (table, marked) => {
        const held = (): string[] => [...overlay.entries(spec.name).keys(), ...edits.truths.of(spec.name).keys()]
        const ids = [...new Set(held())]
        if (plan.exact && ids.length <= LOOKED_UP) {
          // The index counts, and of the few records that hide rows it is asked whether theirs was counted.
          const [count, mark, ...rows] = await Promise.all([
            countKeys(table, plan.path, ranges),
            marked(),
            ...ids.map((id) => result<TableRow | undefined>(table.get(id))),
          ])
          if (mark === null) return null
          const looked = new Set(ids)
          if (held().every((id) => looked.has(id))) {
            const hidden = rows.filter(
              (row) => row !== undefined && isHidden(spec, row.id, mark) && query.matches(row.data),
            )
            return count - hidden.length + countHeld(query, spec, mark)
          }
        }
        const [stored, mark] = await Promise.all([
          plan.exact
            ? readKeys(table, plan.path, ranges)
            : readAll(table, plan.path, ranges, range, matches).then((rows) => rows.map(({ id }) => id)),
          marked(),
        ])
        if (mark === null) return null
        return stored.filter((id) => !isHidden(spec, id, mark)).length + countHeld(query, spec, mark)
      })
    },
  }
}

/** Whether a stored row answers a query, where its range alone does not say so. */
function test(query: CompiledQuery, { exact }: Plan): (row: TableRow) => boolean {
  return exact ? () => true : ({ data }) => query.matches(data)
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
