/**
 * IndexedDB without a layer in between, for the paths where a request more or a promise more is felt: page
 * commits, settling, reading. Each transaction names its durability (R6), which Dexie fixes per instance.
 * A `work` may wait for requests of its own transaction only, or the browser ends the transaction early.
 */
import type { Dexie } from 'dexie'
import { storageClosed } from './storage-error.ts'

/** The object stores of a transaction, by name. */
export type Stores = (name: string) => IDBObjectStore

export interface Native {
  /** Resolves with what `work` found; nothing is written, so nobody waits for the end. */
  read<T>(stores: readonly string[], work: (store: Stores) => Promise<T>): Promise<T>
  /** Resolves once the transaction is complete. Rolls back whatever `work` or a request throws. */
  write<T>(durability: 'strict' | 'relaxed', stores: readonly string[], work: (store: Stores) => Promise<T>): Promise<T>
}

export function createNative(dexie: Dexie): Native {
  function begin(
    stores: readonly string[],
    mode: 'readonly' | 'readwrite',
    options?: IDBTransactionOptions,
  ): IDBTransaction {
    const database = dexie.backendDB() as IDBDatabase | null
    if (database === null) throw storageClosed()
    return database.transaction(stores as string[], mode, options)
  }

  return {
    read: async (stores, work) => {
      const transaction = begin(stores, 'readonly')
      return work((name) => transaction.objectStore(name))
    },
    write: async (durability, stores, work) => {
      const transaction = begin(stores, 'readwrite', { durability })
      const end = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve()
        transaction.onabort = () => reject(transaction.error as DOMException)
      })
      // A request that fails aborts before anybody waits for the end.
      end.catch(() => undefined)
      try {
        const value = await work((name) => transaction.objectStore(name))
        await end
        return value
      } catch (error) {
        // The first failure says more than what it did to later requests.
        if (transaction.error !== null) throw transaction.error
        abort(transaction)
        throw error
      }
    },
  }
}

/** What a request answers. */
export function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error as DOMException)
  })
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort()
  } catch {
    // It has ended already.
  }
}
