/**
 * The store as the rest of the engine sees it: this file only wires. Everything that writes as the leader
 * takes a lease; everything that reads joins tables and overlay (R2); every change is told to listeners.
 */
import type { Clock, Random } from '../clock.ts'
import { SyncError } from '../errors.ts'
import { compileQuery, type CompiledQuery, type Query } from '../query.ts'
import type { CollectionSpec, Row, Schema } from '../schema.ts'
import { openDatabase, type StorageDeps } from './database.ts'
import type { HistoryRow } from './rows.ts'
import { createDevice, type Device } from './device.ts'
import { asLeader, readAsLeader, type Lease } from './guard.ts'
import type { RowState } from './edit.ts'
import { createEdits } from './edits.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import { createOutboxLog } from './outbox-log.ts'
import { withRealKeys } from './real-keys.ts'
import { createInbox, type Committed, type IncomingPage } from './inbox.ts'
import type { SessionFacts } from './device.ts'
import { createOverlay } from './overlay.ts'
import { createQuarantine, type Quarantine } from './quarantine.ts'
import { createQueryRunner, type Found } from './run-query.ts'
import { storageClosed, storageError } from './storage-error.ts'
import { createTables } from './tables.ts'
import { createView, type Change, type StoreEvent } from './view.ts'

export type { Change, Committed, Found, HistoryRow, IncomingPage, Lease, SessionFacts, StoreEvent }

export interface Store {
  /** @throws SyncError `invalid_argument` if the schema has no such collection. */
  specOf(type: string): CollectionSpec
  readonly device: Device
  readonly quarantine: Quarantine
  /**
   * Becomes the leader: takes the epoch and reads everything the last one stored.
   * @param alone a lock keeps every other tab from leading, so that memory may answer for the disk (R2)
   */
  lead(alone: boolean): Promise<Lease>
  /**
   * Stores pages, newer items only. Needs no look at the disk to know what is newer while nothing was settled, since
   * the leader alone settles: a new leader follows once before it commits.
   */
  commit(lease: Lease, pages: readonly IncomingPage[], session: SessionFacts): Promise<Committed>
  /** Begins to look up what the disk knows of a page's records; its commit then need not wait for that. */
  prepare(page: IncomingPage): void
  /**
   * Moves the oldest inbox row into the tables, or at most so many of its records.
   * @returns records moved, or null if nothing waits.
   */
  settleNext(lease: Lease, most?: number): Promise<number | null>
  /** Session number `run` was clean: forgets deletions and confirmed edits from before its start (R5, R16). */
  proved(lease: Lease, run: number): Promise<void>
  /** Ack keys stored and not yet taken by the server, oldest first. */
  pendingAcks(): Promise<ReadonlyArray<{ readonly n: number; readonly keys: readonly string[] }>>
  /** The server has taken a row's keys, but for those it refused. */
  dropAcks(lease: Lease, n: number, refused: readonly string[]): Promise<void>
  addHistory(lease: Lease, entry: HistoryRow): Promise<void>
  history(): Promise<readonly HistoryRow[]>
  /** Clears everything and starts a new generation. */
  wipe(lease: Lease): Promise<Lease>
  /** Reads what other tabs wrote since (R25). Safe to call at any time; hints only decide when. */
  follow(): Promise<void>
  find(query: CompiledQuery): Promise<readonly Found[]>
  get(type: string, ids: readonly string[]): Promise<Array<Row | undefined>>
  count(query: CompiledQuery): Promise<number>
  /** How a record stands: local edits first, then whether a newer version of it is in quarantine (R21, R31). */
  stateOf(type: string, id: string): RowState
  /** Makes a query ready, with temporary keys in it replaced by the real ones (R18). @throws SyncError `invalid_argument` */
  compile(query: Query): CompiledQuery
  readonly outbox: Outbox
  /** The wipe of a sign-out, which stops every tab's engine; says `signedOut` in `device.sync()` until the next open (R28). */
  signOut(lease: Lease, keepOutbox: boolean): Promise<Lease>
  /** Closes and deletes the database. False: it could not be within two seconds, an empty shell is left (R28). */
  destroy(): Promise<boolean>
  /** What waits in the inbox. `empty`: nothing was ever stored in this generation. */
  counts(): {
    readonly pages: number
    readonly records: number
    readonly bytes: number
    readonly head: number
    readonly mark: number
    readonly empty: boolean
    /** When this worker got the oldest page, by the monotonic clock; null if none waits. */
    readonly oldestAt: number | null
  }
  settledCount(): Promise<number>
  /** Reads under way, to which settling gives way (R1), and all that ever began. */
  reads(): { readonly open: number; readonly begun: number }
  subscribe(listener: (event: StoreEvent) => void): () => void
  close(): void
}

