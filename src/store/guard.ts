/**
 * What every write transaction checks first (R23, R24): that the data still is the data it was meant for,
 * that this build understands it, and, for the engine's own writes, that no other leader has taken over.
 */
import type { Table } from 'dexie'
import { SyncError } from '../errors.ts'
import type { Database } from './database.ts'
import { result, type Stores } from './native.ts'
import type { Identity, LogRow } from './rows.ts'
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

/** What a native engine write reads first, in one go; refuses if the lease is void. */
export async function readAsLeader(stores: Stores, database: Database, lease: Lease): Promise<LogRow> {
  const meta = stores('meta')
  const [identity = vanished(), log = vanished()] = await Promise.all([
    result<Identity | undefined>(meta.get('identity')),
    result<LogRow | undefined>(meta.get('log')),
  ])
  allowed(identity, database, lease)
  return log
}

/** What a write of the app reads first: of any tab, but of this generation (R24). */
export async function readAsApp(stores: Stores, database: Database, device: string): Promise<LogRow> {
  const meta = stores('meta')
  const [identity = vanished(), log = vanished()] = await Promise.all([
    result<Identity | undefined>(meta.get('identity')),
    result<LogRow | undefined>(meta.get('log')),
  ])
  checkSchema(identity, database)
  if (identity.device !== device) throw replaced()
  return log
}

const replaced = (): SyncError => new SyncError('generation_changed', 'Another tab replaced the stored data.')

function allowed(identity: Identity, database: Database, lease: Lease): Identity {
  checkSchema(identity, database)
  if (identity.device !== lease.device) throw replaced()
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
