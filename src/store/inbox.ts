/**
 * The inbox: pages as received, durable before anything else happens with them.
 * `commit` is the heart of promises 1, 4 and 5: one strict transaction holds the pages, their ack keys and
 * the session; only items newer than everything known get in, so within the log a later sequence is always
 * a newer revision, and no reader ever has to compare revisions again.
 */
import type { WireItem } from '../protocol/queue.ts'
import type { Database } from './database.ts'
import { tableName, type InboxRow, type LogRow, type QuarantineRow, type TableRow, type Tombstone } from './rows.ts'
import type { SessionFacts } from './device.ts'
import { own, type Row } from '../schema.ts'
import { readAsLeader, vanished, type Lease } from './guard.ts'
import { bodyOf, classify, reclassify, type StoredItem } from './item.ts'
import { result } from './native.ts'
import { createRecordMap, type RecordMap } from './record-map.ts'
import type { Known, LoadedRow, Overlay } from './overlay.ts'

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
  /** Looks up what the disk knows of a page's records, so that its commit need not wait for that. */
  prepare(page: IncomingPage): void
  commit(lease: Lease, pages: readonly IncomingPage[], session: SessionFacts): Promise<Committed>
  /** Rows this worker has not read yet, with the log as of the same instant. */
  readAbove(head: number): Promise<{ readonly rows: readonly LoadedRow[]; readonly log: LogRow }>
}

/** A page read under the schema, and what the disk knew of its records at that mark. */
interface Prepared {
  readonly items: readonly StoredItem[]
  readonly mark: number
  readonly settled: Promise<RecordMap<Known>>
}

/** Rows read at once: the next ones are fetched while these are parsed. */
const ROWS_PER_READ = 32

export function createInbox(database: Database, overlay: Overlay): Inbox {
  const { native, specs, range } = database
  const prepared = new WeakMap<IncomingPage, Prepared>()

  function prepare(page: IncomingPage): Prepared {
    const { mark, base } = overlay
    const known = prepared.get(page)
    // What was settled meanwhile is on the disk now, and not in the overlay any more.
    if (known !== undefined && known.mark === mark) return known
    const items = known?.items ?? page.items.map((item) => classify(item, specs, page.suspect))
    // Where nothing was ever settled there is nothing on the disk to compare with.
    const settled = mark === base ? Promise.resolve(NOTHING_SETTLED) : settledRevisions(items)
    // The commit says it.
    settled.catch(() => undefined)
    const ready = { items, mark, settled }
    prepared.set(page, ready)
    return ready
  }

  async function compared(page: IncomingPage): Promise<Compared> {
    const { items, settled } = prepare(page)
    return { items, settled: await settled }
  }

  return {
    prepare: (page) => void prepare(page),
    async commit(lease, pages, session) {
      // What is settled from here on stays in the overlay too, so what was looked up is complete with it.
      const release = overlay.ticket()
      let admitted: Admitted
      try {
        admitted = admit(await Promise.all(pages.map(compared)), overlay)
      } finally {
        release()
      }
      const keys = pages.flatMap(({ items }) => items.flatMap(({ ackKey }) => (ackKey === null ? [] : [ackKey])))
      const unackable = pages.reduce((sum, { items }) => sum + items.length, 0) - keys.length
      const slices = admitted.pages.flatMap(slice)
      const texts = slices.map((items) => JSON.stringify(items))

      const { head, n } = await native.write('strict', ['meta', 'inbox', 'acks'], async (store) => {
        const log = await readAsLeader(store, database, lease)
        const inbox = store('inbox')
        for (const [at, items] of texts.entries())
          inbox.add({
            seq: log.head + 1 + at,
            count: slices[at]!.length,
            bytes: items.length,
            items,
            schema: database.schemaHash,
          } satisfies InboxRow)
        const acked = keys.length === 0 ? null : result(store('acks').add({ device: lease.device, keys }))
        store('meta').put({ ...log, head: log.head + slices.length })
        store('meta').put({ key: 'session', ...session })
        return { head: log.head, n: (await acked) as number | null }
      })

      const rows = slices.map((items, at) => ({ seq: head + 1 + at, bytes: texts[at]!.length, items }))
      return {
        acks: n === null ? null : { n, keys },
        rows,
        accepted: slices.reduce((sum, items) => sum + items.length, 0),
        quarantined: slices.reduce((sum, items) => sum + items.filter(({ kind }) => kind === 'bad').length, 0),
        unackable,
        divergent: admitted.divergent,
      }
    },

    readAbove: (head) =>
      native.read(['meta', 'inbox'], async (store) => {
        const log = (await result<LogRow | undefined>(store('meta').get('log'))) ?? vanished()
        const read = (above: number): Promise<InboxRow[]> =>
          result(store('inbox').getAll(range.lowerBound(above, true), ROWS_PER_READ))
        const rows: LoadedRow[] = []
        for (let next: Promise<InboxRow[]> | null = read(Math.max(head, log.mark)); next !== null;) {
          const stored: InboxRow[] = await next
          next = stored.length < ROWS_PER_READ ? null : read(stored.at(-1)!.seq)
          for (const row of stored) rows.push(fromRow(row, database))
        }
        return { log, rows }
      }),
  }

  /** Stored revisions of what comes in, by type and id. */
  async function settledRevisions(items: readonly StoredItem[]): Promise<RecordMap<Known>> {
    const byType = new Map<string, Set<string>>()
    for (const { type, id } of items) byType.set(type, (byType.get(type) ?? new Set()).add(id))
    const tables = [...byType.keys()].filter((type) => specs.has(type)).map(tableName)
    return native.read(['tombstones', 'quarantine', ...tables], async (store) => {
      const known = createRecordMap<Known>()
      const note = (type: string, id: string, next: Known): void => {
        if ((known.get(type, id)?.rev ?? -1) < next.rev) known.set(type, id, next)
      }
      const [dead, held] = await Promise.all([isUsed(store('tombstones')), isUsed(store('quarantine'))])
      const work: Array<Promise<void>> = []
      for (const [type, set] of byType) {
        const ids = [...set]
        const pairs = ids.map((id): [string, string] => [type, id])
        if (specs.has(type))
          work.push(
            getSome<TableRow>(store(tableName(type)), ids, (row) =>
              note(type, row.id, { rev: row.rev, body: row.data }),
            ),
          )
        if (dead)
          work.push(
            getSome<Tombstone>(store('tombstones'), pairs, ({ id, rev }) => note(type, id, { rev, body: null })),
          )
        if (held)
          work.push(
            getSome<QuarantineRow>(store('quarantine'), pairs, ({ id, rev, raw }) =>
              note(type, id, { rev, body: bodyOf({ kind: 'bad', data: raw }) }),
            ),
          )
      }
      await Promise.all(work)
      return known
    })
  }
}

