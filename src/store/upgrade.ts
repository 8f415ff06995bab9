/**
 * One step from an older schema version to this one, in the database's own upgrade transaction (all or
 * nothing): every row is keyed, indexed and checked anew, quarantined items whose collection exists now
 * become rows, and rows of collections that are gone go to quarantine, since the server will not send
 * them again (R30, R31).
 */
import type { Transaction } from 'dexie'
import type { CollectionSpec } from '../schema.ts'
import { tableName, typeOfTable, type Identity, type QuarantineRow, type TableRow } from './rows.ts'
import { reclassify, type StoredItem } from './item.ts'
import { tableRow } from './shadow.ts'

type Specs = ReadonlyMap<string, CollectionSpec>

export async function upgrade(tx: Transaction, specs: Specs, schema: { version: number; hash: string }): Promise<void> {
  const quarantine = tx.table<QuarantineRow, [string, string]>('quarantine')
  const held = await quarantine.toArray()
  await quarantine.clear()
  const items = held.map(({ type, id, rev, raw, reason }): StoredItem => ({ type, id, rev, kind: 'bad', data: raw, reason }))
  for (const store of Array.from(tx.idbtrans.objectStoreNames)) {
    const type = typeOfTable(store)
    if (type === null) continue
    for (const { id, rev, data } of await takeAll(tx.idbtrans.objectStore(store))) items.push({ type, id, rev, kind: 'put', data })
  }
  // Older revisions first, so that the newest of a record is the one that stays.
  items.sort((a, b) => a.rev - b.rev)
  for (const item of items) {
    const now = reclassify(item, specs)
    const spec = specs.get(now.type)
    if (now.kind === 'put' && spec !== undefined) {
      await tx.table<TableRow, string>(tableName(now.type)).put(tableRow(now.id, now.rev, now.data as TableRow['data'], spec))
      await quarantine.delete([now.type, now.id])
    } else {
      await quarantine.put({ type: now.type, id: now.id, rev: now.rev, raw: now.data, reason: now.reason ?? 'cannot be shown', at: 0 })
    }
  }
  const meta = tx.table('meta')
  const identity = (await meta.get('identity')) as Identity | undefined
  if (identity !== undefined) await meta.put({ ...identity, schemaVersion: schema.version, schemaHash: schema.hash })
}

// Dexie knows only the tables of the new schema; a collection that is gone is read through IndexedDB itself.
function takeAll(store: IDBObjectStore): Promise<TableRow[]> {
  return new Promise((resolve, reject) => {
    const all = store.getAll() as IDBRequest<TableRow[]>
    all.onerror = () => reject(all.error)
    all.onsuccess = () => {
      store.clear()
      resolve(all.result)
    }
  })
}
