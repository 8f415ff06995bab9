/**
 * The disk format: one IndexedDB database per (name, endpoint, account). Dexie opens, upgrades and writes it,
 * relaxed; what has to be strict, and where time counts, goes through `native` on the same connection (R6).
 * It does not re-open by itself: after a delete by another tab that would silently create an empty database.
 */
import { Dexie, type Table } from 'dexie'
import { createNative, result, type Native } from './native.ts'
import { compileSchema, schemaHash, type CollectionSpec, type Schema } from '../schema.ts'
import {
  indexPath,
  tableName,
  type AckRow,
  type HistoryRow,
  type InboxRow,
  type MetaRow,
  type QuarantineRow,
  type SyncRow,
  type Tombstone,
  type TypeAndId,
} from './rows.ts'
import { schemaConflict, storageError, storageUnavailable } from './storage-error.ts'
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
  /** Deletes it, closed or not. False: other tabs hold it. */
  readonly destroy: () => Promise<boolean>
}

export interface StorageDeps {
  readonly indexedDB: IDBFactory | undefined
  readonly IDBKeyRange: typeof IDBKeyRange | undefined
  /** Called before `onClose` where the data went by a sign-out (R28). */
  readonly onSignedOut?: (() => void) | undefined
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
  onClose: () => void,
): Promise<Database> {
  const { indexedDB: factory, IDBKeyRange } = deps
  if (factory === undefined || IDBKeyRange === undefined) throw storageUnavailable()
  const specs = compileSchema(schema)
  const hash = `${schema.version}:${schemaHash(schema)}`
  const dexie = new Dexie(name, {
    indexedDB: withoutPatching(factory, schema.version),
    IDBKeyRange,
    autoOpen: false,
    cache: 'disabled',
    chromeTransactionDurability: 'relaxed',
  })
  const stores = {
    ...FIXED_STORES,
    ...Object.fromEntries([...specs.values()].map((spec) => [tableName(spec.name), tableSpec(spec)])),
  }
  dexie
    .version(schema.version)
    .stores(stores)
    .upgrade((tx) => upgrade(tx, specs, { version: schema.version, hash }))
  const native = createNative(dexie)
  dexie.on('versionchange', ({ newVersion }) => {
    const close = (): void => dexie.close()
    if (newVersion !== null) close()
    else
      void native
        .read(['meta'], (store) => result<SyncRow | undefined>(store('meta').get('sync')))
        .then((sync) => sync?.signedOut === true && deps.onSignedOut?.())
        .then(close, close)
    // Dexie's own handler would write to the console.
    return false
  })
  dexie.on('close', onClose)
  try {
    await dexie.open()
  } catch (error) {
    dexie.close()
    throw storageError(error)
  }
  return {
    dexie,
    native,
    meta: dexie.table('meta'),
    inbox: dexie.table('inbox'),
    acks: dexie.table('acks'),
    tombstones: dexie.table('tombstones'),
    quarantine: dexie.table('quarantine'),
    history: dexie.table('history'),
    specs,
    schemaVersion: schema.version,
    schemaHash: hash,
    range: IDBKeyRange,
    close: () => dexie.close(),
    // Dexie's own would write to the console while another tab holds it.
    destroy: () =>
      result(factory.deleteDatabase(name)).then(
        () => true,
        () => false,
      ),
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
