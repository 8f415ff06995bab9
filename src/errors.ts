/**
 * One error class with a closed set of codes. An error crosses the thread boundary as plain data
 * (`toPlain` / `fromPlain`), because structured clone and RPC libraries drop class and code.
 * Nothing in the engine ever reads a message text; decisions are made by code alone.
 */

/** Every code an app can meet. `docs/api.md` says what each one asks the app to do. */
export type ErrorCode =
  | 'aborted'
  | 'account_mismatch'
  | 'bad_response'
  | 'closed'
  | 'edit_in_flight'
  | 'edit_missing'
  | 'endpoint_unreachable'
  | 'endpoint_wrong'
  | 'fenced'
  | 'forbidden'
  | 'generation_changed'
  | 'invalid_argument'
  | 'page_too_large'
  | 'paused'
  | 'rate_limited'
  | 'record_exists'
  | 'record_missing'
  | 'request_refused'
  | 'schema_async'
  | 'schema_conflict'
  | 'schema_invalid'
  | 'schema_needs_worker'
  | 'schema_outdated'
  | 'server_error'
  | 'session_gone'
  | 'signed_out'
  | 'storage_closed'
  | 'storage_failed'
  | 'storage_full'
  | 'storage_unavailable'
  | 'timeout'
  | 'token_failed'
  | 'unauthorized'
  | 'unsent_edits'
  | 'version_skew'
  | 'worker_crashed'
  | 'worker_failed'

/** An error as plain data: what crosses threads and what `status.error` holds. */
export interface PlainError {
  readonly code: ErrorCode
  /** One sentence that says what happened and what to do about it. */
  readonly message: string
  /** HTTP status of the answer that caused it, if there was one. */
  readonly status?: number | undefined
  /** Milliseconds the server asked us to wait (`Retry-After`), if it did. */
  readonly retryAfterMs?: number | undefined
  /** The service's request id, for a look into its log. */
  readonly requestId?: string | undefined
}

/** The only error class this package throws. */
export class SyncError extends Error implements PlainError {
  override readonly name = 'SyncError'
  declare readonly code: ErrorCode
  declare readonly status: number | undefined
  declare readonly retryAfterMs: number | undefined
  declare readonly requestId: string | undefined

  constructor(
    code: ErrorCode,
    message: string,
    { cause, status, retryAfterMs, requestId }: Omit<PlainError, 'code' | 'message'> & { cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? undefined : { cause })
    Object.assign(this, { code, status, retryAfterMs, requestId })
  }
}

/** Any thrown value as plain data. Values that are no `SyncError` become `fallback`. */
export function toPlain(error: unknown, fallback: ErrorCode = 'worker_failed'): PlainError {
  if (isPlain(error)) {
    const { code, message, status, retryAfterMs, requestId } = error
    return { code, message, status, retryAfterMs, requestId }
  }
  return { code: fallback, message: messageOf(error) }
}

/** What a thrown value says of itself. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The class again, on the other side of a thread. */
export function fromPlain(plain: PlainError): SyncError {
  return new SyncError(plain.code, plain.message, plain)
}

function isPlain(value: unknown): value is PlainError {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as PlainError).code === 'string' &&
    typeof (value as PlainError).message === 'string'
  )
}
