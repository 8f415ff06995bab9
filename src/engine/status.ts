/**
 * What the engine tells the app: one discriminated union over `phase`, with facts that are always there.
 * Plain data, so it crosses threads as it is.
 */
import type { PlainError } from '../errors.ts'

/** Progress of one drain. Numbers from the server are estimates and only shown, never obeyed (FAQ-3.1). */
export interface Progress {
  /** Items received in this drain. */
  readonly done: number
  /** Items this drain will probably bring, never below `done`; null if the server does not say. */
  readonly estimate: number | null
  /** done / estimate, never above 1, never falling; null without an estimate. */
  readonly fraction: number | null
  /** Items per second over the last few seconds. */
  readonly rate: number
  /** Milliseconds until the estimate is reached at this rate; null if unknown. */
  readonly etaMs: number | null
}

export type Phase =
  | { readonly phase: 'starting' }
  | { readonly phase: 'connecting' }
  | { readonly phase: 'draining'; readonly progress: Progress }
  | { readonly phase: 'settling' }
  | { readonly phase: 'idle' }
  | { readonly phase: 'waiting'; readonly retryAt: number; readonly error: PlainError }
  | { readonly phase: 'offline' }
  | { readonly phase: 'paused' }
  | { readonly phase: 'needs-auth'; readonly error: PlainError }
  | { readonly phase: 'storage-problem'; readonly error: PlainError }
  | { readonly phase: 'stopped'; readonly error: PlainError }
  | { readonly phase: 'closed' }

export type StorageMode = 'persistent' | 'best-effort' | 'session'

export interface Facts {
  /** Null until storage is open. */
  readonly deviceId: string | null
  readonly sessionId: string | null
  readonly role: 'leader' | 'follower'
  /** Wall time at which the last session that proved "in sync" had started (R10); null: never yet. */
  readonly lastSyncedAt: number | null
  /** Ack keys stored and not yet taken by the server. */
  readonly pendingAcks: number
  /** Items or pages that cannot be acknowledged or taken (R11). */
  readonly stuck: number
  /** Objects the server could not read in the last session (FETCH-8). */
  readonly unreadable: number
  readonly quarantined: number
  /** Records in the tables, and records in the inbox that are not there yet. */
  readonly records: { readonly settled: number; readonly unsettled: number }
  readonly inbox: { readonly pages: number; readonly records: number }
  /** Local edits that wait or are on their way, edits that wait for the user, and conflicts not yet seen. */
  readonly outbox: { readonly pending: number; readonly failed: number; readonly conflicts: number }
  readonly storage: {
    readonly mode: StorageMode
    readonly usage: number | null
    readonly quota: number | null
    /** More than four fifths of the quota are used: time to say so, before nothing can be stored any more. */
    readonly low: boolean
  }
}

export type Status = Facts & Phase

/** Before storage is open. */
export const NOTHING_KNOWN: Facts = {
  deviceId: null,
  sessionId: null,
  role: 'follower',
  lastSyncedAt: null,
  pendingAcks: 0,
  stuck: 0,
  unreadable: 0,
  quarantined: 0,
  records: { settled: 0, unsettled: 0 },
  inbox: { pages: 0, records: 0 },
  outbox: { pending: 0, failed: 0, conflicts: 0 },
  storage: { mode: 'best-effort', usage: null, quota: null, low: false },
}

/** One past session, as kept in the history. */
export interface SessionRecord {
  readonly startedAt: number
  readonly endedAt: number
  /** `clean`: proved in sync. `dirty`: ended, another is owed. `failed`: see `error`. */
  readonly outcome: 'clean' | 'dirty' | 'failed'
  readonly pages: number
  readonly items: number
  readonly acked: number
  readonly error: string | null
}

/** One item that was acknowledged but cannot be shown (R31). */
export interface QuarantinedItem {
  readonly type: string
  readonly id: string
  readonly revision: number
  readonly raw: unknown
  readonly reason: string
  readonly at: number
}
