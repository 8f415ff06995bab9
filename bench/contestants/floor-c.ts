/**
 * Floor C: raw IndexedDB, each page whole as one row. Storing can hardly be cheaper; the price is that everything must be
 * read before the first question can be answered.
 */
import type { Row, Shape } from '../data.ts'
import type { Contestant } from '../page/contestant.ts'
import { pages } from './queue.ts'
import { completed, openDatabase, result, write } from './raw-idb.ts'
import { createWatchers } from './watch.ts'

const STORE = 'pages'

interface Memory {
  readonly rows: Map<unknown, Row>
  readonly groups: Map<unknown, Set<unknown>>
}

export function create(): Contestant {
  let database: IDBDatabase
  let shape: Shape
  let memory: Promise<Memory> | undefined

  function add({ rows, groups }: Memory, page: readonly Row[]): void {
    for (const row of page) {
      const id = row['id']
      const before = rows.get(id)
      if (before !== undefined && before[shape.group] !== row[shape.group]) groups.get(before[shape.group])?.delete(id)
      rows.set(id, row)
      const group = groups.get(row[shape.group]) ?? new Set()
      groups.set(row[shape.group], group.add(id))
    }
  }

  async function load(): Promise<Memory> {
    const loaded: Memory = { rows: new Map(), groups: new Map() }
    const stored: Array<readonly Row[]> = await result(database.transaction(STORE).objectStore(STORE).getAll())
    for (const page of stored) add(loaded, page)
    return loaded
  }

  const all = (): Promise<Memory> => (memory ??= load())
  async function byGroup(group: Row[string], limit = Number.POSITIVE_INFINITY): Promise<readonly Row[]> {
    const { rows, groups } = await all()
    const ids = [...(groups.get(group) ?? [])].slice(0, limit)
    return ids.map((id) => rows.get(id) as Row)
  }
  const watchers = createWatchers(byGroup)

  return {
    async open(setup) {
      shape = setup.shape
      database = await openDatabase('bench', (fresh) => void fresh.createObjectStore(STORE, { autoIncrement: true }))
    },
    async sync() {
      const known = await memory
      for await (const { rows } of pages()) {
        const transaction = write(database, STORE)
        transaction.objectStore(STORE).add(rows)
        await completed(transaction)
        if (known !== undefined) add(known, rows)
      }
      await watchers.tell()
    },
    count: async () => (await all()).rows.size,
    get: async (id) => (await all()).rows.get(id),
    byGroup,
    async bySort(limit) {
      const names = [...(await all()).rows.values()].map((row) => ({ row, key: row[shape.sort] as string }))
      return names
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .slice(0, limit)
        .map(({ row }) => row)
    },
    async scan() {
      const { field, from } = shape.scan
      return [...(await all()).rows.values()].filter((row) => (row[field] as number) >= from)
    },
    live: watchers.add,
    close: async () => database.close(),
  }
}