async function isUsed(store: IDBObjectStore): Promise<boolean> {
  return (await result(store.count())) > 0
}

/** Tells the rows that exist. Requests are answered in their order, so the last one says that all have been. */
async function getSome<T>(store: IDBObjectStore, keys: readonly IDBValidKey[], found: (row: T) => void): Promise<void> {
  await Promise.all(
    keys.map(async (key) => {
      const row = await result<T | undefined>(store.get(key))
      if (row !== undefined) found(row)
    }),
  )
}

interface Compared {
  readonly items: readonly StoredItem[]
  readonly settled: RecordMap<Known>
}

const NOTHING_SETTLED = createRecordMap<Known>()

interface Admitted {
  readonly pages: readonly (readonly StoredItem[])[]
  readonly divergent: number
}

/** Keeps, page by page, the items newer than everything known of their record (I4, I5). */
function admit(incoming: readonly Compared[], overlay: Overlay): Admitted {
  const newest = createRecordMap<Known>()
  let divergent = 0
  const pages = incoming.map(({ items, settled }) =>
    items.filter((item) => {
      const { type, id, rev } = item
      const before = newest.get(type, id) ?? newestOf(settled.get(type, id), overlay.known(type, id))
      if (before !== undefined && before.rev >= rev) {
        if (before.rev === rev && !isSame(before.body, bodyOf(item))) divergent++
        return false
      }
      newest.set(type, id, { rev, body: bodyOf(item) })
      return true
    }),
  )
  return { pages, divergent }
}

function newestOf(a: Known | undefined, b: Known | undefined): Known | undefined {
  return a === undefined || (b !== undefined && b.rev > a.rev) ? b : a
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

function slice(page: readonly StoredItem[]): Array<readonly StoredItem[]> {
  const slices: Array<readonly StoredItem[]> = []
  for (let at = 0; at < page.length; at += RECORDS_PER_ROW) slices.push(page.slice(at, at + RECORDS_PER_ROW))
  return slices
}

function fromRow(row: InboxRow, database: Database): LoadedRow {
  const items = JSON.parse(row.items) as StoredItem[]
  const current = row.schema === database.schemaHash ? items : items.map((item) => reclassify(item, database.specs))
  return { seq: row.seq, bytes: row.bytes, items: current }
}
