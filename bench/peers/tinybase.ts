/** TinyBase: everything in memory on the page, indexes and queries of its own, saved by its IndexedDB persister. */
import { createIndexes, createQueries, createStore, type Indexes, type Queries, type Store } from 'tinybase'
import { createIndexedDbPersister } from 'tinybase/persisters/persister-indexed-db'
import type { Row, Shape } from '../data.ts'
import type { Contestant } from '../page/contestant.ts'
import { pages } from '../contestants/queue.ts'

type Cells = Record<string, string | number | boolean>

const TABLE = 'rows'

export function create(): Contestant {
  const store: Store = createStore()
  const indexes: Indexes = createIndexes(store)
  const queries: Queries = createQueries(store)
  const persister = createIndexedDbPersister(store, 'bench')
  let shape: Shape
  let jsonFields: readonly string[]

  function toCells(row: Row): Cells {
    const cells: Record<string, unknown> = { ...row }
    for (const field of jsonFields) cells[field] = JSON.stringify(row[field])
    return cells as Cells
  }

  function toRow(cells: Readonly<Record<string, unknown>>): Row {
    const row: Record<string, unknown> = { ...cells }
    for (const field of jsonFields) row[field] = JSON.parse(cells[field] as string)
    return row
  }

  const read = (id: string): Row => toRow(store.getRow(TABLE, id))

  return {
    async open(setup) {
      shape = setup.shape
      jsonFields = Object.keys(shape.fields).filter((field) => shape.fields[field] === 'json')
      await persister.load()
      indexes.setIndexDefinition('group', TABLE, shape.group)
    },
    async sync() {
      for await (const { rows } of pages())
        store.transaction(() => {
          for (const row of rows) store.setRow(TABLE, String(row['id']), toCells(row))
        })
      await persister.save()
    },
    count: async () => store.getRowCount(TABLE),
    get: async (id) => (store.hasRow(TABLE, String(id)) ? read(String(id)) : undefined),
    byGroup: async (group, limit) => indexes.getSliceRowIds('group', String(group)).slice(0, limit).map(read),
    bySort: async (limit) => store.getSortedRowIds(TABLE, shape.sort, false, 0, limit).map(read),
    async scan() {
      const { field, from } = shape.scan
      return store
        .getRowIds(TABLE)
        .filter((id) => (store.getCell(TABLE, id, field) as number) >= from)
        .map(read)
    },
    async live(group, _limit, seen) {
      const name = `live ${String(group)}`
      queries.setQueryDefinition(name, TABLE, ({ select, where }) => {
        for (const field of Object.keys(shape.fields)) select(field)
        where(shape.group, group as string)
      })
      const tell = (): void => seen(Object.values(queries.getResultTable(name)).map(toRow))
      queries.addResultTableListener(name, tell)
      tell()
    },
    close: () => persister.destroy().then(() => undefined),
  }
}
