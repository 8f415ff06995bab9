/**
 * The disk format: one IndexedDB database per (name, endpoint, account), opened twice with the same schema.
 * The *strict* connection serves page commits and everything an ack depends on, the *relaxed* one settling
 * and reading (R6; durability is a property of a Dexie instance). Neither re-opens by itself: after a delete
 * by another tab that would silently create an empty database.
 */
import { Dexie, type Table } from 'dexie'
import { SyncError } from '../errors.ts'
import type { ShadowKey } from '../keys.ts'
import { compileSchema, schemaHash, type CollectionSpec, type Row, type Schema } from '../schema.ts'
import { upgrade } from './upgrade.ts'

/** One record of a collection: server truth, with the shadow keys its indexes are built on (R4, R7). */
export interface TableRow {
  id: string
  rev: number
  data: Row
  k: Record<string, ShadowKey>
}

/** One page, or a part of at most 100 records of one, exactly as received (R1, R30). */
export interface InboxRow {
  seq: number
  count: number
  bytes: number
  /** JSON text of `StoredItem[]`. */
  items: string
  /** The schema its verdicts were made under. */
  schema: string
}

/** Ack keys of one commit; sent only under the device UUID they were received with (R23). */
export interface AckRow {
  n?: number
  device: string
  keys: string[]
}

/** A deleted record. `run` is the number of sessions started when it was written (R5). */
export interface Tombstone {
  type: string
  id: string
  rev: number
  run: number
}

export interface QuarantineRow {
  type: string
  id: string
  rev: number
  raw: unknown
  reason: string
  at: number
}

/** Who this copy is. The device UUID is its generation: born with the data, replaced with the data (R23). */
export interface Identity {
  key: 'identity'
  device: string
  /** Grows with each leader; the fence of every engine write (R24). */
  epoch: number
  schemaVersion: number
  schemaHash: string
  /** What the service calls the account, once it has said so (R22). */
  account: string | null
  /** The service's epoch these revisions belong to. */
  serverEpoch: string | null
}

/** How far the log goes: last sequence written, last one settled, and where this generation began. */
export interface LogRow {
  key: 'log'
  head: number
  mark: number
  base: number
}

export interface SessionRow {
  key: 'session'
  id: string
  startedAt: number
  run: number
  dirty: boolean
  done: number
  estimate: number | null
}

/** What was proved, and what the user asked for. */
export interface SyncRow {
  key: 'sync'
  lastSyncedAt: number | null
  /** Sessions asked for so far, and the last of them that proved "in sync". */
  started: number
  clean: number
  stuck: number
  unreadable: number
  paused: boolean
  /** The service's capabilities as it sent them. */
  capabilities: string | null
}

export type MetaRow = Identity | LogRow | SessionRow | SyncRow

export interface HistoryRow {
  n?: number
  startedAt: number
  endedAt: number
  outcome: 'clean' | 'dirty' | 'failed'
  pages: number
  items: number
  acked: number
  error: string | null
}

export type TypeAndId = [type: string, id: string]

export interface Connection {
  readonly dexie: Dexie
  readonly meta: Table<MetaRow, string>
  readonly inbox: Table<InboxRow, number>
  readonly acks: Table<AckRow, number>
  readonly tombstones: Table<Tombstone, TypeAndId>
  readonly quarantine: Table<QuarantineRow, TypeAndId>
  readonly history: Table<HistoryRow, number>
  /** The table of a collection. */
  readonly rows: (type: string) => Table<TableRow, string>
}

export interface Database {
  readonly strict: Connection
  readonly relaxed: Connection
  readonly specs: ReadonlyMap<string, CollectionSpec>
  readonly schemaVersion: number
  readonly schemaHash: string
  readonly close: () => void
}

export interface StorageDeps {
  readonly indexedDB: IDBFactory | undefined
  readonly IDBKeyRange: typeof IDBKeyRange | undefined
}

const TABLE_PREFIX = 't_'

/** Stores that every database has. The outbox is written by local edits and cleared by a wipe. */
const FIXED_STORES = {
  meta: 'key',
  inbox: 'seq',
  outbox: 'id',
  acks: '++n',
  tombstones: '[type+id], run',
  quarantine: '[type+id], at',
  history: '++n',
} as const

/**
 * @param onClose called when the browser or another tab takes the connection away.
 * @throws SyncError `storage_unavailable`, `schema_conflict`, `schema_outdated`, `storage_failed`.
 */
