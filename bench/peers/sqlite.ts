/** SQLite compiled to WebAssembly, on OPFS through its pool of access handles, the fastest of its file systems. */
import sqlite3InitModule, { type Database, type SqlValue } from '@sqlite.org/sqlite-wasm'
import type { Kind, Row, Shape } from '../data.ts'
import type { Contestant } from '../page/contestant.ts'
import { groups } from '../contestants/queue.ts'
import { createWatchers } from '../contestants/watch.ts'

/** A transaction costs as much as hundreds of records. */
const TRANSACTION = 1_000

const TYPES: Readonly<Record<Kind, string>> = { number: 'NUMERIC', string: 'TEXT', boolean: 'INTEGER', json: 'TEXT' }

export function create(): Contestant {
  let database: Database
  let shape: Shape
  let fields: ReadonlyArray<readonly [name: string, kind: Kind]>

  function toValue(value: unknown, kind: Kind): SqlValue {
    if (kind === 'json') return JSON.stringify(value)
    return kind === 'boolean' ? Number(value) : (value as SqlValue)
  }

  function toRow(values: Readonly<Record<string, SqlValue>>): Row {
    const row: Record<string, unknown> = { ...values }
    for (const [name, kind] of fields) {
      if (kind === 'json') row[name] = JSON.parse(row[name] as string)
      if (kind === 'boolean') row[name] = row[name] === 1
    }
    return row
  }

  function put(rows: readonly Row[]): void {
    database.transaction(() => {
      const statement = database.prepare(`INSERT OR REPLACE INTO rows VALUES (${fields.map(() => '?').join(', ')})`)
      for (const row of rows) statement.bind(fields.map(([name, kind]) => toValue(row[name], kind))).stepReset()
      statement.finalize()
    })
  }

  async function select(rest: string, ...bind: SqlValue[]): Promise<Row[]> {
    const found = database.exec({
      sql: `SELECT * FROM rows ${rest}`,
      bind,
      rowMode: 'object',
      returnValue: 'resultRows',
    })
    return found.map(toRow)
  }

  const byGroup = (group: Row[string], limit = -1): Promise<Row[]> =>
    select(`WHERE "${shape.group}" = ? LIMIT ?`, group as SqlValue, limit)
  const watchers = createWatchers(byGroup)

  return {
    async open(setup) {
      shape = setup.shape
      fields = Object.entries(shape.fields)
      const sqlite = await sqlite3InitModule()
      const pool = await sqlite.installOpfsSAHPoolVfs({})
      database = new pool.OpfsSAHPoolDb('/bench.sqlite3')
      const columns = fields.map(([name, kind]) => `"${name}" ${name === 'id' ? 'INTEGER PRIMARY KEY' : TYPES[kind]}`)
      database.exec(`CREATE TABLE IF NOT EXISTS rows (${columns.join(', ')})`)
      for (const field of [shape.group, shape.sort])
        database.exec(`CREATE INDEX IF NOT EXISTS "by_${field}" ON rows ("${field}")`)
    },
    async sync() {
      for await (const rows of groups(TRANSACTION)) put(rows)
      await watchers.tell()
    },
    count: async () => database.selectValue('SELECT count(*) FROM rows') as number,
    get: async (id) => (await select('WHERE id = ?', id))[0],
    byGroup,
    bySort: (limit) => select(`ORDER BY "${shape.sort}" LIMIT ?`, limit),
    scan: () => select(`WHERE "${shape.scan.field}" >= ?`, shape.scan.from),
    live: watchers.add,
    close: async () => database.close(),
  }
}
