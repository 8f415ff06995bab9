/**
 * The inbox: pages as received, durable before anything else happens with them.
 * `commit` is the heart of promises 1, 4 and 5: one strict transaction holds the pages, their ack keys and
 * the session; only items newer than everything known get in, so within the log a later sequence is always
 * a newer revision, and no reader ever has to compare revisions again.
 */
import type { WireItem } from '../protocol/queue.ts'
import type { Database } from './database.ts'
import type { InboxRow, LogRow } from './rows.ts'
import type { SessionFacts } from './device.ts'
import { own, type Row } from '../schema.ts'
import { checkLease, readLog, type Lease } from './guard.ts'
import { bodyOf, classify, reclassify, recordKey, type StoredItem } from './item.ts'
import type { LoadedRow, Overlay } from './overlay.ts'

/** A larger page becomes several rows of one commit, so that settling stays small (R1). */
export const RECORDS_PER_ROW = 100

export interface IncomingPage {
  readonly items: readonly WireItem[]
  /** The page's text held long numbers (R8). */
  readonly suspect: boolean
}

export interface Committed {
  /** The stored ack keys: drop row `n` once the server has taken all of them. */
  readonly acks: { readonly n: number; readonly keys: readonly string[] } | null
  readonly rows: readonly LoadedRow[]
  readonly accepted: number
  readonly quarantined: number
  /** Items that cannot be acknowledged, so they come again with each session (R11). */
  readonly unackable: number
  /** Equal revision, other body: changes nothing, but somebody should know (R7). */
  readonly divergent: number
}

export interface Inbox {
  commit(lease: Lease, pages: readonly IncomingPage[], session: SessionFacts): Promise<Committed>
  /** Rows this worker has not read yet, with the log as of the same instant. */
  readAbove(head: number): Promise<{ readonly rows: readonly LoadedRow[]; readonly log: LogRow }>
}

/** @param isUnsettled nothing was ever settled, so there is nothing on the disk to compare with. */
export function createInbox(database: Database, overlay: Overlay, isUnsettled: () => boolean): Inbox {
  const { strict, relaxed, specs } = database

  return {
    async commit(lease, pages, session) {
      const incoming = pages.map(({ items, suspect }) => items.map((item) => written(classify(item, specs, suspect))))
      const release = overlay.ticket()
      let admitted: Admitted
      try {
        admitted = admit(incoming, isUnsettled() ? NOTHING_SETTLED : await settledRevisions(incoming), overlay)
      } finally {
        release()
      }
      const keys = pages.flatMap(({ items }) => items.flatMap(({ ackKey }) => (ackKey === null ? [] : [ackKey])))
      const unackable = pages.reduce((sum, { items }) => sum + items.length, 0) - keys.length
      const slices = admitted.pages.flatMap(slice)

      const { rows, n } = await strict.dexie.transaction('rw', strict.meta, strict.inbox, strict.acks, async () => {
        await checkLease(strict, database, lease)
        const log = await readLog(strict)
        const rows = slices.map((items, at) => toRow(log.head + 1 + at, items, database.schemaHash))
        await strict.inbox.bulkAdd(rows)
        const n = keys.length === 0 ? null : ((await strict.acks.add({ device: lease.device, keys })) as number)
        await strict.meta.bulkPut([
          { ...log, head: log.head + rows.length },
          { key: 'session', ...session },
        ])
        return { rows, n }
      })

      const loaded = rows.map((row, at) => ({
        seq: row.seq,
        bytes: row.bytes,
        items: slices[at]!.map(({ item }) => item),
      }))
      const accepted = loaded.reduce((sum, { items }) => sum + items.length, 0)
      const quarantined = loaded.reduce((sum, { items }) => sum + items.filter(({ kind }) => kind === 'bad').length, 0)
      return {
        acks: n === null ? null : { n, keys },
        rows: loaded,
        accepted,
        quarantined,
        unackable,
        divergent: admitted.divergent,
      }
    },

    readAbove: (head) =>
      relaxed.dexie.transaction('r', relaxed.meta, relaxed.inbox, async () => {
        const log = await readLog(relaxed)
        const rows = await relaxed.inbox.where('seq').above(Math.max(head, log.mark)).toArray()
        return { log, rows: rows.map((row) => fromRow(row, database)) }
      }),
  }

  /** Stored revisions of what comes in, by type and id. */
  async function settledRevisions(incoming: readonly (readonly Written[])[]): Promise<ReadonlyMap<string, Known>> {
    const byType = new Map<string, Set<string>>()
    for (const page of incoming)
      for (const { item } of page) {
        const ids = byType.get(item.type) ?? new Set()
        byType.set(item.type, ids.add(item.id))
      }
    const tables = [...byType.keys()].filter((type) => specs.has(type)).map((type) => relaxed.rows(type))
    return relaxed.dexie.transaction('r', [relaxed.tombstones, relaxed.quarantine, ...tables], async () => {
      const known = new Map<string, Known>()
      const note = (type: string, id: string, next: Known): void => {
        const key = recordKey(type, id)
        if ((known.get(key)?.rev ?? -1) < next.rev) known.set(key, next)
      }
      for (const [type, set] of byType) {
        const ids = [...set]
        const pairs = ids.map((id): [string, string] => [type, id])
        const [rows, dead, held] = await Promise.all([
          specs.has(type) ? relaxed.rows(type).bulkGet(ids) : [],
          relaxed.tombstones.bulkGet(pairs),
          relaxed.quarantine.bulkGet(pairs),
        ])
        for (const row of rows) if (row !== undefined) note(type, row.id, { rev: row.rev, body: row.data })
        for (const row of dead) if (row !== undefined) note(type, row.id, { rev: row.rev, body: null })
        for (const row of held)
          if (row !== undefined) note(type, row.id, { rev: row.rev, body: bodyOf({ kind: 'bad', data: row.raw }) })
      }
      return known
    })
  }
}

