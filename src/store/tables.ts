/**
 * Settling: one inbox row moves into the tables in one relaxed transaction, which also moves the mark and
 * deletes the inbox row last (R1, R2, R6). Losing such a transaction loses nothing: its row is still in the
 * inbox. A record that a newer unsettled row changes again is not written at all. While somebody reads, a row
 * goes in parts: what an early part writes is hidden by the overlay until the mark moves with the last one.
 */
import type { Database } from './database.ts'
import { tableName, type QuarantineRow, type TableRow, type Tombstone, type TypeAndId } from './rows.ts'
import { asLeader, readAsLeader, type Lease } from './guard.ts'
import type { StoredItem } from './item.ts'
import { result } from './native.ts'
import type { LoadedRow, Overlay } from './overlay.ts'
import type { Row } from '../schema.ts'
import { tableRow } from './shadow.ts'

export interface Tables {
  /**
   * Settles the items of a row from `from` up to `to`; with its last item the row is done.
   * @returns the mark.
   */
  settle(lease: Lease, row: LoadedRow, from: number, to: number): Promise<number>
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
  const { native, specs } = database

  function plan(row: LoadedRow, items: readonly StoredItem[], run: number): Work {
    const puts = new Map<string, TableRow[]>()
    const deletes = new Map<string, string[]>()
    const work: Work = { puts, deletes, tombstones: [], held: [], settledPuts: [] }
    for (const { type, id, rev, kind, data, reason } of items) {
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
    settle: (lease, row, from, to) => {
      const items = row.items.slice(from, to)
      const tables = [...new Set(items.map(({ type }) => type))].filter((type) => specs.has(type)).map(tableName)
      return native.write('relaxed', ['meta', 'inbox', 'tombstones', 'quarantine', ...tables], async (store) => {
        const [meta, tombstones, quarantine] = [store('meta'), store('tombstones'), store('quarantine')]
        const [{ log, sync }, dead, held] = await Promise.all([
          readAsLeader(store, database, lease),
          result(tombstones.count()),
          result(quarantine.count()),
        ])
        if (log.mark >= row.seq) return log.mark
        const work = plan(row, items, sync?.started ?? 0)
        // Nobody waits for a single request: the first that fails rolls all of them back.
        for (const [type, rows] of work.puts) for (const one of rows) store(tableName(type)).put(one)
        for (const [type, ids] of work.deletes) for (const id of ids) store(tableName(type)).delete(id)
        if (held > 0) for (const { type, id } of work.tombstones) quarantine.delete([type, id])
        for (const key of work.settledPuts) {
          if (held > 0) quarantine.delete(key)
          if (dead > 0) tombstones.delete(key)
        }
        for (const one of work.tombstones) tombstones.put(one)
        for (const one of work.held) quarantine.put(one)
        const mark = to >= row.items.length ? row.seq : log.mark
        meta.put({ ...log, mark, seen: Math.max(log.seen ?? 0, overlay.head) })
        if (mark === row.seq) store('inbox').delete(row.seq)
        return mark
      })
    },
    dropTombstones: (lease, cleanRun) =>
      asLeader(database, lease, [database.meta, database.tombstones], async () => {
        await database.tombstones.where('run').below(cleanRun).delete()
      }),
    count: () => {
      const tables = [...specs.keys()].map(tableName)
      return native.read(tables, async (store) => {
        const counts = await Promise.all(tables.map((table) => result(store(table).count())))
        return counts.reduce((sum, count) => sum + count, 0)
      })
    },
  }
}

function push<V>(lists: Map<string, V[]>, key: string, value: V): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
