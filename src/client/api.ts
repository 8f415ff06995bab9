/** The public shape of the page's side, as `docs/api.md` describes it. Types only. */
import type { SyncError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Direction, Where } from '../query.ts'
import type { Collections, RowOf, Schema } from '../schema.ts'
import type {
  Capabilities,
  QuarantinedItem,
  SessionRecord,
  Status,
  Timeouts,
  Ceiling,
  TokenReason,
} from '../worker/api.ts'

/** Anything that can be shown and followed: status, history, quarantine, live queries. */
export interface Store<T> {
  /** The same object until something changes. */
  readonly getSnapshot: () => T
  /** Calls `listener` after each change; returns the way to stop. */
  readonly subscribe: (listener: () => void) => () => void
}

export type RowState = 'synced' | 'stale'

export interface LiveSnapshot<T> {
  readonly state: 'loading' | 'ready' | 'error'
  readonly rows: readonly T[]
  /** State of each row, same positions as `rows` (R21). */
  readonly states: readonly RowState[]
  readonly error: SyncError | null
}

export interface LiveChanges<T> {
  readonly added: readonly T[]
  readonly changed: readonly T[]
  /** The removed rows as last known. */
  readonly removed: readonly T[]
}

export interface LiveQuery<T> extends Store<LiveSnapshot<T>> {
  /**
   * Calls `listener` with each difference; the first one adds every row, soon after the call or when the
   * rows have come. Returns the way to stop.
   */
  readonly changes: (listener: (changes: LiveChanges<T>) => void) => () => void
}

export interface ColumnsSnapshot<F extends string> {
  readonly state: 'loading' | 'ready' | 'error'
  /** Number of slots in use. A removed row leaves NaN in its slot. */
  readonly size: number
  /** One array a field, at least `size` long; null and non-numbers are NaN. */
  readonly columns: Readonly<Record<F, Float64Array>>
  readonly error: SyncError | null
}

export interface ColumnsChange {
  /** New slots are [from, to). From 0: all slots are new, those known before are void. */
  readonly from: number
  readonly to: number
  /** Older slots whose values changed. */
  readonly slots: Uint32Array
}

export interface ColumnFeed<F extends string> extends Store<ColumnsSnapshot<F>> {
  /** Calls `listener` with each change, the first one from 0; returns the way to stop. */
  readonly changes: (listener: (change: ColumnsChange) => void) => () => void
}

/**
 * A query under construction: each step gives a new one. Nothing is asked before it ends in `all`, `first`,
 * `count`, `live` or `columns`. A step throws SyncError `invalid_argument` for what it cannot carry; a condition
 * or limit that makes no sense is refused by the answer.
 */
export interface QueryBuilder<T, S = T> {
  /** Adds conditions, one for each field; all must hold. */
  where(conditions: Where<T>): QueryBuilder<T, S>
  /** Without it, rows come by id as text. */
  orderBy(field: keyof T & string, dir?: Direction): QueryBuilder<T, S>
  /** At most so many rows. */
  limit(count: number): QueryBuilder<T, S>
  /** Rows after this one in the query's order: give the last row of the page before. */
  after(row: T): QueryBuilder<T, S>
  /** Rows carry these fields only. */
  select<F extends keyof T & string>(...fields: readonly F[]): QueryBuilder<T, Pick<T, F>>
  /** All rows, in order. Rejects with a SyncError after 60 seconds at the latest, as every call does. */
  all(): Promise<S[]>
  first(): Promise<S | undefined>
  count(): Promise<number>
  /** The rows, followed while anybody subscribes. */
  live(): LiveQuery<S>
  /** The selected numeric fields as growing typed arrays (R39). Needs `select`. */
  columns(): ColumnFeed<keyof S & string>
}

export interface CollectionApi<T> extends Pick<
  QueryBuilder<T>,
  'where' | 'orderBy' | 'limit' | 'select' | 'all' | 'first' | 'count' | 'live'
> {
  /**
   * The record with this key; `1` and `"1"` are the same.
   * @throws SyncError `invalid_argument` for an empty string, a fraction, or a number of 2^53 and above
   */
  get(key: string | number): Promise<T | undefined>
  /** In the order of `keys`; undefined where there is no such record. */
  getMany(keys: ReadonlyArray<string | number>): Promise<Array<T | undefined>>
}

export interface WaitOptions {
  /** Milliseconds; 60,000 unless given. */
  readonly timeout?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export interface SyncOptions<C extends Collections> {
  readonly schema: Schema<C>
  /** Your app's name for this database. */
  readonly name: string
  /** Whose data it is; null for apps without accounts (R22). */
  readonly account: string | null
  /** Address of the sync service; relative ones are resolved against the page. */
  readonly endpoint: string
  /** Called whenever a token is needed; `refused` after a 401. */
  readonly token: (request: { readonly reason: TokenReason; readonly signal: AbortSignal }) => string | Promise<string>
  /** The app's own worker; the packaged one if left out. */
  readonly worker?: Worker | (() => Worker) | undefined
  /** Requests a second; 0 for none. Wins over what the server announces (R12). */
  readonly rate?: number | undefined
  /** What the server can do, for servers that do not say so themselves (R13). */
  readonly capabilities?: Partial<Capabilities> | undefined
  /** Milliseconds between sessions while nothing else wakes the engine; 60,000 unless given. */
  readonly poll?: number | undefined
  readonly timeouts?: Partial<Timeouts> | undefined
  /** How much may wait in the inbox before draining waits for settling (R7). */
  readonly ceiling?: Partial<Ceiling> | undefined
  readonly log?: Log | undefined
}

export interface SyncControl {
  /** Resolves when storage is open; rejects with the error that `status` shows. Never waits for the network. */
  readonly ready: Promise<void>
  readonly status: Store<Status>
  readonly history: Store<{ readonly sessions: readonly SessionRecord[] }>
  readonly quarantine: Store<{ readonly count: number; readonly items: readonly QuarantinedItem[] }>
  /**
   * Resolves when a session that started after the call ended clean and is stored (R10).
   * @throws SyncError `timeout`, `aborted`, `unauthorized`, `paused`, or what stopped the engine
   */
  now(options?: WaitOptions): Promise<void>
  /** Stops syncing on this device, in all tabs and over reloads, until `resume`. */
  pause(): Promise<void>
  /** Goes on after `pause`, after a login, or after a stop whose cause was mended. */
  resume(): Promise<void>
  /** Wipes this database in one transaction and downloads everything anew (R23). */
  restart(): Promise<void>
  /** Ends this tab's client: pending calls reject with `closed`, the worker is asked to stop and ended after 2 s. */
  close(): Promise<void>
}

export type Sync<C extends Collections> = SyncControl & { readonly [N in keyof C]: CollectionApi<RowOf<C[N]>> }
