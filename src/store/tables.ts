/**
 * Settling: one inbox row moves into the tables in one relaxed transaction, which also moves the mark and
 * deletes the inbox row last (R1, R2, R6). Losing such a transaction loses nothing: its row is still in the
 * inbox. A record that a newer unsettled row changes again is not written at all.
 */
import type { Database } from './database.ts'
import type { LogRow, QuarantineRow, SyncRow, TableRow, Tombstone, TypeAndId } from './rows.ts'
import { checkLease, type Lease } from './guard.ts'
import type { LoadedRow, Overlay } from './overlay.ts'
import type { Row } from '../schema.ts'
import { tableRow } from './shadow.ts'

export interface Tables {
  /** @returns the new mark. */
  settle(lease: Lease, row: LoadedRow): Promise<number>
  /** Deletions a later clean session has confirmed need no memory any more (R5). */
  dropTombstones(lease: Lease, cleanRun: number): Promise<void>
  /** Records in all tables. */
  count(): Promise<number>
}

interface Work {
  readonly puts: ReadonlyMap<string, TableRow[]>
  readonly deletes: ReadonlyMap<string, string[]>
  readonly tombstones: Tombstone[]
  readonly held: QuarantineRow[]
  /** Records whose quarantined or deleted past is over. */
  readonly settledPuts: TypeAndId[]
}

export function createTables(database: Database, overlay: Overlay, now: () => number): Tables {
  const { relaxed, specs } = database

  function plan(row: LoadedRow, run: number): Work {
    const puts = new Map<string, TableRow[]>()
    const deletes = new Map<string, string[]>()
    const work: Work = { puts, deletes, tombstones: [], held: [], settledPuts: [] }
    for (const { type, id, rev, kind, data, reason } of row.items) {
      // One row may hold several versions of a record; what was overtaken is never written.
      const isNewest = (known: { readonly seq: number; readonly rev: number } | undefined): boolean =>
        known?.seq === row.seq && known.rev === rev
      if (kind === 'bad') {
        if (isNewest(overlay.bad(type, id)))
          work.held.push({ type, id, rev, raw: data, reason: reason ?? '', at: now() })
        continue
      }
      if (!isNewest(overlay.entry(type, id))) continue
      const spec = specs.get(type)
      if (kind === 'put' && spec !== undefined) {
        push(puts, type, tableRow(id, rev, data as Row, spec))
        work.settledPuts.push([type, id])
      } else {
        if (spec !== undefined) push(deletes, type, id)
        work.tombstones.push({ type, id, rev, run })
      }
    }
    return work
  }

  return {
    settle: (lease, row) => {
      const tables = [...new Set(row.items.map(({ type }) => type))]
        .filter((type) => specs.has(type))
        .map((type) => relaxed.rows(type))
      const stores = [relaxed.meta, relaxed.inbox, relaxed.tombstones, relaxed.quarantine, ...tables]
      return relaxed.dexie.transaction('rw', stores, async () => {
        await checkLease(relaxed, database, lease)
        const [log, sync, dead, held] = await Promise.all([
          relaxed.meta.get('log') as Promise<LogRow>,
          relaxed.meta.get('sync') as Promise<SyncRow | undefined>,
          relaxed.tombstones.count(),
          relaxed.quarantine.count(),
        ])
        if (log.mark >= row.seq) return log.mark
        const work = plan(row, sync?.started ?? 0)
        const buried = work.tombstones.map(({ type, id }): TypeAndId => [type, id])
        const writes: Array<PromiseLike<unknown>> = []
        for (const [type, rows] of work.puts) writes.push(relaxed.rows(type).bulkPut(rows))
        for (const [type, ids] of work.deletes) writes.push(relaxed.rows(type).bulkDelete(ids))
        if (held > 0) writes.push(relaxed.quarantine.bulkDelete([...work.settledPuts, ...buried]))
        if (dead > 0) writes.push(relaxed.tombstones.bulkDelete(work.settledPuts))
        if (work.tombstones.length > 0) writes.push(relaxed.tombstones.bulkPut(work.tombstones))
        if (work.held.length > 0) writes.push(relaxed.quarantine.bulkPut(work.held))
        writes.push(relaxed.meta.put({ ...log, mark: row.seq, seen: Math.max(log.seen ?? 0, overlay.head) }))
        await Promise.all(writes)
        await relaxed.inbox.delete(row.seq)
        return row.seq
      })
    },
    dropTombstones: (lease, cleanRun) =>
      relaxed.dexie.transaction('rw', relaxed.meta, relaxed.tombstones, async () => {
        await checkLease(relaxed, database, lease)
        await relaxed.tombstones.where('run').below(cleanRun).delete()
      }),
    count: async () => {
      const counts = await Promise.all([...specs.keys()].map((type) => relaxed.rows(type).count()))
      return counts.reduce((sum, count) => sum + count, 0)
    },
  }
}

function push<V>(lists: Map<string, V[]>, key: string, value: V): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
