/** The contestants: where their code is, where it runs, and what a reader must know to judge the figures. */
export interface Entry {
  readonly name: string
  /** Module of this folder that exports `create`. */
  readonly file: string
  readonly thread: 'worker' | 'page'
  /** Package whose version is shown; null for hand-written floors and for ourselves. */
  readonly package: string | null
  /** Tells the server what it stored, record by record. */
  readonly acknowledges: boolean
  /** False for what can answer no question. */
  readonly answers: boolean
  /** Largest data set it is run with unless named on the command line. */
  readonly limit: number
  /** GETs at once that the server allows in this contestant's runs. */
  readonly lanes: number
  readonly note: string
}

const entry = (name: string, file: string, note: string, more: Partial<Entry> = {}): Entry => ({
  name,
  file,
  note,
  thread: 'worker',
  package: null,
  acknowledges: false,
  answers: true,
  limit: Number.POSITIVE_INFINITY,
  lanes: 1,
  ...more,
})

export const registry: readonly Entry[] = [
  entry('floor-a', 'contestants/floor-a.ts', 'fetches and parses every page, stores nothing', { answers: false }),
  entry('floor-b', 'contestants/floor-b.ts', 'raw IndexedDB, one row for each record, one index'),
  entry(
    'floor-c',
    'contestants/floor-c.ts',
    'raw IndexedDB, each page whole as one row; reads all of it before its first answer',
  ),
  entry(
    'floor-d',
    'contestants/floor-d.ts',
    'floor B with two indexes, overlapping transactions, every page acknowledged',
    { acknowledges: true },
  ),
  entry('dexie', 'peers/dexie.ts', '`bulkPut` for each page, `liveQuery`', { package: 'dexie' }),
  entry(
    'rxdb',
    'peers/rxdb.ts',
    'Dexie storage, its own replication; on the page, since its worker storage is not free',
    { package: 'rxdb', thread: 'page' },
  ),
  entry('pouchdb', 'peers/pouchdb.ts', '`bulkDocs` for each page, two Mango indexes; small sizes only', {
    package: 'pouchdb-browser',
    thread: 'page',
    limit: 10_000,
  }),
  entry('watermelon', 'peers/watermelon.ts', 'LokiJS adapter with incremental IndexedDB, all of it in a worker', {
    package: '@nozbe/watermelondb',
  }),
  entry('tinybase', 'peers/tinybase.ts', 'in memory on the page, saved by its IndexedDB persister after the sync', {
    package: 'tinybase',
    thread: 'page',
  }),
  entry('sqlite', 'peers/sqlite.ts', 'SQLite on OPFS (SAH pool), 1,000 records a transaction', {
    package: '@sqlite.org/sqlite-wasm',
  }),
  entry('tidegate', 'contestants/tidegate.ts', 'the built package with its packaged worker, one GET at a time', {
    thread: 'page',
    acknowledges: true,
  }),
  entry('tidegate-4', 'contestants/tidegate.ts', 'the same with four GETs allowed', {
    thread: 'page',
    acknowledges: true,
    lanes: 4,
  }),
]

export function entryOf(name: string): Entry {
  const found = registry.find((one) => one.name === name)
  if (found === undefined)
    throw new Error(`There is no contestant "${name}"; there are ${registry.map((one) => one.name).join(', ')}.`)
  return found
}