export async function openDatabase(name: string, schema: Schema, deps: StorageDeps, onClose: (why: 'versionchange' | 'closed') => void): Promise<Database> {
  if (deps.indexedDB === undefined || deps.IDBKeyRange === undefined)
    throw new SyncError('storage_unavailable', 'This browser gives the page no IndexedDB (private window, blocked site data, or an old web view); allow site data for this page.')
  const specs = compileSchema(schema)
  const hash = `${schema.version}:${schemaHash(schema)}`
  const options = { indexedDB: deps.indexedDB, IDBKeyRange: deps.IDBKeyRange, autoOpen: false, cache: 'disabled' as const }
  const strict = new Dexie(name, { ...options, chromeTransactionDurability: 'strict' })
  const relaxed = new Dexie(name, { ...options, chromeTransactionDurability: 'relaxed' })
  const stores = { ...FIXED_STORES, ...Object.fromEntries([...specs.values()].map((spec) => [TABLE_PREFIX + spec.name, tableSpec(spec)])) }
  for (const dexie of [strict, relaxed]) {
    dexie.version(schema.version).stores(stores).upgrade((tx) => upgrade(tx, specs, { version: schema.version, hash }))
    dexie.on('versionchange', () => {
      strict.close()
      relaxed.close()
      onClose('versionchange')
    })
    dexie.on('close', () => onClose('closed'))
  }
  try {
    await strict.open()
    await relaxed.open()
  } catch (error) {
    strict.close()
    relaxed.close()
    throw storageError(error)
  }
  return {
    strict: connection(strict),
    relaxed: connection(relaxed),
    specs,
    schemaVersion: schema.version,
    schemaHash: hash,
    close: () => {
      strict.close()
      relaxed.close()
    },
  }
}

function connection(dexie: Dexie): Connection {
  return {
    dexie,
    meta: dexie.table('meta'),
    inbox: dexie.table('inbox'),
    acks: dexie.table('acks'),
    tombstones: dexie.table('tombstones'),
    quarantine: dexie.table('quarantine'),
    history: dexie.table('history'),
    rows: (type) => dexie.table(tableName(type)),
  }
}

export function tableName(type: string): string {
  return TABLE_PREFIX + type
}

/** The collection a store belongs to, or null if it holds none. */
export function typeOfTable(store: string): string | null {
  return store.startsWith(TABLE_PREFIX) ? store.slice(TABLE_PREFIX.length) : null
}

function tableSpec(spec: CollectionSpec): string {
  return ['id', ...spec.indexes.map((index) => indexPath(index.parts.map((part) => part.field)))].join(', ')
}

/** Dexie's name of the index over these fields. */
export function indexPath(fields: readonly string[]): string {
  const paths = fields.map((field) => `k.${field}`)
  return paths.length === 1 ? paths[0]! : `[${paths.join('+')}]`
}

/** Any failure of storage as a typed error. A quota failure hides inside an abort (Dexie wraps it). */
export function storageError(error: unknown): SyncError {
  if (error instanceof SyncError) return error
  const names = new Set<string>()
  let message = ''
  for (let at: unknown = error; typeof at === 'object' && at !== null; at = (at as { inner?: unknown }).inner) {
    names.add(String((at as { name?: unknown }).name))
    message ||= String((at as { message?: unknown }).message ?? '')
    if ((at as { inner?: unknown }).inner === at) break
  }
  if (names.has('QuotaExceededError')) return new SyncError('storage_full', 'The browser gives this site no more room; free disk space or site data. Sync goes on by itself afterwards.', { cause: error })
  if (names.has('DatabaseClosedError') || names.has('InvalidStateError') || names.has('NotFoundError'))
    return new SyncError('storage_closed', 'The database was closed or deleted under this tab; reload the page.', { cause: error })
  if (names.has('VersionError')) return new SyncError('schema_outdated', 'The stored data was written by a newer build of this app; reload the page.', { cause: error })
  if (names.has('MissingAPIError') || names.has('SecurityError'))
    return new SyncError('storage_unavailable', 'This browser gives the page no IndexedDB; allow site data for this page.', { cause: error })
  return new SyncError('storage_failed', `The browser's database failed (${[...names].join(', ') || 'unknown'}): ${message}`, { cause: error })
}
