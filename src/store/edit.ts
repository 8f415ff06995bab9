/**
 * A local edit: what the app asked for, fixed when it was asked (operation id, order, time), and how far it has
 * come at the server (R15). Types only; the outbox keeps them, memory shows them, the engine sends them.
 *
 *   queued -> sending -> confirmed | refused | unknown
 *
 * Only `queued`, `refused` and parked `unknown` edits are the user's to change; the body of any other has left,
 * or may have.
 */
import type { Row } from '../schema.ts'

export type EditOp = 'insert' | 'update' | 'delete'

/** What an app asks for in one call. All of one call become durable together (R20). */
export interface WriteOp {
  readonly op: EditOp
  readonly collection: string
  /** Of an insert the key the app knows it by: its own or a temporary one. */
  readonly key: string | number
  /** The record of an insert (with its key only if that is the app's own), the changed fields of an update, else null. */
  readonly value: Row | null
  /** The key of an insert is temporary: the server gives the real one. */
  readonly temporary: boolean
}

/** A request as it is sent, however often (R15). */
export interface EditRequest {
  readonly method: 'POST' | 'PUT' | 'DELETE'
  /** Below the endpoint, with a leading slash. */
  readonly path: string
  readonly body: string | null
  /** The `Idempotency-Key`, for servers that take it. */
  readonly idempotencyKey: string | null
}

/** Why the server did not take an edit. */
export interface EditProblem {
  /**
   * `refused`: the server said no. `missing`: the record is not there. `conflict`: it was deleted there, or changed
   * under a deletion. `forbidden`: the token may not write. `lost`: the answer was lost, and the server cannot tell a repetition.
   */
  readonly code: 'refused' | 'missing' | 'conflict' | 'forbidden' | 'lost'
  readonly status: number | null
  readonly message: string
  readonly fields: ReadonlyArray<{ readonly pointer: string; readonly code: string; readonly message: string }>
}

export interface Edit {
  readonly kind: 'edit'
  /** Operation id: a UUID, sent as `Idempotency-Key`. */
  readonly id: string
  /** Order among all edits. */
  readonly n: number
  /** Wall time at which it was made. */
  readonly at: number
  /** Edits of one `sync.write`. */
  readonly group: string | null
  readonly op: EditOp
  readonly type: string
  /** Canonical id of the record; of an insert the temporary one, until the server has named it. */
  readonly key: string
  /** The key as JSON. */
  readonly jsonKey: string | number
  readonly temporary: boolean
  readonly value: Row
  /** What the fields it touches were; of a deletion the whole record (R19). */
  readonly base: Row
  readonly baseRev: number
  readonly state: 'queued' | 'sending' | 'confirmed' | 'refused' | 'unknown'
  /** An `unknown` one that waits for the user's word (R17). */
  readonly parked: boolean
  /** Requests sent for it, the leader's epoch of the last, and when the first went (R17). */
  readonly attempt: number
  readonly epoch: number
  readonly firstSentAt: number | null
  readonly request: EditRequest | null
  /** What the server answered, the session count at that moment, and its revision if it told (R16). */
  readonly answer: { readonly row: Row | null; readonly revision: number | null; readonly run: number } | null
  readonly problem: EditProblem | null
}

/** A record the app knew by a temporary key, and its real one (R18). */
export interface Alias {
  readonly kind: 'alias'
  /** Row key: never that of an edit. */
  readonly id: string
  readonly n: number
  readonly type: string
  readonly from: string
  readonly to: string
  readonly jsonKey: string | number
}

/** A value that lost, kept until the user has seen it (R19). */
export interface Conflict {
  readonly id: string
  /** The edit it happened to. */
  readonly edit: string
  readonly collection: string
  readonly key: string | number
  readonly at: number
  /** One side deleted the record. */
  readonly deleted: 'here' | 'there' | null
  readonly fields: readonly FieldConflict[]
}

export interface FieldConflict {
  readonly field: string
  readonly base: unknown
  readonly ours: unknown
  readonly theirs: unknown
  readonly kept: 'ours' | 'theirs' | 'other'
}

export interface ConflictRow extends Conflict {
  readonly kind: 'conflict'
  readonly n: number
}

export type OutboxRow = Edit | Alias | ConflictRow

/** What apps see of an edit. */
export interface EditInfo {
  readonly id: string
  readonly collection: string
  readonly key: string | number
  readonly op: EditOp
  readonly value: Row
  readonly at: number
  readonly group: string | null
  readonly state: EditState
  readonly problem: EditProblem | null
}

export type EditState = 'pending' | 'sending' | 'synced' | 'failed' | 'unknown' | 'discarded'

export interface OutboxSnapshot {
  /** Oldest first; those the server has are not listed. */
  readonly edits: readonly EditInfo[]
  readonly conflicts: readonly Conflict[]
  readonly pending: number
  readonly failed: number
}

/** How a record stands, beside its row (R21). */
export type RowState = 'synced' | 'pending' | 'failed' | 'conflict' | 'stale'

export function infoOf(edit: Edit): EditInfo {
  const { id, type, jsonKey, op, value, at, group, problem } = edit
  return { id, collection: type, key: jsonKey, op, value, at, group, state: stateOf(edit), problem }
}

export function stateOf({ state, parked }: Edit): EditState {
  switch (state) {
    case 'queued':
      return 'pending'
    case 'sending':
      return 'sending'
    case 'confirmed':
      return 'synced'
    case 'refused':
      return 'failed'
    case 'unknown':
      return parked ? 'unknown' : 'sending'
  }
}
