/** WatermelonDB: LokiJS adapter with incremental IndexedDB as its documentation sets it up, all of it in our worker. */
import { appSchema, Database, Model, Q, tableSchema, type Collection, type ColumnName } from '@nozbe/watermelondb'
import LokiJSAdapter from '@nozbe/watermelondb/adapters/lokijs'
import type { Kind, Row, Shape } from '../data.ts'
import type { Contestant } from '../page/contestant.ts'
import { pages } from '../contestants/queue.ts'

class Rows extends Model {
  static override table = 'rows'
}

type Raw = Record<string, unknown>

/** Loki saves on a timer; this is how the adapter itself asks it to save now. */
interface WithLoki {
  readonly _dispatcher: {
    readonly _worker: {
      readonly _bridge: { readonly driver: { readonly loki: { saveDatabase(done: (error?: unknown) => void): void } } }
    }
  }
}

const TYPES = { number: 'number', string: 'string', boolean: 'boolean', json: 'string' } as const satisfies Record<
  Kind,
  string
>

export function create(): Contestant {
  let database: Database
  let adapter: LokiJSAdapter
  let rows: Collection<Rows>
  let shape: Shape
  let jsonFields: readonly string[]

  function toRaw(row: Row): Raw {
    const raw: Raw = { ...row, id: String(row['id']) }
    for (const field of jsonFields) raw[field] = JSON.stringify(row[field])
    return raw
  }

  function toRow(model: Rows): Row {
    const { _status, _changed, ...row } = model._raw as unknown as Raw
    row['id'] = Number(row['id'])
    for (const field of jsonFields) row[field] = JSON.parse(row[field] as string)
    return row
  }

  async function store(page: readonly Row[], fresh: boolean): Promise<void> {
    const ids = page.map((row) => String(row['id']))
    const found = fresh ? [] : await rows.query(Q.where('id', Q.oneOf(ids))).fetch()
    const known = new Map(found.map((model) => [model.id, model]))
    await database.write(() =>
      database.batch(
        page.map((row) => {
          const raw = toRaw(row)
          const model = known.get(raw['id'] as string)
          if (model === undefined) return rows.prepareCreateFromDirtyRaw(raw)
          return model.prepareUpdate(() => {
            for (const [field, value] of Object.entries(raw))
              if (field !== 'id') model._setRaw(field as ColumnName, value as string)
          })
        }),
      ),
    )
  }

  function save(): Promise<void> {
    const { loki } = (adapter as unknown as WithLoki)._dispatcher._worker._bridge.driver
    return new Promise((resolve, reject) => {
      loki.saveDatabase((error) => (error === undefined || error === null ? resolve() : reject(error)))
    })
  }

  const inGroup = (group: Row[string], limit: number | null) =>
    rows.query(Q.where(shape.group as ColumnName, group as string), ...(limit === null ? [] : [Q.take(limit)]))

  return {
    async open(setup) {
      shape = setup.shape
      const { fields, group, sort } = shape
      jsonFields = Object.keys(fields).filter((field) => fields[field] === 'json')
      const columns = Object.entries(fields)
        .filter(([field]) => field !== 'id')
        .map(([field, kind]) => ({
          name: field as ColumnName,
          type: TYPES[kind],
          isIndexed: field === group || field === sort,
        }))
      const schema = appSchema({ version: 1, tables: [tableSchema({ name: 'rows', columns })] })
      adapter = new LokiJSAdapter({ dbName: 'bench', schema, useWebWorker: false, useIncrementalIndexedDB: true })
      database = new Database({ adapter, modelClasses: [Rows] })
      rows = database.get<Rows>('rows')
      await database.localStorage.get('ready')
    },
    async sync() {
      const fresh = (await rows.query().fetchCount()) === 0
      for await (const page of pages()) await store(page.rows, fresh)
      await save()
    },
    count: () => rows.query().fetchCount(),
    get: (id) => rows.find(String(id)).then(toRow),
    byGroup: async (group, limit) => (await inGroup(group, limit).fetch()).map(toRow),
    bySort: async (limit) =>
      (await rows.query(Q.sortBy(shape.sort as ColumnName, Q.asc), Q.take(limit)).fetch()).map(toRow),
    scan: async () =>
      (await rows.query(Q.where(shape.scan.field as ColumnName, Q.gte(shape.scan.from))).fetch()).map(toRow),
    live: (group, limit, seen) =>
      new Promise((resolve) => {
        inGroup(group, limit)
          .observeWithColumns([shape.stamp as ColumnName])
          .subscribe((models) => {
            seen(models.map(toRow))
            resolve()
          })
      }),
    close: save,
  }
}