export interface StoreDeps extends StorageDeps {
  readonly clock: Clock
  readonly random: Random
  readonly onScan?: ((collection: string, field: string) => void) | undefined
  /** False: every question is put to the disk, also where memory knows the answer. For tests of either way. */
  readonly fromMemory?: boolean | undefined
}

const HISTORY_KEPT = 100
const DESTROY_MS = 2_000

/** @throws SyncError `storage_*`, `schema_*`. */
export async function openStore(name: string, schema: Schema, deps: StoreDeps): Promise<Store> {
  const listeners = new Set<(event: StoreEvent) => void>()
  const emit = (event: StoreEvent): void => {
    for (const listener of [...listeners]) listener(event)
  }
  let closed = false
  const database = await openDatabase(name, schema, deps, () => {
    if (closed) return
    closed = true
    emit({ kind: 'closed', error: storageClosed() })
  })
  const { native, specs } = database
  const overlay = createOverlay()
  const device = guardedAll(createDevice(database, deps.random))
  /** Nobody else writes, as far as this worker knows, and it has read all that others wrote. */
  let leads = false
  const edits = createEdits(specs)
  const inbox = createInbox(database, overlay, edits)
  const view = createView({ database, overlay, edits, clock: deps.clock, emit })
  const log = createOutboxLog({
    database,
    overlay,
    edits,
    generation: () => view.generation,
    follow: () => view.follow(),
    show: view.showEdits,
  })
  const { find, snapshot, counts, ...calls } = createOutbox({ ...deps, log, edits, specs })
  const memory = { find, snapshot, counts }
  const tables = createTables(database, overlay, () => deps.clock.now())
  const runner = createQueryRunner({
    database,
    overlay,
    edits,
    catchUp: () => view.follow(),
    isCurrent: () => leads && deps.fromMemory !== false,
    onScan: deps.onScan ?? (() => {}),
  })
  const quarantine = guardedAll(createQuarantine(database, overlay, () => deps.clock.now()))
  let reading = 0
  let begunReads = 0
  /** How much of the oldest row is in the tables already. */
  let begun = { seq: 0, to: 0 }

  async function guarded<T>(work: () => PromiseLike<T>): Promise<T> {
    if (closed) throw storageClosed()
    try {
      return await work()
    } catch (error) {
      const known = storageError(error)
      if (known.code === 'fenced' || known.code === 'generation_changed') leads = false
      throw known
    }
  }

  /** The same functions; whatever they reject with is a SyncError. */
  function guardedAll<T extends object>(part: T): T {
    const calls = Object.entries(part) as Array<[string, (...args: unknown[]) => Promise<unknown>]>
    return Object.fromEntries(
      calls.map(([name, call]) => [name, (...args: unknown[]) => guarded(() => call(...args))]),
    ) as T
  }

  async function read<T>(work: () => PromiseLike<T>): Promise<T> {
    reading++
    begunReads++
    try {
      return await guarded(work)
    } finally {
      reading--
    }
  }

  /** What is in memory and what is on the disk are of two generations until it has been read anew. */
  function replace(work: () => Promise<Lease>): Promise<Lease> {
    return guarded(async () => {
      const led = leads
      leads = false
      const next = await work()
      await view.follow()
      leads = led
      return next
    })
  }

  function shut(): void {
    closed = true
    listeners.clear()
    database.close()
  }

  const specOf = (type: string): CollectionSpec => {
    const spec = specs.get(type)
    if (spec === undefined) throw new SyncError('invalid_argument', `There is no collection "${type}" in the schema.`)
    return spec
  }

  try {
    await guarded(async () => {
      await device.open()
      await view.load()
    })
  } catch (error) {
    closed = true
    database.close()
    throw error
  }

  return {
    specOf,
    device,
    lead: async (alone) => {
      const lease = await device.takeEpoch()
      await guarded(view.follow)
      leads = alone
      return lease
    },
    quarantine,
    commit: (lease, pages, session) =>
      guarded(async () => {
        const committed = await inbox.commit(lease, pages, session)
        view.show(committed.rows, committed.outbox)
        return committed
      }),
    prepare: inbox.prepare,
    settleNext: (lease, most = Infinity) =>
      guarded(async () => {
        const row = overlay.oldest()
        if (row === undefined) return null
        const from = begun.seq === row.seq ? begun.to : 0
        const to = Math.min(row.items.length, from + most)
        const mark = await tables.settle(lease, row, from, to)
        begun = { seq: row.seq, to }
        if (mark >= row.seq) view.settled(mark)
        return to - from
      }),
    proved: (lease, run) =>
      guarded(async () => {
        await tables.dropTombstones(lease, run)
        if (edits.proven(run).length > 0)
          await log.change(lease, [], async (draft) => {
            for (const edit of edits.proven(run)) draft.remove(edit, false)
          })
      }),
    pendingAcks: () =>
      guarded(async () => {
        const { device: uuid } = await device.identity()
        const rows = await database.acks.toArray()
        return rows
          .filter((row) => row.device === uuid && row.n !== undefined)
          .map((row) => ({ n: row.n as number, keys: row.keys }))
      }),
    dropAcks: (lease, n, refused) =>
      guarded(() =>
        native.write('relaxed', ['meta', 'acks'], async (store) => {
          await readAsLeader(store, database, lease)
          if (refused.length === 0) store('acks').delete(n)
          else store('acks').put({ n, device: lease.device, keys: [...refused] })
        }),
      ),
    addHistory: (lease, entry) =>
      guarded(() =>
        asLeader(database, lease, [database.meta, database.history], async () => {
          const n = (await database.history.add(entry)) as number
          await database.history
            .where('n')
            .belowOrEqual(n - HISTORY_KEPT)
            .delete()
        }),
      ),
    history: () => read(() => database.history.reverse().toArray()),
    wipe: (lease) => replace(() => device.wipe(lease)),
    follow: () => guarded(view.follow),
    find: (query) => read(() => runner.find(query, specOf(query.query.collection))),
    get: (type, ids) =>
      read(() =>
        runner.get(
          specOf(type),
          ids.map((id) => edits.realId(type, id)),
        ),
      ),
    count: (query) => read(() => runner.count(query, specOf(query.query.collection))),
    stateOf: view.stateOf,
    compile: (query) => {
      const spec = specOf(query.collection)
      return compileQuery(withRealKeys(query, spec, edits), spec)
    },
    outbox: { ...memory, ...guardedAll(calls) },
    signOut: (lease, keepOutbox) => replace(() => device.signOut(lease, keepOutbox)),
    async destroy() {
      shut()
      const late = deps.clock.sleep(DESTROY_MS).then(() => false)
      return Promise.race([database.destroy(), late])
    },
    counts: () => ({
      ...overlay.unsettled(),
      head: overlay.head,
      mark: overlay.mark,
      empty: overlay.head === overlay.base,
      oldestAt: overlay.oldest()?.at ?? null,
    }),
    settledCount: () => read(() => tables.count()),
    reads: () => ({ open: reading, begun: begunReads }),
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: shut,
  }
}
