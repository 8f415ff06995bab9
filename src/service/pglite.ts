/**
 * The embedded store: PostgreSQL in this process (PGlite), in a folder or in memory. Nothing to install.
 * Loaded only when asked for, because it is large and, with a folder, needs Node.
 *
 * Durability: what was answered survives the kill of the process, not the loss of power (R37).
 */
import type { PGlite } from '@electric-sql/pglite'
import type { Sql, SqlRunner } from './sql/sql.ts'
import { createSqlStore, prepareDatabase, type SqlStoreOptions } from './sql/store.ts'
import type { SyncStore } from './store.ts'

export interface PgliteStoreOptions extends SqlStoreOptions {
  /** Where the data is; made if missing. One process at a time may use it. Absent: in memory. */
  readonly folder?: string | undefined
}

/** @throws Error if another process holds the folder, or if it cannot be made or read. */
export async function createPgliteStore(options: PgliteStoreOptions = {}): Promise<SyncStore> {
  const { folder } = options
  if (folder === undefined) return createSqlStore(await openDatabase(undefined), options)
  const [{ mkdir }, { lockFolder }] = await Promise.all([import('node:fs/promises'), import('./folder-lock.ts')])
  await mkdir(folder, { recursive: true })
  const lock = await lockFolder(folder)
  try {
    const sql = await openFolder(folder, options.uuid ?? (() => crypto.randomUUID()))
    const store = await createSqlStore(sql, options)
    return {
      ...store,
      async close() {
        await store.close()
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

/** A database killed while it was being made would never open again: it is made aside and moved when whole. */
async function openFolder(folder: string, uuid: () => string): Promise<Sql> {
  const [{ existsSync }, { rename, rm }, path] = await Promise.all([
    import('node:fs'),
    import('node:fs/promises'),
    import('node:path'),
  ])
  const data = path.join(folder, 'data')
  if (!existsSync(data)) {
    const unfinished = path.join(folder, 'unfinished')
    await rm(unfinished, { recursive: true, force: true })
    const sql = await openDatabase(unfinished)
    await prepareDatabase(sql, uuid)
    await sql.close()
    await rename(unfinished, data)
  }
  return openDatabase(data)
}

async function openDatabase(folder: string | undefined): Promise<Sql> {
  const { PGlite } = await import('@electric-sql/pglite')
  const db = await PGlite.create(folder === undefined ? {} : { dataDir: folder })
  return {
    ...runnerOf(db),
    transaction: (run) => db.transaction((tx) => run(runnerOf(tx))),
    close: () => db.close(),
  }
}

function runnerOf(db: Pick<PGlite, 'query'>): SqlRunner {
  return {
    async query<Row extends object>(text: string, params: readonly unknown[] = []) {
      return (await db.query<Row>(text, [...params])).rows
    },
  }
}
