/**
 * What every write transaction checks first (R23, R24): that the data still is the data it was meant for,
 * that this build understands it, and, for the engine's own writes, that no other leader has taken over.
 */
import type { Table } from 'dexie'
import { SyncError } from '../errors.ts'
import type { Database } from './database.ts'
import { result, type Stores } from './native.ts'
import type { Identity, LogRow, MetaRow, OutboxMeta, SyncRow } from './rows.ts'
import { schemaConflict, schemaOutdated, storageClosed } from './storage-error.ts'

/** The right to write as the leader: void as soon as the stored epoch or device differs. */
export interface Lease {
  readonly device: string
  readonly epoch: number
}

/** A write of the leader in one relaxed transaction over these stores, `meta` among them. */
export function asLeader<T>(
  database: Database,
  lease: Lease,
  stores: readonly Table[],
  work: (identity: Identity) => Promise<T>,
): Promise<T> {
  return database.dexie.transaction('rw', stores, async () =>
    work(allowed(await readIdentity(database), database, lease)),
  )
}

/** What the database says of itself, as of one transaction. */
export interface Meta {
  readonly identity: Identity
  readonly log: LogRow
  readonly sync: SyncRow | undefined
  readonly outbox: OutboxMeta | undefined
}

/** All of `meta` in one request. */
export async function readMeta(stores: Stores): Promise<Meta> {
  const rows = await result<MetaRow[]>(stores('meta').getAll())
  const {
    identity = vanished(),
    log = vanished(),
    ...rest
  } = Object.fromEntries(rows.map((row) => [row.key, row])) as Partial<Meta>
  return { identity, log, sync: rest.sync, outbox: rest.outbox }
}

/** What a native engine write reads first; refuses if the lease is void. */
export async function readAsLeader(stores: Stores, database: Database, lease: Lease): Promise<Meta> {
  const meta = await readMeta(stores)
  allowed(meta.identity, database, lease)
  return meta
}

/** What a write of the app reads first, from any tab (R24). Null: the data is not what this tab knows (R23). */
export async function readAsApp(stores: Stores, database: Database, device: string): Promise<Meta | null> {
  const meta = await readMeta(stores)
  checkSchema(meta.identity, database)
  if (meta.sync?.signedOut === true) throw new SyncError('signed_out', 'Somebody signed out.')
  return meta.identity.device === device ? meta : null
}

function allowed(identity: Identity, database: Database, lease: Lease): Identity {
  checkSchema(identity, database)
  if (identity.device !== lease.device)
    throw new SyncError('generation_changed', 'Another tab replaced the stored data.')
  if (identity.epoch !== lease.epoch) throw new SyncError('fenced', 'Another tab leads now.')
  return identity
}

export async function readIdentity({ meta }: Database): Promise<Identity> {
  const identity = (await meta.get('identity')) as Identity | undefined
  return identity ?? vanished()
}

export function vanished(): never {
  throw storageClosed()
}

/** @throws SyncError `schema_outdated`, `schema_conflict` (R30). */
export function checkSchema(identity: Identity, database: Pick<Database, 'schemaVersion' | 'schemaHash'>): void {
  if (identity.schemaVersion > database.schemaVersion) throw schemaOutdated()
  if (identity.schemaHash !== database.schemaHash) throw schemaConflict(database.schemaVersion)
}
