/**
 * The outbox as the rest of the package sees it (contract; built in this change).
 */
import type { Row } from '../schema.ts'
import type { EditInfo, EditProblem, EditRequest, OutboxSnapshot, WriteOp } from './edit.ts'
import type { Lease } from './guard.ts'

/** What is known of the server, which decides how an edit may be sent (R13, R17). */
export interface WriteTerms {
  /** Milliseconds it remembers an `Idempotency-Key`; null: it takes none. */
  readonly keyMemoryMs: number | null
  /** It takes keys made by clients. */
  readonly clientIds: boolean
}

/** An edit whose state `sending` and frozen request are durable: it may leave now. */
export interface OutgoingEdit {
  readonly id: string
  readonly request: EditRequest
  /** It may have left before, with an unknown outcome. */
  readonly again: boolean
}

export type EditOutcome = { readonly id: string } & (
  | { readonly kind: 'accepted'; readonly row: Row | null; readonly revision: number | null }
  | { readonly kind: 'refused'; readonly problem: EditProblem }
  /** The server has certainly not done it. */
  | { readonly kind: 'untouched' }
  /** It may have. */
  | { readonly kind: 'unknown' }
)

export interface Outbox {
  /**
   * Makes edits durable, in one strict transaction, from any tab (I11, R20).
   * @returns what became of each, in the order of `ops`; updates may have joined an edit that waited.
   * @throws SyncError `invalid_argument`, `record_missing`, `record_exists`, `generation_changed`, `storage_*`
   */
  write(ops: readonly WriteOp[]): Promise<readonly EditInfo[]>
  /** @throws SyncError `edit_missing`, `edit_in_flight` */
  retry(id: string): Promise<void>
  edit(id: string, patch: Row): Promise<void>
  discard(id: string): Promise<void>
  /** The user's word on an unknown create (R17). */
  resend(id: string): Promise<void>
  arrived(id: string, key: string | number | null): Promise<void>
  /** Forgets a conflict. */
  dismiss(id: string): Promise<void>
  /** From memory. Null: nothing is known of it any more, so it was synced. */
  find(id: string): EditInfo | null
  snapshot(): OutboxSnapshot
  counts(): { readonly pending: number; readonly failed: number; readonly conflicts: number }
  /** The leader's: the next edits that may leave, in order (I13), conflicts resolved, made durable as `sending`. */
  take(lease: Lease, most: number, terms: WriteTerms, except: ReadonlySet<string>): Promise<readonly OutgoingEdit[]>
  /** The leader's: what the server said. */
  answer(lease: Lease, outcomes: readonly EditOutcome[]): Promise<void>
}
