/**
 * The store contract over SQL: each operation is one transaction, or takes effect in one statement. PGlite has
 * a single connection, so statements run one after the other there.
 */
import { scopeSet } from '../pending.ts'
import { defaultTerms, StoreClosedError, type SyncStore, type Terms } from '../store.ts'
import { acceptAcks, workOffAcks } from './acks.ts'
import { dropDevice, dropSilentDevices } from './devices.ts'
import { importRecords } from './import.ts'
import { list, read, write } from './objects.ts'
import { openSession, takePage, type SessionDeps } from './sessions.ts'
import { one, type Sql, type SqlRunner } from './sql.ts'
import { createTables, SCHEMA_VERSION } from './tables.ts'

export interface SqlStoreOptions {
  readonly uuid?: (() => string) | undefined
  readonly now?: (() => number) | undefined
  readonly terms?: Partial<Terms> | undefined
}

/** Makes tables, epoch and secret in an empty database; false if they are there. */
export async function prepareDatabase(sql: Sql, uuid: () => string): Promise<boolean> {
  return sql.transaction(async (tx) => {
    const { there } = await one<{ there: boolean }>(tx, `select to_regclass('meta') is not null as there`)
    if (there) return false
    await createTables(tx)
    await tx.query(`insert into meta (key, value) values ('schema', $1), ('epoch', $2), ('secret', $3)`, [
      String(SCHEMA_VERSION),
      uuid(),
      uuid() + uuid(),
    ])
    return true
  })
}

/** @throws Error if the data was written by another version of the schema. */
export async function createSqlStore(sql: Sql, options: SqlStoreOptions = {}): Promise<SyncStore> {
  const uuid = options.uuid ?? (() => crypto.randomUUID())
  const now = options.now ?? (() => Date.now())
  const terms = { ...defaultTerms, ...options.terms }
  await prepareDatabase(sql, uuid)
  const meta = new Map(
    (await sql.query<{ key: string; value: string }>(`select key, value from meta`)).map((row) => [row.key, row.value]),
  )
  if (meta.get('schema') !== String(SCHEMA_VERSION)) {
    throw new Error(
      `The stored data has schema version ${meta.get('schema')}, this version of Tidegate needs ${SCHEMA_VERSION}.`,
    )
  }
  const epoch = meta.get('epoch') ?? ''
  const deps: SessionDeps = { now, uuid, terms, secret: `${epoch} ${meta.get('secret')}` }
  await dropSilentDevices(sql, now() - terms.device)
  let closed = false

  async function transaction<T>(run: (tx: SqlRunner) => Promise<T>): Promise<T> {
    open()
    return sql.transaction(run)
  }

  /** For operations whose effect is in one statement. */
  async function single<T>(run: (runner: SqlRunner) => Promise<T>): Promise<T> {
    open()
    return run(sql)
  }

  function open(): void {
    if (closed) throw new StoreClosedError('The store is closed.')
  }

  return {
    epoch,
    openSession: (device, sees, maxSessions) =>
      transaction((tx) => openSession(tx, device, scopeSet(sees), maxSessions, deps)),
    takePage: (device, session, limits) => single((tx) => takePage(tx, device, session, limits, deps)),
    acceptAcks: (device, keys) => single((tx) => acceptAcks(tx, device, keys, deps)),
    workOffAcks: (workOff = {}) => single((tx) => workOffAcks(tx, workOff, deps)),
    write: (writer, op, key, review) => transaction((tx) => write(tx, writer, op, key, review, deps)),
    read: (account, sees, type, id) => single((tx) => read(tx, account, sees, type, id)),
    list: (account, sees, type, page) => transaction((tx) => list(tx, account, sees, type, page)),
    forget: (device) => transaction((tx) => dropDevice(tx, device)),

    async importRecords(account, records, progress) {
      const result = await transaction((tx) => importRecords(tx, account, records, progress ?? (() => {})))
      // The planner's figures are those of an empty table otherwise, and the first start takes the wrong road.
      if (result.changed > 0) await sql.query('analyze objects')
      return result
    },

    async close() {
      if (closed) return
      closed = true
      await sql.close()
    },
  }
}
