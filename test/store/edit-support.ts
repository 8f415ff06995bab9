/** Stores with local edits on them, and edits made by hand. */
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { systemClock, systemRandom, type Clock } from '../../src/clock.ts'
import type { Query } from '../../src/query.ts'
import {
  collection,
  compileSchema,
  defineSchema,
  type CollectionSpec,
  type Row,
  type Schema,
} from '../../src/schema.ts'
import type { Edit, EditInfo, WriteOp } from '../../src/store/edit.ts'
import type { EditOutcome, OutgoingEdit, WriteTerms } from '../../src/store/outbox.ts'
import { openStore, type Lease, type Store, type StoreEvent } from '../../src/store/store.ts'
import { page, session } from './support.ts'

export const crm = defineSchema({
  version: 1,
  collections: {
    thing: collection({ indexes: ['n'] }),
    contact: collection({ references: { parent_id: 'contact', main_deal_id: 'deal' } }),
    deal: collection<Row>({
      references: { contact_id: 'contact', code: 'thing' },
      merge: { custom: 'deep' },
    }),
    task: collection({ references: { resource_id: { type: 'resource_type' } } }),
    yielding: collection({ conflict: 'server-wins' }),
    asked: collection({ create: { via: 'ask' } }),
    matched: collection({ create: { via: { upsert: 'email' } } }),
    mapped: collection({ create: { via: { upsert: 'custom_fields[name]' } } }),
    pair: collection({ key: ['a', 'b'] }),
  },
})

export const specs = compileSchema(crm)

export function specOf(type: string): CollectionSpec {
  const spec = specs.get(type)
  if (spec === undefined) throw new Error(`no collection ${type}`)
  return spec
}

export const KEYS: WriteTerms = { keyMemoryMs: 90 * 86_400_000, clientIds: true }
/** A server without any of our extensions. */
export const VENDOR: WriteTerms = { keyMemoryMs: null, clientIds: false }

let made = 0

export function makeEdit(some: Partial<Edit> = {}): Edit {
  const n = some.n ?? ++made
  return {
    kind: 'edit',
    id: `edit-${n}`,
    n,
    at: 0,
    group: null,
    op: 'update',
    type: 'thing',
    key: '1',
    jsonKey: 1,
    temporary: false,
    value: {},
    base: {},
    baseRev: 1,
    state: 'queued',
    parked: false,
    attempt: 0,
    epoch: 0,
    firstSentAt: null,
    request: null,
    answer: null,
    problem: null,
    ...some,
  }
}

export const insert = (type: string, key: string | number, value: Row, temporary = true): WriteOp => ({
  op: 'insert',
  collection: type,
  key,
  value: temporary ? value : { ...value, id: key },
  temporary,
})
export const update = (type: string, key: string | number, value: Row): WriteOp => ({
  op: 'update',
  collection: type,
  key,
  value,
  temporary: false,
})
export const remove = (type: string, key: string | number): WriteOp => ({
  op: 'delete',
  collection: type,
  key,
  value: null,
  temporary: false,
})

const open: Store[] = []

export function closeStores(): void {
  for (const store of open.splice(0)) store.close()
}

export interface Tab {
  readonly store: Store
  readonly lease: Lease
  readonly events: StoreEvent[]
  /** What changes said of each record, oldest first: its row, null where it went. */
  readonly seen: Array<readonly [type: string, id: string, row: Row | null | undefined]>
  write(...ops: WriteOp[]): Promise<readonly EditInfo[]>
  /** One page of one session, in a commit of its own. */
  receive(run: number, ...items: unknown[]): Promise<void>
  settleAll(): Promise<void>
  take(terms?: WriteTerms, most?: number): Promise<readonly OutgoingEdit[]>
  answer(...outcomes: EditOutcome[]): Promise<void>
  accept(id: string, row: Row | null, revision?: number | null): Promise<void>
  get(type: string, key: string | number): Promise<Row | undefined>
  find(query: Partial<Query>): Promise<Row[]>
}

export interface TabOptions {
  readonly lead?: boolean
  readonly fromMemory?: boolean
  readonly clock?: Clock
  readonly schema?: Schema
}

export async function openTab(factory: IDBFactory = new IDBFactory(), options: TabOptions = {}): Promise<Tab> {
  const { lead = true, fromMemory, clock = systemClock, schema = crm } = options
  const store = await openStore('test', schema, {
    indexedDB: factory,
    IDBKeyRange,
    clock,
    random: systemRandom,
    fromMemory,
  })
  open.push(store)
  const lease = lead ? await store.lead(true) : { device: '', epoch: -1 }
  const events: StoreEvent[] = []
  const seen: Tab['seen'] = []
  store.subscribe((event) => {
    events.push(event)
    if (event.kind === 'changes') for (const { type, id, row } of event.changes) seen.push([type, id, row])
  })
  const { outbox } = store
  return {
    store,
    lease,
    events,
    seen,
    write: (...ops) => outbox.write(ops),
    receive: async (run, ...items) => {
      await store.commit(lease, [page(...items)], { ...session, run })
    },
    settleAll: async () => {
      while ((await store.settleNext(lease)) !== null);
    },
    take: (terms = KEYS, most = 100) => outbox.take(lease, most, terms, new Set()),
    answer: (...outcomes) => outbox.answer(lease, outcomes),
    accept: (id, row, revision = null) => outbox.answer(lease, [{ id, kind: 'accepted', row, revision }]),
    get: async (type, key) => (await store.get(type, [String(key)]))[0],
    find: async (query) =>
      (await store.find(store.compile({ collection: 'thing', where: {}, ...query }))).map(({ row }) => row),
  }
}

export const bodyOf = (sent: OutgoingEdit | undefined): Row =>
  (JSON.parse(sent?.request.body ?? '{}') as { data?: Row }).data ?? {}
