/**
 * What crosses between page and worker: types only. Control calls go through Comlink (`WorkerApi`);
 * rows, status and token requests go over one MessagePort (`ToPage`, `ToWorker`, R39).
 */
import type { PageEvent } from '../engine/engine.ts'
import type { IfUnsent } from '../engine/leave.ts'
import type { Ceiling } from '../engine/settle.ts'
import type { Facts, QuarantinedItem, SessionRecord, Status, StorageMode } from '../engine/status.ts'
import type { Timeouts, TokenReason } from '../engine/transport.ts'
import type { PlainError } from '../errors.ts'
import type { ShadowKey } from '../keys.ts'
import type { LogFields, LogLevel } from '../log.ts'
import type { Capabilities } from '../protocol/capabilities.ts'
import type { Query } from '../query.ts'
import type { PlainSchema, Row } from '../schema.ts'
import type { EditInfo, EditState, OutboxSnapshot, RowState, WriteOp } from '../store/edit.ts'

export type { Conflict, EditOp, EditProblem, FieldConflict } from '../store/edit.ts'
export type { EditInfo, EditState, IfUnsent, OutboxSnapshot, RowState, WriteOp }
export type { Capabilities, Ceiling, Facts, QuarantinedItem, SessionRecord, Status, StorageMode, Timeouts, TokenReason }
export { NOTHING_KNOWN } from '../engine/status.ts'

/** Page and worker must come from the same build line (checked by the handshake). */
export const WIRE_VERSION = 4

export interface OpenRequest {
  readonly wire: number
  readonly name: string
  readonly account: string | null
  /** Absolute URL, no trailing slash. */
  readonly endpoint: string
  /** The page thinks this is the app's own worker, which brings a schema of its own. */
  readonly ownWorker: boolean
  readonly schema: PlainSchema
  readonly rate: number | null
  readonly capabilities: Partial<Capabilities>
  readonly poll: number
  readonly timeouts: Partial<Timeouts>
  readonly ceiling: Partial<Ceiling>
  readonly debug: boolean
}

/** Answers are data: an error is returned, not thrown, since an exception loses its code on the way. */
export type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: PlainError }

export interface WorkerApi {
  /** Posts `hello` on `port` at once, before any storage is touched: opening may take long, a worker that cannot run should not. */
  open(request: OpenRequest, port: MessagePort): Promise<Answer<null>>
  get(collection: string, keys: ReadonlyArray<string | number>): Promise<Answer<unknown[]>>
  count(query: Query): Promise<Answer<number>>
  now(timeout: number): Promise<Answer<null>>
  pause(): Promise<Answer<null>>
  resume(): Promise<Answer<null>>
  restart(): Promise<Answer<null>>
  /** Resolves when the edits are durable; what becomes of them is told as `edits`. */
  write(ops: readonly WriteOp[]): Promise<Answer<readonly EditInfo[]>>
  /** What `find` found; null for every other call. From then on its state is told as `edits`, too. */
  outbox(...call: OutboxCall): Promise<Answer<EditInfo | null>>
  /** Resolves with the state at which the edit rests: not `pending`, not `sending`. */
  synced(id: string, timeout: number): Promise<Answer<EditState>>
  logout(ifUnsent: IfUnsent): Promise<Answer<null>>
  close(): Promise<Answer<null>>
}

export type OutboxCall =
  | [what: 'retry' | 'discard' | 'resend' | 'dismiss' | 'find', id: string]
  | [what: 'edit', id: string, patch: Row]
  | [what: 'arrived', id: string, key: string | number | null]

/** An edit's id, its state, and the record's key, which may have become the real one. */
export type EditWord = readonly [id: string, state: EditState, key: string | number]

export interface WireRow {
  readonly id: string
  /** Sort key of the query's order (`compileQuery().sortKey`), so that the page can sort rows whose order field is not selected. */
  readonly key: ShadowKey | null
  readonly data: unknown
  /** Beside the data, never inside (R21). */
  readonly state: RowState
}

/** Stream messages, worker to page. A `batch` closes a consistent step when `last` is true. */
export type ToPage =
  | { readonly kind: 'hello' }
  | { readonly kind: 'status'; readonly value: Status }
  | { readonly kind: 'history'; readonly value: { readonly sessions: readonly SessionRecord[] } }
  | {
      readonly kind: 'quarantine'
      readonly value: { readonly count: number; readonly items: readonly QuarantinedItem[] }
    }
  | { readonly kind: 'outbox'; readonly value: OutboxSnapshot }
  /** News of edits that this page made or looked for. */
  | { readonly kind: 'edits'; readonly edits: readonly EditWord[] }
  | { readonly kind: 'token'; readonly request: number; readonly reason: TokenReason }
  | { readonly kind: 'token-cancel'; readonly request: number }
  /** The first session proved clean: the page may ask the browser to keep the data. */
  | { readonly kind: 'persist' }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly event: string; readonly fields: LogFields | undefined }
  /** `reset` says that rows delivered earlier are void: the stream begins anew. `removed` applies before `rows`. */
  | {
      readonly kind: 'rows'
      readonly stream: number
      readonly reset: boolean
      readonly rows: readonly WireRow[]
      readonly removed: readonly string[]
      readonly last: boolean
    }
  | {
      readonly kind: 'columns'
      readonly stream: number
      readonly reset: boolean
      readonly slots: Uint32Array
      readonly values: readonly Float64Array[]
      readonly last: boolean
    }
  | { readonly kind: 'failed'; readonly stream: number; readonly error: PlainError }

/** How a stream delivers: one answer, a followed answer, or typed arrays followed. */
export type StreamMode = 'once' | 'live' | 'columns'

/** Lists that cross only while the page looks at them. */
export type Followed = 'history' | 'quarantine' | 'outbox'

export type ToWorker =
  | { readonly kind: 'open-stream'; readonly stream: number; readonly mode: StreamMode; readonly query: Query }
  | { readonly kind: 'close-stream'; readonly stream: number }
  | { readonly kind: 'follow'; readonly what: Followed; readonly on: boolean }
  | { readonly kind: 'token'; readonly request: number; readonly token: string }
  | { readonly kind: 'token-failed'; readonly request: number; readonly message: string }
  | { readonly kind: 'page'; readonly event: PageEvent }
