/** Dexie: `bulkPut` for each page in a worker, relaxed durability, `liveQuery` for live results. */
import { Dexie, liveQuery, type Table } from 'dexie'
import type { Row, Shape } from '../data.ts'
import type { Contestant } from '../page/contestant.ts'
import { pages } from '../contestants/queue.ts'

export function create(): Contestant {
  let dexie: Dexie
  let shape: Shape
  const rows = (): Table<Row, number> => dexie.table('rows')
  const inGroup = (group: Row[string]) =>
    rows()
      .where(shape.group)
      .equals(group as string | number)

  return {
    async open(setup) {
      shape = setup.shape
      dexie = new Dexie('bench', { chromeTransactionDurability: 'relaxed' })
      dexie.version(1).stores({ rows: `id, ${shape.group}, ${shape.sort}` })
      await dexie.open()
    },
    async sync() {
      for await (const page of pages()) await rows().bulkPut(page.rows)
    },
    count: () => rows().count(),
    get: (id) => rows().get(id),
    byGroup: (group, limit) => inGroup(group).limit(limit).toArray(),
    bySort: (limit) => rows().orderBy(shape.sort).limit(limit).toArray(),
    scan() {
      const { field, from } = shape.scan
      return rows()
        .filter((row) => (row[field] as number) >= from)
        .toArray()
    },
    live: (group, limit, seen) =>
      new Promise((resolve, reject) => {
        liveQuery(() => (limit === null ? inGroup(group) : inGroup(group).limit(limit)).toArray()).subscribe({
          next(found) {
            seen(found)
            resolve()
          },
          error: reject,
        })
      }),
    close: async () => dexie.close(),
  }
}
