/**
 * Reads what other tabs wrote since: inbox rows, the mark, and the outbox where it changed, all as of one instant, so
 * that an edit which went because its record came down is never seen gone before that record is seen (I15, R25).
 */
import type { Database } from './database.ts'
import type { OutboxRow } from './edit.ts'
import { NO_OUTBOX, type Edits, type OutboxChange, type Truth } from './edits.ts'
import { readMeta, vanished } from './guard.ts'
import { reclassify, type StoredItem } from './item.ts'
import { result, type Stores } from './native.ts'
import type { LoadedRow } from './overlay.ts'
import { createRecordMap, type RecordMap } from './record-map.ts'
import { tableName, type InboxRow, type LogRow, type TableRow } from './rows.ts'

export interface Logs {
  readonly device: string
  readonly log: LogRow
  readonly rows: readonly LoadedRow[]
  /** Null: it is as this worker knows it. */
  readonly outbox: OutboxChange | null
  /** The table rows of records with edits, as far as they were asked for. */
  readonly truths: RecordMap<Truth>
}

/** Rows read at once: the next ones are fetched while these are parsed. */
const ROWS_PER_READ = 32

/** @param head the last sequence that is known already; null: nothing is, so everything is read */
export async function readLogs(database: Database, head: number | null, edits: Edits): Promise<Logs> {
  const { native, specs } = database
  const quick = head === null ? null : await native.read(['meta', 'inbox'], (store) => read(store, false))
  const tables = [...specs.keys()].map(tableName)
  return (
    quick ?? (await native.read(['meta', 'inbox', 'outbox', ...tables], (store) => read(store, true))) ?? vanished()
  )

  async function read(store: Stores, whole: boolean): Promise<Logs | null> {
    const { identity, log, outbox = NO_OUTBOX } = await readMeta(store)
    const unseen = head !== null && log.mark > head && edits.all().length > 0
    if (!whole && (outbox.version !== edits.meta.version || unseen)) return null
    const rows = await readInbox(database, store, Math.max(head ?? 0, log.mark))
    const truths = createRecordMap<Truth>()
    if (!whole) return { device: identity.device, log, rows, outbox: null, truths }
    const puts = await result<OutboxRow[]>(store('outbox').getAll())
    await Promise.all(
      puts.map(async (edit) => {
        if (edit.kind !== 'edit' || !specs.has(edit.type)) return
        const row = await result<TableRow | undefined>(store(tableName(edit.type)).get(edit.key))
        if (row !== undefined) truths.set(edit.type, edit.key, { rev: row.rev, row: row.data })
      }),
    )
    return { device: identity.device, log, rows, outbox: { meta: outbox, whole: true, puts, deletes: [] }, truths }
  }
}

async function readInbox(database: Database, store: Stores, from: number): Promise<LoadedRow[]> {
  const read = (above: number): Promise<InboxRow[]> =>
    result(store('inbox').getAll(database.range.lowerBound(above, true), ROWS_PER_READ))
  const rows: LoadedRow[] = []
  for (let next: Promise<InboxRow[]> | null = read(from); next !== null;) {
    const stored: InboxRow[] = await next
    next = stored.length < ROWS_PER_READ ? null : read(stored.at(-1)!.seq)
    for (const row of stored) rows.push(fromRow(row, database))
  }
  return rows
}

function fromRow(row: InboxRow, database: Database): LoadedRow {
  const items = JSON.parse(row.items) as StoredItem[]
  const current = row.schema === database.schemaHash ? items : items.map((item) => reclassify(item, database.specs))
  return { seq: row.seq, bytes: row.bytes, items: current }
}
