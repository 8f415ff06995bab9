/** Raw IndexedDB with one row for each record: what floors B and D share. */
import type { Row, Shape } from '../data.ts'
import type { Contestant } from '../page/contestant.ts'
import { openDatabase, result, write } from './raw-idb.ts'
import { createWatchers } from './watch.ts'

const STORE = 'rows'

export interface Rows {
  /** A transaction that puts these records; await its completion. */
  put(rows: readonly Row[]): IDBTransaction
}

/**
 * @param sorted whether there is an index to sort by, beside the one on the group
 * @param sync stores all pages that wait
 */
export function createRows(sorted: boolean, sync: (rows: Rows) => Promise<void>): Contestant {
  let database: IDBDatabase
  let shape: Shape
  const store = (): IDBObjectStore => database.transaction(STORE).objectStore(STORE)
  const byGroup = (group: Row[string], limit?: number): Promise<readonly Row[]> =>
    result(
      store()
        .index('group')
        .getAll(group as IDBValidKey, limit),
    )
  const watchers = createWatchers(byGroup)

  return {
    async open(setup) {
      shape = setup.shape
      database = await openDatabase('bench', (fresh) => {
        const rows = fresh.createObjectStore(STORE, { keyPath: 'id' })
        rows.createIndex('group', shape.group)
        if (sorted) rows.createIndex('sort', shape.sort)
      })
    },
    async sync() {
      await sync({
        put(rows) {
          const transaction = write(database, STORE)
          for (const row of rows) transaction.objectStore(STORE).put(row)
          return transaction
        },
      })
      await watchers.tell()
    },
    count: () => result(store().count()),
    get: (id) => result(store().get(id)),
    byGroup,
    async bySort(limit) {
      if (sorted) return result(store().index('sort').getAll(null, limit))
      const rows: Row[] = await result(store().getAll())
      return rows.sort((a, b) => ((a[shape.sort] as string) < (b[shape.sort] as string) ? -1 : 1)).slice(0, limit)
    },
    async scan() {
      const { field, from } = shape.scan
      const rows: Row[] = await result(store().getAll())
      return rows.filter((row) => (row[field] as number) >= from)
    },
    live: watchers.add,
    close: async () => database.close(),
  }
}
