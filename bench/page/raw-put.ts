/** What a local write is compared with: one record put into IndexedDB, strictly durable, by the page itself. */
import type { Row } from '../data.ts'
import { openDatabase } from '../contestants/raw-idb.ts'

let opening: Promise<IDBDatabase> | undefined

/** Milliseconds. */
export async function rawPut(row: Row): Promise<number> {
  opening ??= openDatabase('raw', (fresh) => fresh.createObjectStore('rows', { keyPath: 'id' }))
  const database = await opening
  const start = performance.now()
  const transaction = database.transaction('rows', 'readwrite', { durability: 'strict' })
  transaction.objectStore('rows').put(row)
  await new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error as DOMException)
  })
  return performance.now() - start
}
