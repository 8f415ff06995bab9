/**
 * The contract between the sync service and whatever keeps its data, in ledger operations (R32).
 * It never speaks of rows per (device, object), so that a store may compute "what this device has not
 * acknowledged of what its user may see" in whatever way is cheap for it.
 * `conformance.ts` is the test of this contract; behaviour only.
 *
 * Promises of every store:
 * - `acceptAcks` is durable before it resolves; keys are worked off later and never lost (FAQ-6.0, FAQ-6.1).
 * - Within one session an object is handed out at most once (FETCH-3), to one caller only (FETCH-4).
 * - An item not yet handed out carries its newest data (ITEM-1); everything pending at the start of a
 *   session is handed out in that session.
 * - A revision grows with every change of an object, also on delete and on re-creation (ITEM-5).
 */

/** Who is asking. The ledger is keyed by all three (O-21): another user is another device. */
export interface DeviceRef {
  readonly account: string
  readonly user: string
  readonly device: string
}

export type JsonObject = Readonly<Record<string, unknown>>

/** One object as stored. `data` is null once it is deleted. */
export interface StoredObject {
  readonly type: string
  readonly id: string
  readonly revision: number
  readonly data: JsonObject | null
}

/** One item handed out: the newest state of an object, or its deletion. */
export interface HandedItem extends StoredObject {
  /** `created` until any revision was acknowledged by this device (FAQ-5.1). */
  readonly event: 'created' | 'updated' | 'deleted'
  readonly ackKey: string
  /** For `deleted`: the key fields of the object as last known, at least `id` (ITEM-2). */
  readonly keyFields: JsonObject
}

export interface OpenedSession {
  /** Null: nothing is pending, no session was made. */
  readonly session: { readonly id: string; readonly pending: number } | null
  /** True if this device had never started a session here (R13, `device=new`). */
  readonly deviceIsNew: boolean
}

export type TakenPage =
  | { readonly kind: 'page'; readonly items: readonly HandedItem[]; readonly left: number }
  /** Everything was handed out. */
  | { readonly kind: 'drained' }
  /** No such session for this device, or expired (DEV-4, FETCH-5). */
  | { readonly kind: 'gone' }

export interface WriteScope {
  readonly account: string
  /** Idempotency keys are scoped by tenant and user (R17). */
  readonly user: string
}

export type WriteOp =
  /** Without `id` the store makes one: the next free whole number of that type. */
  | { readonly kind: 'create'; readonly type: string; readonly id?: string | undefined; readonly data: JsonObject; readonly scopes?: readonly string[] | undefined }
  /** Fields given replace the stored ones, others stay. */
  | { readonly kind: 'update'; readonly type: string; readonly id: string; readonly patch: JsonObject; readonly scopes?: readonly string[] | undefined }
  | { readonly kind: 'delete'; readonly type: string; readonly id: string }

export type WriteResult =
  | { readonly kind: 'written'; readonly object: StoredObject; readonly replayed: boolean }
  | { readonly kind: 'missing' }
  /** A create for an id that is taken. */
  | { readonly kind: 'exists' }
  /** The idempotency key was used before with another operation. */
  | { readonly kind: 'key_reused' }

export interface ImportRecord {
  readonly type: string
  readonly data: JsonObject
  readonly scopes?: readonly string[] | undefined
}

export interface SyncStore {
  /** Changes when revisions or ledgers no longer continue what devices have seen (R14, R33). */
  readonly epoch: string
  /** `scopes`: what the user may see; an object is visible if it shares a scope with the user (R34). */
  openSession(device: DeviceRef, scopes: readonly string[]): Promise<OpenedSession>
  /** @param bytes soft ceiling of the page's JSON text; a page holds at least one item. */
  takePage(device: DeviceRef, session: string, limit: number, bytes: number): Promise<TakenPage>
  /** Unknown, foreign, stale and repeated keys are ignored (ACK-7, R33). */
  acceptAcks(device: DeviceRef, keys: readonly string[]): Promise<void>
  /** Works off what `acceptAcks` took in; resolves when nothing taken in before the call is left. */
  workOffAcks(): Promise<void>
  /** Live sessions of a user, for the limit of RATE-2. */
  countSessions(account: string, user: string): Promise<number>
  write(scope: WriteScope, op: WriteOp, idempotencyKey?: string): Promise<WriteResult>
  read(account: string, scopes: readonly string[], type: string, id: string): Promise<StoredObject | null>
  list(account: string, scopes: readonly string[], type: string, page: ListPage): Promise<{ readonly objects: readonly StoredObject[]; readonly count: number }>
  /** Upsert of many records in one transaction, all or nothing; equal data changes no revision (R37). */
  importRecords(account: string, records: readonly ImportRecord[], progress?: (done: number) => void): Promise<{ readonly changed: number }>
  /** Forgets a device: its next start is that of a new one. */
  forget(device: DeviceRef): Promise<void>
  close(): Promise<void>
}

export interface ListPage {
  readonly page: number
  readonly perPage: number
  readonly ids?: readonly string[] | undefined
  readonly sortBy?: { readonly field: string; readonly dir: 'asc' | 'desc' } | undefined
}

/** The scope of objects written without one, and of users to whom no scopes were given. */
export const EVERYONE = 'everyone'
