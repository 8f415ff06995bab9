/**
 * The inbox: pages as received, durable before anything else happens with them.
 * `commit` is the heart of promises 1, 4 and 5: one strict transaction holds the pages, their ack keys and
 * the session; only items newer than everything known get in, so within the log a later sequence is always
 * a newer revision, and no reader ever has to compare revisions again.
 */
import type { WireItem } from '../protocol/queue.ts'
import type { Database } from './database.ts'
import { tableName, type InboxRow, type OutboxMeta, type QuarantineRow, type TableRow, type Tombstone } from './rows.ts'
import type { SessionFacts } from './device.ts'
import { NO_OUTBOX, type Edits, type OutboxChange } from './edits.ts'
import { readAsLeader, type Lease } from './guard.ts'
import { bodyOf, classify, type StoredItem } from './item.ts'
import { result, type Stores } from './native.ts'
import { createRecordMap, type RecordMap } from './record-map.ts'
import { isSame } from './same.ts'
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
  /** Confirmed edits that are server truth now. */
  readonly outbox: OutboxChange | null
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
}

/** A page read under the schema, and what the disk knew of its records at that mark. */
interface Prepared {
  readonly items: readonly StoredItem[]
  readonly mark: number
  readonly settled: Promise<RecordMap<Known>>
}

export function createInbox(database: Database, overlay: Overlay, edits: Edits): Inbox {
  const { native, specs } = database
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

      const edited = edits.all().length > 0
      const stores = ['meta', 'inbox', 'acks', ...(edited ? ['outbox'] : [])]
      const { head, n, outbox } = await native.write('strict', stores, async (store) => {
        const { log, outbox: stored = NO_OUTBOX } = await readAsLeader(store, database, lease)
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
        // A confirmed edit goes with the very transaction that stores what the server made of it (R16). Asked for here,
        // as its answer may have been stored just before.
        const caught = edited ? edits.caughtUp(slices.flat(), session.run) : []
        const outbox = caught.length === 0 ? null : forget(store, stored, caught)
        return { head: log.head, n: (await acked) as number | null, outbox }
      })

      const rows = slices.map((items, at) => ({ seq: head + 1 + at, bytes: texts[at]!.length, items }))
      return {
        acks: n === null ? null : { n, keys },
        rows,
        outbox,
        accepted: slices.reduce((sum, items) => sum + items.length, 0),
        quarantined: slices.reduce((sum, items) => sum + items.filter(({ kind }) => kind === 'bad').length, 0),
        unackable,
        divergent: admitted.divergent,
      }
    },
  }

  function forget(store: Stores, meta: OutboxMeta, ids: readonly string[]): OutboxChange {
    const next = { ...meta, version: meta.version + 1 }
    for (const id of ids) store('outbox').delete(id)
    store('meta').put(next)
    // Where another tab wrote meanwhile, the version stays the one this worker knows, so that it reads that too.
    const known = edits.meta.version
    return { meta: known === meta.version ? next : { ...next, version: known }, whole: false, puts: [], deletes: ids }
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

function slice(page: readonly StoredItem[]): Array<readonly StoredItem[]> {
  const slices: Array<readonly StoredItem[]> = []
  for (let at = 0; at < page.length; at += RECORDS_PER_ROW) slices.push(page.slice(at, at + RECORDS_PER_ROW))
  return slices
}
