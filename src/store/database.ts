/**
 * The disk format: one IndexedDB database per (name, endpoint, account). Dexie opens, upgrades and writes it,
 * strictly; where time counts, `native` uses the same connection and names each transaction's durability (R6).
 * It does not re-open by itself: after a delete by another tab that would silently create an empty database.
 */
import { Dexie, type Table } from 'dexie'
import { SyncError } from '../errors.ts'
import { createNative, type Native } from './native.ts'
import { compileSchema, schemaHash, type CollectionSpec, type Schema } from '../schema.ts'
import {
  indexPath,
  tableName,
  type AckRow,
  type HistoryRow,
  type InboxRow,
  type MetaRow,
  type QuarantineRow,
  type Tombstone,
  type TypeAndId,
} from './rows.ts'
import { upgrade } from './upgrade.ts'

export interface Database {
  readonly dexie: Dexie
  readonly native: Native
  readonly meta: Table<MetaRow, string>
  readonly inbox: Table<InboxRow, number>
  readonly acks: Table<AckRow, number>
  readonly tombstones: Table<Tombstone, TypeAndId>
  readonly quarantine: Table<QuarantineRow, TypeAndId>
  readonly history: Table<HistoryRow, number>
  readonly specs: ReadonlyMap<string, CollectionSpec>
  readonly schemaVersion: number
  readonly schemaHash: string
  /** Makes key ranges for native requests. */
  readonly range: typeof IDBKeyRange
  readonly close: () => void
}

export interface StorageDeps {
  readonly indexedDB: IDBFactory | undefined
  readonly IDBKeyRange: typeof IDBKeyRange | undefined
}

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
export async function openDatabase(
  name: string,
  schema: Schema,
  deps: StorageDeps,
  onClose: (why: 'versionchange' | 'closed') => void,
): Promise<Database> {
  if (deps.indexedDB === undefined || deps.IDBKeyRange === undefined)
    throw new SyncError(
      'storage_unavailable',
      'This browser gives the page no IndexedDB (private window, blocked site data, or an old web view); allow site data for this page.',
    )
  const specs = compileSchema(schema)
  const hash = `${schema.version}:${schemaHash(schema)}`
  const dexie = new Dexie(name, {
    indexedDB: withoutPatching(deps.indexedDB, schema.version),
    IDBKeyRange: deps.IDBKeyRange,
    autoOpen: false,
    cache: 'disabled',
    chromeTransactionDurability: 'strict',
  })
  const stores = {
    ...FIXED_STORES,
    ...Object.fromEntries([...specs.values()].map((spec) => [tableName(spec.name), tableSpec(spec)])),
  }
  dexie
    .version(schema.version)
    .stores(stores)
    .upgrade((tx) => upgrade(tx, specs, { version: schema.version, hash }))
  dexie.on('versionchange', () => {
    dexie.close()
    onClose('versionchange')
    // Dexie's own handler would write to the console.
    return false
  })
  dexie.on('close', () => onClose('closed'))
  try {
    await dexie.open()
  } catch (error) {
    dexie.close()
    throw storageError(error)
  }
  return {
    dexie,
    native: createNative(dexie),
    meta: dexie.table('meta'),
    inbox: dexie.table('inbox'),
    acks: dexie.table('acks'),
    tombstones: dexie.table('tombstones'),
    quarantine: dexie.table('quarantine'),
    history: dexie.table('history'),
    specs,
    schemaVersion: schema.version,
    schemaHash: hash,
    range: deps.IDBKeyRange,
    close: () => dexie.close(),
  }
}

/**
 * Where a stored schema lacks something of the same version, Dexie would add it under a version in between
 * (its own versions are multiples of ten), and so close the tabs of the right build. That is a conflict.
 */
function withoutPatching(factory: IDBFactory, schemaVersion: number): IDBFactory {
  const open = (name: string, version?: number): IDBOpenDBRequest => {
    if (version !== undefined && version % 10 !== 0) throw schemaConflict(schemaVersion)
    return version === undefined ? factory.open(name) : factory.open(name, version)
  }
  return {
    open,
    deleteDatabase: (name) => factory.deleteDatabase(name),
    databases: () => factory.databases(),
    cmp: (a, b) => factory.cmp(a, b),
  }
}

function tableSpec(spec: CollectionSpec): string {
  return ['id', ...spec.indexes.map((index) => indexPath(index.parts.map((part) => part.field)))].join(', ')
}

export function schemaConflict(version: number): SyncError {
  return new SyncError(
    'schema_conflict',
    `The stored data was made with another schema of the same version ${version}; raise the version in defineSchema when collections, keys or indexes change.`,
  )
}

/** Any failure of storage as a typed error. A quota failure hides inside an abort (Dexie wraps it). */
export function storageError(error: unknown): SyncError {
  const names = new Set<string>()
  let message = ''
  for (let at: unknown = error; typeof at === 'object' && at !== null; at = (at as { inner?: unknown }).inner) {
    if (at instanceof SyncError) return at
    const { name, message: said, inner } = at as { name?: string; message?: string; inner?: unknown }
    names.add(String(name))
    message ||= said ?? ''
    if (inner === at) break
  }
  if (names.has('QuotaExceededError'))
    return new SyncError(
      'storage_full',
      'The browser gives this site no more room; free disk space or site data. Sync goes on by itself afterwards.',
      { cause: error },
    )
  if (names.has('DatabaseClosedError') || names.has('InvalidStateError') || names.has('NotFoundError'))
    return new SyncError('storage_closed', 'The database was closed or deleted under this tab; reload the page.', {
      cause: error,
    })
  if (names.has('VersionError'))
    return new SyncError(
      'schema_outdated',
      'The stored data was written by a newer build of this app; reload the page.',
      { cause: error },
    )
  if (names.has('MissingAPIError') || names.has('SecurityError'))
    return new SyncError(
      'storage_unavailable',
      'This browser gives the page no IndexedDB; allow site data for this page.',
      { cause: error },
    )
  return new SyncError(
    'storage_failed',
    `The browser's database failed (${[...names].join(', ') || 'unknown'}): ${message}`,
    { cause: error },
  )
}
