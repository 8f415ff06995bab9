/**
 * The contract between the sync service and whatever keeps its data, in ledger operations (R32).
 * It never speaks of rows per (device, object), so that a store may compute "what this device has not
 * acknowledged of what its user may see" in whatever way is cheap for it.
 * `conformance.ts` is the test of this contract; behaviour only.
 *
 * Promises of every store:
 * - `acceptAcks` is durable before it resolves; keys are worked off later and never lost (FAQ-6.0, FAQ-6.1).
 * - A session is closed over what was pending at its start: everything of that is handed out in it, with its
 *   newest data, unless it was acknowledged, or left the user's sight, before its turn came (ITEM-1, R32).
 * - Within one session an object is handed out at most once (FETCH-3), to one caller only (FETCH-4).
 * - Handing out marks nothing as held; only an acknowledgement does (FAQ-2.1).
 * - A revision grows with every change of an object, also on delete and on re-creation (ITEM-5). A write that
 *   changes nothing changes no revision (R37).
 * - Data is kept as the JSON it came as; no key is special, not even `__proto__` (R37).
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
export interface HandedItem {
  readonly type: string
  readonly id: string
  readonly revision: number
  /** `created` until any revision was acknowledged by this device (FAQ-5.1). */
  readonly event: 'created' | 'updated' | 'deleted'
  /** Opaque, at most 200 URL-safe characters; the same for the same revision in every session (ACK-3). */
  readonly ackKey: string
  /** JSON text of the whole data; for `deleted` of the key fields alone, at least `id` (ITEM-2). */
  readonly json: string
}

export type OpenedSession =
  | {
      readonly kind: 'opened'
      readonly session: string
      /** How many items wait; the session may hand out fewer. */
      readonly pending: number
      /** True if this device had never started a session here, or was forgotten (R13, `device=new`). */
      readonly deviceIsNew: boolean
    }
  /** Nothing is pending; no session was made. */
  | { readonly kind: 'nothing'; readonly deviceIsNew: boolean }
  /** The user has as many active sessions as are allowed (RATE-2); nothing was changed. */
  | { readonly kind: 'too_many' }

export type TakenPage =
  | { readonly kind: 'page'; readonly items: readonly HandedItem[]; readonly left: number }
  /** Everything was handed out. */
  | { readonly kind: 'drained' }
  /** No such session for this device, or expired (DEV-4, FETCH-5). */
  | { readonly kind: 'gone' }

export interface PageLimits {
  /** Largest number of items. */
  readonly limit: number
  /** Ceiling of the page's JSON text in bytes; a single larger item makes a page of its own (R11). */
  readonly bytes: number
  /** What the user may see now; nothing else is handed out, whatever was true at the start (S10). */
  readonly sees: readonly string[]
}

export interface WorkOff {
  /** Only this device's keys. */
  readonly device?: DeviceRef | undefined
  /** Only keys taken in at least this long ago. */
  readonly minAgeMs?: number | undefined
  /** Stop after about so many keys. */
  readonly limit?: number | undefined
}

export interface Writer {
  readonly account: string
  /** Idempotency keys are scoped by tenant and user (R17). */
  readonly user: string
  /** An object outside these scopes does not exist for the writer; absent: everything is in sight. */
  readonly sees?: readonly string[] | undefined
}

export type WriteOp =
  /** The id is `id`, else `data.id`, else the next free whole number of that type. */
  | {
      readonly kind: 'create'
      readonly type: string
      readonly id?: string | undefined
      readonly data: JsonObject
      readonly scopes?: readonly string[] | undefined
    }
  /** Fields given replace the stored ones, others stay. */
  | {
      readonly kind: 'update'
      readonly type: string
      readonly id: string
      readonly patch: JsonObject
      readonly scopes?: readonly string[] | undefined
    }
  | { readonly kind: 'delete'; readonly type: string; readonly id: string }
  /** Updates the one object in sight with these values; creates one, with these values, if there is none. */
  | {
      readonly kind: 'upsert'
      readonly type: string
      readonly match: readonly Match[]
      readonly data: JsonObject
      readonly scopes?: readonly string[] | undefined
    }

/** Holds for an object whose field, or member of a field, is this text, or a number or boolean written so. */
export interface Match {
  readonly field: string
  readonly member?: string | undefined
  readonly value: string
}

/** One thing wrong with a write. Codes of protocol section 9; `field` is a JSON Pointer into the data. */
export interface FieldError {
  readonly code: 'unknown' | 'missing' | 'already_exists' | 'blank' | 'invalid_type' | 'incorrect_value'
  readonly message: string
  readonly field?: string | undefined
  readonly details?: string | undefined
}

