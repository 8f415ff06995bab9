/**
 * The overlay: what the inbox changes, in memory, by type and id (R2). A record is in it from the moment
 * its page is durable until every read that began before this worker learned it was settled has ended.
 *
 * Invariants
 * - One entry a record: the newest unsettled one, with the sequence of its inbox row.
 * - An entry counts for a reader only if its sequence is above the mark that reader saw in its own transaction.
 * - Entries leave late (tickets): dropping one at once could hide a record from a reader that saw an older mark.
 */
import type { Row } from '../schema.ts'
import { bodyOf, type StoredItem } from './item.ts'
import { createRecordMap } from './record-map.ts'

export interface Entry {
  readonly seq: number
  readonly rev: number
  /** Null: the record is deleted. */
  readonly row: Row | null
}

export interface BadEntry {
  readonly seq: number
  readonly rev: number
  readonly item: StoredItem
}

/** What is known of a record: its revision and what that said, null for a deletion. */
export interface Known {
  readonly rev: number
  readonly body: unknown
}

/** One inbox row as read back. */
export interface LoadedRow {
  readonly seq: number
  readonly bytes: number
  readonly items: readonly StoredItem[]
}

export interface Overlay {
  /** The last sequence of the inbox this worker has read. */
  readonly head: number
  /** The sequence up to which everything is settled, as far as this worker knows. */
  readonly mark: number
  /** The sequence at which this generation began. */
  readonly base: number
  /** What waits: rows, records, characters of JSON text. */
  unsettled(): { readonly pages: number; readonly records: number; readonly bytes: number }
  /** The oldest row that waits, and when this worker got it. */
  oldest(): (LoadedRow & { readonly at: number }) | undefined
  /** Adds rows in sequence order. @param at milliseconds of the monotonic clock */
  add(rows: readonly LoadedRow[], at: number): void
  /** Rows of a gap in the sequence were settled unseen; only the head moves. */
  skipTo(head: number): void
  entry(type: string, id: string): Entry | undefined
  entries(type: string): ReadonlyMap<string, Entry>
  bad(type: string, id: string): BadEntry | undefined
  /** The newest revision of a record that is held here. */
  known(type: string, id: string): Known | undefined
  allBad(): Iterable<BadEntry>
  /** Marks the start of a read; call the answer when it is over. */
  ticket(): () => void
  /** Rows up to this sequence are in the tables: let them go as soon as no older read needs them. */
  settled(mark: number): void
  /** Forgets everything at once: the data was replaced. */
  clear(log: { readonly mark: number; readonly base: number }): void
}

export function createOverlay(): Overlay {
  const entries = createRecordMap<Entry>()
  const bads = createRecordMap<BadEntry>()
  let rows: Array<LoadedRow & { readonly at: number }> = []
  let head = 0
  let mark = 0
  let base = 0
  let records = 0
  let bytes = 0
  let nextTicket = 0
  const open = new Set<number>()
  let leaving: Array<{ upTo: number; before: number }> = []

  function put(seq: number, item: StoredItem): void {
    const { type, id, rev, kind, data } = item
    if (kind === 'bad') {
      if ((bads.get(type, id)?.rev ?? -1) <= rev) bads.set(type, id, { seq, rev, item })
      return
    }
    if ((entries.get(type, id)?.rev ?? -1) >= rev) return
    entries.set(type, id, { seq, rev, row: kind === 'del' ? null : (data as Row) })
    if ((bads.get(type, id)?.rev ?? Infinity) <= rev) bads.delete(type, id)
  }

  function drop(upTo: number): void {
    let at = 0
    for (; at < rows.length && rows[at]!.seq <= upTo; at++) {
      const row = rows[at]!
      bytes -= row.bytes
      records -= row.items.length
      for (const { type, id } of row.items) {
        if ((entries.get(type, id)?.seq ?? Infinity) <= upTo) entries.delete(type, id)
        if ((bads.get(type, id)?.seq ?? Infinity) <= upTo) bads.delete(type, id)
      }
    }
    if (at > 0) rows = rows.slice(at)
  }

  function release(): void {
    const oldest = open.size === 0 ? Infinity : Math.min(...open)
    const ready = leaving.filter(({ before }) => before <= oldest)
    if (ready.length === 0) return
    leaving = leaving.filter(({ before }) => before > oldest)
    drop(Math.max(...ready.map(({ upTo }) => upTo)))
  }

  return {
    get head() {
      return head
    },
    get mark() {
      return mark
    },
    get base() {
      return base
    },
    unsettled() {
      // Rows below the mark are few: they only wait for older reads to end.
      const sums = { pages: rows.length, records, bytes }
      for (let at = 0; at < rows.length && rows[at]!.seq <= mark; at++) {
        sums.pages--
        sums.records -= rows[at]!.items.length
        sums.bytes -= rows[at]!.bytes
      }
      return sums
    },
    oldest: () => rows.find(({ seq }) => seq > mark),
    add(loaded, at) {
      for (const row of loaded) {
        if (row.seq <= head) continue
        head = row.seq
        rows.push({ ...row, at })
        bytes += row.bytes
        records += row.items.length
        for (const item of row.items) put(row.seq, item)
      }
    },
    skipTo(next) {
      head = Math.max(head, next)
    },
    entry: entries.get,
    entries: entries.of,
    bad: bads.get,
    known(type, id) {
      const entry = entries.get(type, id)
      const bad = bads.get(type, id)
      if (bad !== undefined && (entry === undefined || bad.rev > entry.rev))
        return { rev: bad.rev, body: bodyOf(bad.item) }
      return entry && { rev: entry.rev, body: entry.row }
    },
    allBad: bads.values,
    ticket() {
      const number = nextTicket++
      open.add(number)
      return () => {
        open.delete(number)
        release()
      }
    },
    settled(upTo) {
      mark = Math.max(mark, upTo)
      leaving.push({ upTo, before: nextTicket })
      release()
    },
    clear(log) {
      entries.clear()
      bads.clear()
      rows = []
      leaving = []
      records = 0
      bytes = 0
      head = mark = log.mark
      base = log.base
    },
  }
}
