/**
 * One step from an older schema version to this one, in the database's own upgrade transaction (all or
 * nothing): every row is keyed, indexed and checked anew, quarantined items whose collection exists now
 * become rows or deletions, and rows of collections that are gone go to quarantine, since the server will
 * not send them again (R30, R31).
 */
import type { Table, Transaction } from 'dexie'
import type { CollectionSpec } from '../schema.ts'
import {
  tableName,
  typeOfTable,
  type Identity,
  type QuarantineRow,
  type SyncRow,
  type TableRow,
  type Tombstone,
  type TypeAndId,
} from './rows.ts'
import { reclassify, type StoredItem } from './item.ts'
import { result } from './native.ts'
import { createRecordMap } from './record-map.ts'
import { tableRow } from './shadow.ts'

type Specs = ReadonlyMap<string, CollectionSpec>

/** Rows written with one call: many enough to be quick, few enough to be small. */
const SLICE = 500

/** A settled item, with what its row on the disk knew besides. */
interface Settled extends StoredItem {
  /** When a quarantined item was stored. */
  readonly at?: number
  /** The run in which a tombstone was written. */
  readonly run?: number
}

export async function upgrade(tx: Transaction, specs: Specs, schema: { version: number; hash: string }): Promise<void> {
  const meta = tx.table('meta')
  const sync = (await meta.get('sync')) as SyncRow | undefined
  const items = await takeItems(tx)
  // Older revisions first, so that the newest of a record is the one that stays.
  items.sort((a, b) => a.rev - b.rev)
  const records = createRecordMap<Settled>()
  const held = createRecordMap<Settled>()
  for (const item of items) {
    const now: Settled = { ...item, ...reclassify(item, specs) }
    const { type, id } = now
    if (now.kind === 'bad') {
      held.set(type, id, now)
      continue
    }
    records.set(type, id, now)
    held.delete(type, id)
  }
  for (const [type, spec] of specs) {
    const rows = [...records.of(type).values()].filter(({ kind }) => kind === 'put')
    await putAll(tx.table<TableRow>(tableName(type)), rows, ({ id, rev, data }) =>
      tableRow(id, rev, data as TableRow['data'], spec),
    )
  }
  const deleted = records.values().filter(({ kind }) => kind === 'del')
  await putAll(tx.table<Tombstone>('tombstones'), deleted, ({ type, id, rev, run }) => ({
    type,
    id,
    rev,
    run: run ?? sync?.started ?? 0,
  }))
  await putAll(tx.table<QuarantineRow>('quarantine'), held.values(), ({ type, id, rev, data, reason, at }) => ({
    type,
    id,
    rev,
    raw: data,
    reason: reason ?? '',
    at: at ?? 0,
  }))
  const identity = (await meta.get('identity')) as Identity | undefined
  if (identity !== undefined) await meta.put({ ...identity, schemaVersion: schema.version, schemaHash: schema.hash })
}

/** Everything settled, taken out of its stores. */
async function takeItems(tx: Transaction): Promise<Settled[]> {
  const quarantine = tx.table<QuarantineRow, TypeAndId>('quarantine')
  const tombstones = tx.table<Tombstone, TypeAndId>('tombstones')
  const items: Settled[] = []
  for (const { raw, ...row } of await quarantine.toArray()) items.push({ ...row, kind: 'bad', data: raw })
  for (const row of await tombstones.toArray()) items.push({ ...row, kind: 'del', data: null })
  await quarantine.clear()
  await tombstones.clear()
  for (const store of Array.from(tx.idbtrans.objectStoreNames)) {
    const type = typeOfTable(store)
    if (type === null) continue
    for (const { id, rev, data } of await takeAll(tx.idbtrans.objectStore(store)))
      items.push({ type, id, rev, kind: 'put', data })
  }
  return items
}

async function putAll<T>(table: Table<T>, items: readonly Settled[], make: (item: Settled) => T): Promise<void> {
  for (let at = 0; at < items.length; at += SLICE) await table.bulkPut(items.slice(at, at + SLICE).map(make))
}

// Dexie knows only the tables of the new schema; a collection that is gone is read through IndexedDB itself.
async function takeAll(store: IDBObjectStore): Promise<TableRow[]> {
  const all = await result<TableRow[]>(store.getAll())
  store.clear()
  return all
}
