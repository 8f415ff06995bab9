/** RxDB: Dexie storage, pull replication with its own bookkeeping, queries and live queries by its query engine. */
import { createRxDatabase, type RxCollection, type RxJsonSchema, type WithDeleted } from 'rxdb'
import { replicateRxCollection, type RxReplicationState } from 'rxdb/plugins/replication'
import { getRxStorageDexie } from 'rxdb/plugins/storage-dexie'
import type { Kind, Row, Shape } from '../data.ts'
import type { Contestant } from '../page/contestant.ts'
import { fetchPage, startSession } from '../contestants/queue.ts'

/** Its primary keys are strings. */
type Doc = Omit<Record<string, unknown>, 'id'> & { id: string }

const TYPES: Readonly<Record<Kind, object>> = {
  number: { type: 'number' },
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  json: {},
}
/** What an index needs to know of its field. */
const INDEXED: Readonly<Record<Kind, object>> = {
  ...TYPES,
  number: { type: 'number', minimum: 0, maximum: 1_000_000, multipleOf: 1 },
  string: { type: 'string', maxLength: 200 },
}

function schemaOf({ fields, group, sort }: Shape): RxJsonSchema<Doc> {
  const indexed = [group, sort]
  const properties = Object.fromEntries(
    Object.entries(fields).map(([field, kind]) => [field, (indexed.includes(field) ? INDEXED : TYPES)[kind]]),
  )
  return {
    version: 0,
    primaryKey: 'id',
    type: 'object',
    properties: { ...properties, id: { type: 'string', maxLength: 20 } } as RxJsonSchema<Doc>['properties'],
    required: ['id', ...indexed],
    indexes: indexed,
  }
}

const toDoc = (row: Row): WithDeleted<Doc> => ({ ...row, id: String(row['id']), _deleted: false })
const toRow = (doc: { toJSON(): object }): Row => {
  const row = doc.toJSON() as Doc
  return { ...row, id: Number(row.id) }
}

export function create(): Contestant {
  let rows: RxCollection<Doc>
  let shape: Shape
  let replication: RxReplicationState<Doc, number> | undefined
  let closeDatabase: () => Promise<unknown>
  let session: string | null = null
  let pulled = 0

  async function pull() {
    session ??= await startSession()
    const page = session === null ? null : await fetchPage(session)
    if (page === null) session = null
    return { documents: (page?.rows ?? []).map(toDoc), checkpoint: ++pulled }
  }

  const inGroup = (group: Row[string], limit: number | null) =>
    rows.find({ selector: { [shape.group]: group }, ...(limit !== null && { limit }) })

  return {
    async open(setup) {
      shape = setup.shape
      const database = await createRxDatabase({ name: 'bench', storage: getRxStorageDexie() })
      closeDatabase = () => database.close()
      const collections = await database.addCollections({ rows: { schema: schemaOf(shape) } })
      rows = collections.rows as unknown as RxCollection<Doc>
    },
    async sync() {
      if (replication === undefined) {
        replication = replicateRxCollection<Doc, number>({
          collection: rows,
          replicationIdentifier: 'bench',
          live: true,
          // There is one tab; waiting for it to be elected would only cost time.
          waitForLeadership: false,
          // Any answer may be followed by another; only an empty one ends a pull.
          pull: { handler: pull, batchSize: 1 },
        })
        await replication.awaitInitialReplication()
      } else {
        replication.reSync()
        await replication.awaitInSync()
      }
    },
    count: () => rows.count().exec(),
    async get(id) {
      const doc = await rows.findOne(String(id)).exec()
      return doc === null ? undefined : toRow(doc)
    },
    byGroup: async (group, limit) => (await inGroup(group, limit).exec()).map(toRow),
    bySort: async (limit) => (await rows.find({ sort: [{ [shape.sort]: 'asc' }], limit }).exec()).map(toRow),
    async scan() {
      const { field, from } = shape.scan
      return (await rows.find({ selector: { [field]: { $gte: from } } }).exec()).map(toRow)
    },
    live: (group, limit, seen) =>
      new Promise((resolve) => {
        inGroup(group, limit).$.subscribe((docs) => {
          seen(docs.map(toRow))
          resolve()
        })
      }),
    close: async () => {
      await replication?.cancel()
      await closeDatabase()
    },
  }
}
