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
  /** Calls `listener` with each difference; the first one adds every row. */
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
  /** New slots are [from, to). */
  readonly from: number
  readonly to: number
  /** Older slots whose values changed. */
  readonly slots: Uint32Array
}

export interface ColumnFeed<F extends string> extends Store<ColumnsSnapshot<F>> {
  readonly changes: (listener: (change: ColumnsChange) => void) => () => void
}

export interface QueryBuilder<T, S = T> {
  where(conditions: Where<T>): QueryBuilder<T, S>
  orderBy(field: keyof T & string, dir?: Direction): QueryBuilder<T, S>
  limit(count: number): QueryBuilder<T, S>
  /** Rows after this one in the query's order: give the last row of the page before. */
  after(row: T): QueryBuilder<T, S>
  select<F extends keyof T & string>(...fields: readonly F[]): QueryBuilder<T, Pick<T, F>>
  all(): Promise<S[]>
  first(): Promise<S | undefined>
  count(): Promise<number>
  live(): LiveQuery<S>
  /** The selected numeric fields as growing typed arrays (R39). Needs `select`. */
  columns(): ColumnFeed<keyof S & string>
}

export interface CollectionApi<T> extends Pick<
  QueryBuilder<T>,
  'where' | 'orderBy' | 'limit' | 'select' | 'all' | 'first' | 'count' | 'live'
> {
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
  now(options?: WaitOptions): Promise<void>
  pause(): Promise<void>
  resume(): Promise<void>
  restart(): Promise<void>
  close(): Promise<void>
}

export type Sync<C extends Collections> = SyncControl & { readonly [N in keyof C]: CollectionApi<RowOf<C[N]>> }
