/** A store on a database of its own, items as a server would send them, and what a reader sees of both. */
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { systemClock, systemRandom } from '../../src/clock.ts'
import { readPage, type WireItem } from '../../src/protocol/queue.ts'
import { compileQuery, type Query } from '../../src/query.ts'
import { collection, defineSchema, type Row, type Schema } from '../../src/schema.ts'
import { openDatabase, type Database } from '../../src/store/database.ts'
import { tableName, type InboxRow, type QuarantineRow, type TableRow, type Tombstone } from '../../src/store/rows.ts'
import { openStore, type IncomingPage, type Lease, type SessionFacts, type Store } from '../../src/store/store.ts'

export interface Thing {
  readonly id: number
  readonly name?: string
  readonly n?: number | null
}

export const schema = defineSchema({ version: 1, collections: { thing: collection<Thing>({ indexes: ['n'] }) } })

export const session: SessionFacts = { id: 'session-1', startedAt: 1, run: 1, dirty: false, done: 0, estimate: null }

export interface ItemShape {
  readonly type?: string | null
  readonly id?: unknown
  readonly rev?: unknown
  readonly event?: unknown
  readonly data?: unknown
  readonly ackKey?: unknown
}

/** One item as it comes over the wire; by default a `thing`, updated. */
export function item({
  type = 'thing',
  id = 1,
  rev = 1,
  event = 'updated',
  data = { id },
  ackKey = `${String(type)}-${String(id)}-${String(rev)}`,
}: ItemShape = {}): unknown {
  return { data, meta: { ...(type !== null && { type }), sync: { event_type: event, ack_key: ackKey, revision: rev } } }
}

export const put = (id: number | string, rev: number, fields: Row = {}): unknown =>
  item({ id, rev, data: { id, ...fields } })
export const del = (id: number | string, rev: number): unknown => item({ id, rev, event: 'deleted' })

export function wire(raw: readonly unknown[]): readonly WireItem[] {
  return readPage({ items: raw })?.items ?? []
}

export const page = (...raw: unknown[]): IncomingPage => ({ items: wire(raw), suspect: true })

export interface Opened {
  readonly store: Store
  readonly lease: Lease
  /** Commits each page with one transaction of its own. */
  receive(...pages: ReadonlyArray<readonly unknown[]>): Promise<void>
  settleAll(): Promise<void>
  find(query?: Partial<Query>): Promise<Row[]>
  ids(query?: Partial<Query>): Promise<string[]>
}

const open: Array<{ close(): void }> = []

/** For `afterEach`: closes what the test opened. */
export function closeAll(): void {
  for (const one of open.splice(0)) one.close()
}

export async function openTest(
  factory: IDBFactory = new IDBFactory(),
  shape: Schema = schema,
  lead = true,
): Promise<Opened> {
  const store = await openStore('test', shape, {
    indexedDB: factory,
    IDBKeyRange,
    clock: systemClock,
    random: systemRandom,
  })
  open.push(store)
  const lease = lead ? await store.lead(true) : { device: '', epoch: -1 }
  const find: Opened['find'] = async (query = {}) => {
    const whole = { collection: 'thing', where: {}, ...query }
    const found = await store.find(compileQuery(whole, store.specOf(whole.collection)))
    return found.map(({ row }) => row)
  }
  return {
    store,
    lease,
    receive: async (...pages) => {
      for (const one of pages) await store.commit(lease, [page(...one)], session)
    },
    settleAll: async () => {
      while ((await store.settleNext(lease)) !== null);
    },
    find,
    ids: async (query) => (await find(query)).map((row) => String(row['id'])),
  }
}

/** What lies on the disk, store by store. */
export interface Disk {
  readonly inbox: readonly InboxRow[]
  readonly tombstones: readonly Tombstone[]
  readonly quarantine: readonly QuarantineRow[]
  readonly rows: readonly TableRow[]
  readonly acks: readonly string[]
}

export async function readDisk(factory: IDBFactory, shape: Schema = schema, type = 'thing'): Promise<Disk> {
  return withDatabase(factory, shape, async ({ dexie, inbox, tombstones, quarantine, acks }) => ({
    inbox: await inbox.toArray(),
    tombstones: await tombstones.toArray(),
    quarantine: await quarantine.toArray(),
    rows: await dexie.table(tableName(type)).toArray(),
    acks: (await acks.toArray()).flatMap(({ keys }) => keys),
  }))
}

/** Looks into a database, or meddles with it, beside the store under test. */
export async function withDatabase<T>(
  factory: IDBFactory,
  shape: Schema,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await openDatabase('test', shape, { indexedDB: factory, IDBKeyRange }, () => undefined)
  try {
    return await work(database)
  } finally {
    database.close()
  }
}

/** A factory whose write transactions, while `full`, end as they do when the browser gives no more room. */
export interface SmallDisk {
  readonly factory: IDBFactory
  full: boolean
}

export function createSmallDisk(real: IDBFactory): SmallDisk {
  const disk: SmallDisk = {
    full: false,
    factory: watch(real, (tx) => {
      if (tx.mode === 'readwrite') refuseAtCommit(tx as unknown as FakeTransaction, () => disk.full)
    }),
  }
  return disk
}

/** A factory that says how many transactions were begun so far. */
export function countTransactions(real: IDBFactory): { readonly factory: IDBFactory; begun(): number } {
  let begun = 0
  return { factory: watch(real, () => void begun++), begun: () => begun }
}

/** The same factory; `seen` gets each transaction as it begins. */
function watch(real: IDBFactory, seen: (tx: IDBTransaction) => void): IDBFactory {
  function open(...args: [string, number?]): IDBOpenDBRequest {
    const request = real.open(...args) as unknown as IDBOpenDBRequest
    request.addEventListener('success', () => {
      const begin = request.result.transaction.bind(request.result)
      request.result.transaction = (...of: Parameters<typeof begin>) => {
        const tx = begin(...of)
        seen(tx)
        return tx
      }
    })
    return request
  }
  return new Proxy(real, { get: (target, name) => (name === 'open' ? open : bound(target, name)) })
}

function bound(target: IDBFactory, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name)
  return typeof value === 'function' ? (value.bind(target) as unknown) : value
}

interface FakeTransaction {
  /** What would undo its writes. */
  readonly _rollbackLog: readonly unknown[]
  _abort(error: string): void
  _markFinished(): void
}

// A full disk shows at the commit: every request succeeded, and then the transaction aborts.
function refuseAtCommit(tx: FakeTransaction, full: () => boolean): void {
  const finish = tx._markFinished.bind(tx)
  let aborted = false
  tx._markFinished = () => {
    if (aborted || !full() || tx._rollbackLog.length === 0) return finish()
    aborted = true
    tx._abort('QuotaExceededError')
  }
}