interface Written {
  readonly item: StoredItem
  readonly text: string
}

interface Known {
  readonly rev: number
  readonly body: unknown
}

const NOTHING_SETTLED: ReadonlyMap<string, Known> = new Map()

interface Admitted {
  readonly pages: readonly (readonly Written[])[]
  readonly divergent: number
}

/** Keeps, page by page, the items newer than everything known of their record (I4, I5). */
function admit(
  incoming: readonly (readonly Written[])[],
  settled: ReadonlyMap<string, Known>,
  overlay: Overlay,
): Admitted {
  const newest = new Map<string, Known>()
  let divergent = 0
  const known = (item: StoredItem): Known | undefined => {
    const key = recordKey(item.type, item.id)
    const here = newest.get(key)
    if (here !== undefined) return here
    const entry = overlay.entry(item.type, item.id)
    const bad = overlay.bad(item.type, item.id)
    const candidates = [
      settled.get(key),
      entry && { rev: entry.rev, body: entry.row },
      bad && { rev: bad.rev, body: bodyOf(bad.item) },
    ]
    return candidates.reduce((a, b) => (b !== undefined && (a === undefined || b.rev > a.rev) ? b : a), undefined)
  }
  const pages = incoming.map((page) =>
    page.filter(({ item }) => {
      const before = known(item)
      if (before !== undefined && before.rev >= item.rev) {
        if (before.rev === item.rev && !isSame(before.body, bodyOf(item))) divergent++
        return false
      }
      newest.set(recordKey(item.type, item.id), { rev: item.rev, body: bodyOf(item) })
      return true
    }),
  )
  return { pages, divergent }
}

/** Whether two JSON values say the same; the order of fields does not count. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const fields = Object.entries(a)
  return (
    fields.length === Object.keys(b).length &&
    fields.every(([name, value]) => Object.hasOwn(b, name) && isSame(value, own(b as Row, name)))
  )
}

function written(item: StoredItem): Written {
  return { item, text: JSON.stringify(item) }
}

function slice(page: readonly Written[]): Array<readonly Written[]> {
  const slices: Array<readonly Written[]> = []
  for (let at = 0; at < page.length; at += RECORDS_PER_ROW) slices.push(page.slice(at, at + RECORDS_PER_ROW))
  return slices
}

function toRow(seq: number, items: readonly Written[], schema: string): InboxRow {
  const text = `[${items.map((item) => item.text).join(',')}]`
  return { seq, count: items.length, bytes: text.length, items: text, schema }
}

function fromRow(row: InboxRow, database: Database): LoadedRow {
  const items = JSON.parse(row.items) as StoredItem[]
  const current = row.schema === database.schemaHash ? items : items.map((item) => reclassify(item, database.specs))
  return { seq: row.seq, bytes: row.bytes, items: current }
}