/** A write about to be kept. */
export interface Draft {
  /** What it comes to; of an upsert `create` or `update`. */
  readonly op: 'create' | 'update' | 'delete'
  readonly type: string
  readonly id: string
  /** Of a create the record with its id, of an update the fields given, of a delete nothing. */
  readonly data: JsonObject
  readonly current: JsonObject | null
}

/** Data to keep instead of that of the draft, or what is wrong with it. */
export type Reviewed =
  | { readonly kind: 'fine'; readonly data: JsonObject }
  | { readonly kind: 'refused'; readonly errors: readonly FieldError[] }

/** May be called several times for one write, and must not call the store: it would wait for itself. */
export type Review = (draft: Draft) => Reviewed | Promise<Reviewed>

export type WriteResult =
  /** For a repeated idempotency key: the object as it was in the first answer. */
  | { readonly kind: 'written'; readonly object: StoredObject }
  | { readonly kind: 'missing' }
  /** A create for an id that is taken. */
  | { readonly kind: 'exists' }
  /** The idempotency key was used before with another operation. */
  | { readonly kind: 'key_reused' }
  /** An upsert that several objects match; nothing was changed. */
  | { readonly kind: 'ambiguous' }
  /** By `review`; nothing was changed, and no idempotency key kept. */
  | { readonly kind: 'refused'; readonly errors: readonly FieldError[] }

export interface ImportRecord {
  readonly type: string
  /** Holds `id`: a whole number, or a string. */
  readonly data: JsonObject
  readonly scopes?: readonly string[] | undefined
}

export interface ListPage {
  /** From 1. */
  readonly page: number
  readonly perPage: number
  readonly ids?: readonly string[] | undefined
  /** Only objects for which all of these hold. */
  readonly match?: readonly Match[] | undefined
  /** Default: by id, ascending. */
  readonly sortBy?: { readonly field: string; readonly dir: 'asc' | 'desc' } | undefined
}

export interface SyncStore {
  /** Changes when revisions or ledgers no longer continue what devices have seen (R14, R33). */
  readonly epoch: string
  /** @param sees scopes of the user; an object is in sight if it shares a scope with the user (R34). */
  openSession(device: DeviceRef, sees: readonly string[], maxSessions: number): Promise<OpenedSession>
  takePage(device: DeviceRef, session: string, limits: PageLimits): Promise<TakenPage>
  /** Unknown, foreign, stale and repeated keys are ignored (ACK-7, R33). */
  acceptAcks(device: DeviceRef, keys: readonly string[]): Promise<void>
  /** Works off what `acceptAcks` took in; without options, everything taken in before the call. */
  workOffAcks(options?: WorkOff): Promise<void>
  /**
   * One transaction: finding, `review`, change and idempotency key; of simultaneous upserts of one value one creates.
   * `review` sees what is stored at the moment of the change. Repeated keys and changes of nothing pass it by.
   */
  write(writer: Writer, op: WriteOp, idempotencyKey?: string, review?: Review): Promise<WriteResult>
  read(account: string, sees: readonly string[], type: string, id: string): Promise<StoredObject | null>
  list(
    account: string,
    sees: readonly string[],
    type: string,
    page: ListPage,
  ): Promise<{ readonly objects: readonly StoredObject[]; readonly count: number }>
  /** Upsert of many records in one transaction, all or nothing; equal data changes no revision (R37). */
  importRecords(
    account: string,
    records: readonly ImportRecord[],
    progress?: (done: number) => void,
  ): Promise<{ readonly changed: number }>
  /** Forgets a device: its next start is that of a new one, and keys of its earlier life count no more. */
  forget(device: DeviceRef): Promise<void>
  close(): Promise<void>
}

/** The scope of objects written without one, and of users to whom no scopes were given. */
export const EVERYONE = 'everyone'

/** JSON text around an item on a page (envelope, sync metadata, ack key), counted towards the page's bytes. */
export const ENVELOPE_BYTES = 200

/** How long things are remembered, in milliseconds; every store takes other values as an option. */
export interface Terms {
  /** A session unused for so long is gone (O-2). */
  readonly sessionIdle: number
  /** No session lives longer than this (O-2). */
  readonly sessionLife: number
  /** A device silent for so long is forgotten and starts from nothing (O-22). */
  readonly device: number
  /** Idempotency keys are kept as long as a silent device (R17). */
  readonly idempotency: number
}

const HOUR = 3_600_000
const DAY = 24 * HOUR

export const defaultTerms: Terms = { sessionIdle: HOUR, sessionLife: DAY, device: 90 * DAY, idempotency: 90 * DAY }

/** Thrown by every operation of a store that was closed; answered with 503. */
export class StoreClosedError extends Error {
  override readonly name = 'StoreClosedError'
}
