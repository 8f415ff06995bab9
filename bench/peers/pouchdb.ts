/** PouchDB on its default adapter: `bulkDocs` for each page, Mango indexes built before the sync counts as done. */
import PouchDB, { type Doc } from 'pouchdb-browser'
import pouchFind from 'pouchdb-find'
import type { Row, Shape } from '../data.ts'
import type { Contestant } from '../page/contestant.ts'
import { pages } from '../contestants/queue.ts'

PouchDB.plugin(pouchFind)

const ALL = 1_000_000

function toRow({ _id, _rev, ...row }: Doc): Row {
  return row
}

export function create(): Contestant {
  let database: PouchDB
  let shape: Shape

  async function revisions(rows: readonly Row[]): Promise<Map<string, string>> {
    const known = await database.allDocs({ keys: rows.map((row) => String(row['id'])) })
    return new Map(known.rows.flatMap(({ key, value }) => (value === undefined ? [] : [[key, value.rev]])))
  }

  async function put(rows: readonly Row[], known: ReadonlyMap<string, string>): Promise<void> {
    const docs = rows.map((row) => {
      const _id = String(row['id'])
      const _rev = known.get(_id)
      return { ...row, _id, ...(_rev !== undefined && { _rev }) }
    })
    const answers = await database.bulkDocs(docs)
    if (answers.some(({ error }) => error !== undefined)) throw new Error('PouchDB refused a record')
  }

  async function find(selector: object, more: { sort?: string[]; limit?: number } = {}): Promise<Row[]> {
    return (await database.find({ selector, limit: ALL, ...more })).docs.map(toRow)
  }

  const inGroup = (group: Row[string], limit = ALL): Promise<Row[]> => find({ [shape.group]: group }, { limit })
  const bySort = (limit: number): Promise<Row[]> => find({ [shape.sort]: { $gt: null } }, { sort: [shape.sort], limit })

  return {
    async open(setup) {
      shape = setup.shape
      database = new PouchDB('bench', { auto_compaction: true, revs_limit: 1 })
      for (const field of [shape.group, shape.sort]) await database.createIndex({ index: { fields: [field] } })
    },
    async sync() {
      const fresh = (await database.info()).doc_count < 3
      for await (const { rows } of pages()) await put(rows, fresh ? new Map() : await revisions(rows))
      // Its indexes are built by the first question that needs them.
      await inGroup(null, 1)
      await bySort(1)
    },
    // The two index definitions are documents too.
    count: async () => (await database.info()).doc_count - 2,
    get: async (id) => toRow(await database.get(String(id))),
    byGroup: inGroup,
    bySort,
    scan: () => find({ [shape.scan.field]: { $gte: shape.scan.from } }),
    async live(group, limit, seen) {
      const ask = async (): Promise<void> => seen(await inGroup(group, limit ?? ALL))
      let asking: Promise<void> | undefined
      let again = false
      const changed = (): void => {
        again = true
        asking ??= (async () => {
          while (again) {
            again = false
            await ask()
          }
          asking = undefined
        })()
      }
      database.changes({ since: 'now', live: true }).on('change', changed)
      await ask()
    },
    close: () => database.close(),
  }
}
