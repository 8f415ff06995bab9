/** The public shape of the page's side, as `docs/api.md` describes it. Types only. */
import type { SyncError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Direction, Where } from '../query.ts'
import type { Collections, RowOf, Schema } from '../schema.ts'
import type {
  Capabilities,
  EditState,
  IfUnsent,
  OutboxSnapshot,
  QuarantinedItem,
  RowState,
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
  /**
   * Adds a record; without a key of its own it gets a temporary one (R18). Like `update` and `delete` it resolves
   * when the edit is durable here, offline too.
   * @throws SyncError `invalid_argument`, `record_exists`
   */
  insert(value: Fields<T>): Promise<EditHandle<KeyOf<T>>>
  /** Replaces the fields given. @throws SyncError `invalid_argument`, `record_missing` */
  update(key: string | number, patch: Fields<T>): Promise<EditHandle<KeyOf<T>>>
  /** @throws SyncError `invalid_argument`, `record_missing` */
  delete(key: string | number): Promise<EditHandle<KeyOf<T>>>
}

/** Some fields of a record, in plain JSON; `undefined` is left out. */
export type Fields<T> = { readonly [F in keyof T]?: T[F] | undefined }

/** The type of a record's key where it is called `id`. */
export type KeyOf<T> = T extends { readonly id?: infer K extends string | number } ? K : string | number

/** One edit, as it fares. */
export interface EditHandle<K extends string | number = string | number> {
  /** The operation's id, by which `outbox.find` finds it again. */
  readonly id: string
  /** The record's key: temporary until the server has named it, then the real one (R18). */
  readonly key: K
  /** As known now. */
  readonly state: EditState
  /**
   * Resolves with the state at which the edit rests: `synced`, `failed`, `unknown` or `discarded`.
   * @throws SyncError `timeout`, `aborted`, `closed`
   */
  synced(options?: WaitOptions): Promise<EditState>
}

/** What `sync.write` gives its callback for one collection: it records and does nothing else. */
export interface TransactionCollection<T> {
  /** Returns the key at once, temporary or the record's own. */
  insert(value: Fields<T>): KeyOf<T>
  update(key: string | number, patch: Fields<T>): void
  delete(key: string | number): void
}

export type Transaction<C extends Collections> = { readonly [N in keyof C]: TransactionCollection<RowOf<C[N]>> }

/** Edits that the server does not have, and conflicts nobody has seen. Calls reject with `edit_in_flight` or `edit_missing` when they come too late. */
export interface Outbox extends Store<OutboxSnapshot> {
  /** Sends a failed edit again. */
  retry(id: string): Promise<void>
  /** Changes a pending or failed edit; a failed one is sent again. */
  edit(id: string, patch: Readonly<Record<string, unknown>>): Promise<void>
  /** Takes back a pending, failed or unknown edit, with what was built on it. */
  discard(id: string): Promise<void>
  /** An unknown create did not arrive: it is sent again (R17). */
  resend(id: string): Promise<void>
  /** An unknown create arrived, as the record `key`. */
  arrived(id: string, key?: string | number | null): Promise<void>
  /** Forgets a conflict. */
  dismiss(id: string): Promise<void>
  /** The handle again, after a reload too; null: nothing is left to be done for it. */
  find(id: string): Promise<EditHandle | null>
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
  readonly outbox: Outbox
  /**
   * Ends syncing in all tabs, removes this account's data from the device, and closes.
   * @throws SyncError `unsent_edits` while anything is unsent, unless told to `keep` it for the next login or to `discard` it
   */
  logout(options?: { readonly ifUnsent?: IfUnsent | undefined }): Promise<void>
  /** Ends this tab's client: pending calls reject with `closed`, the worker is asked to stop and ended after 2 s. */
  close(): Promise<void>
}

export type Sync<C extends Collections> = SyncControl & { readonly [N in keyof C]: CollectionApi<RowOf<C[N]>> } & {
  /**
   * Several edits, all or nothing on this device; at the server each stands alone, in order (R20). The callback is
   * synchronous. Resolves with their handles, in the order of the calls.
   * @throws SyncError as `insert`, `update` and `delete` do; whatever the callback throws, and then nothing is written
   */
  write(callback: (tx: Transaction<C>) => void): Promise<EditHandle[]>
}
