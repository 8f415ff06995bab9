/**
 * What to do after a failure: one total record from error code to recovery, and the waiting between tries.
 * Message text is never read. The server's `Retry-After` is the floor of a wait, our ceiling its end.
 */
import type { Random } from '../clock.ts'
import type { ErrorCode } from '../errors.ts'

/**
 * - `retry`: wait and try again by itself.
 * - `auth`: wait for a login.
 * - `storage`: wait longer; reads go on.
 * - `lead-anew`: somebody else wrote; look again whether this tab leads.
 * - `stop`: only a person can mend it.
 */
export type Recovery = 'retry' | 'auth' | 'storage' | 'lead-anew' | 'stop'

export const recoveryOf: Readonly<Record<ErrorCode, Recovery>> = {
  aborted: 'retry',
  account_mismatch: 'stop',
  bad_response: 'retry',
  closed: 'stop',
  edit_in_flight: 'stop',
  edit_missing: 'stop',
  endpoint_unreachable: 'retry',
  endpoint_wrong: 'retry',
  fenced: 'lead-anew',
  forbidden: 'stop',
  generation_changed: 'lead-anew',
  invalid_argument: 'stop',
  page_too_large: 'retry',
  paused: 'retry',
  rate_limited: 'retry',
  record_exists: 'stop',
  record_missing: 'stop',
  request_refused: 'stop',
  schema_async: 'stop',
  schema_conflict: 'stop',
  schema_invalid: 'stop',
  schema_needs_worker: 'stop',
  schema_outdated: 'stop',
  server_error: 'retry',
  session_gone: 'retry',
  signed_out: 'stop',
  storage_closed: 'stop',
  storage_failed: 'storage',
  storage_full: 'storage',
  storage_unavailable: 'stop',
  timeout: 'retry',
  // The app's own callback failed: it may only be offline, so it is asked again.
  token_failed: 'retry',
  unauthorized: 'auth',
  unsent_edits: 'stop',
  version_skew: 'stop',
  worker_crashed: 'stop',
  worker_failed: 'stop',
}

/** GETs that ended so have a known outcome: no page can have been lost with them (R9). */
export const KNOWN_OUTCOMES: ReadonlySet<ErrorCode> = new Set([
  'unauthorized',
  'forbidden',
  'session_gone',
  'rate_limited',
  'token_failed',
])

const FIRST_MS = 1_000
const CEILING_MS = 60_000
/** A server may ask for a long wait, but not for an absurd one. */
const RETRY_AFTER_CEILING_MS = 3_600_000

/** Exponential back-off with full jitter: milliseconds before try number `attempt` (from 1). */
export function backoff(attempt: number, random: Random, floorMs = 0): number {
  const ceiling = Math.min(CEILING_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 16))
  return Math.min(RETRY_AFTER_CEILING_MS, Math.max(floorMs, Math.ceil(random.float() * ceiling)))
}

/** Milliseconds of a `Retry-After` header: seconds or an HTTP date; undefined if it says nothing usable. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined
  const text = header.trim()
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs
  return Number.isFinite(ms) && ms >= 0 ? Math.min(ms, RETRY_AFTER_CEILING_MS) : undefined
}
