/** Options of the service, and their defaults made explicit once. */
import type { Prepare, Validate, WriteRules } from './review.ts'
import type { JsonObject, SyncStore } from './store.ts'

export type Scope = 'sync' | 'read' | 'write'

/** Whose token it is, and what it allows. */
export interface Access {
  readonly account: string
  readonly user: string
  readonly scopes: readonly Scope[]
  /** Visibility scopes of the user (R34). Default: all objects written without a scope. */
  readonly sees?: readonly string[] | undefined
}

/** One line of the service's log. Codes and counts only: never a token, a device name, a key or data (S17). */
export type ServiceLog = (
  level: 'error' | 'info' | 'debug',
  event: string,
  fields?: Readonly<Record<string, string | number | boolean | null>>,
) => void

export interface ServiceOptions {
  readonly store: SyncStore
  /** Null for a token that is missing in your books, expired or revoked (AUTH-1). May be asynchronous. */
  readonly authorize: (token: string) => Access | null | Promise<Access | null>
  /** Items on a page, 1 to 1,000. Default 100. */
  readonly pageSize?: number | undefined
  /** Ceiling of a page in bytes (R11). Default 1 MiB. */
  readonly pageBytes?: number | undefined
  /** Requests a second and token (R12); null: no limit, the default. */
  readonly rate?: number | null | undefined
  /** Origins whose pages may call (CORS-1); `*` for any. Default: none. */
  readonly origins?: readonly string[] | undefined
  /** Keeps acknowledgements waiting so many milliseconds, to show what FAQ-6.1 tells of. Default 0. */
  readonly ackDelayMs?: number | undefined
  /** `vendor`: none of our extension headers, no `Idempotency-Key`. Default `tidegate`. */
  readonly profile?: 'tidegate' | 'vendor' | undefined
  /** Active sessions of one user (RATE-2). Default 100. */
  readonly maxSessions?: number | undefined
  /** Plural path by type, where the rule of `pluralOf` is wrong: `{person: 'people'}`. */
  readonly plurals?: Readonly<Record<string, string>> | undefined
  /**
   * Shapes data for a user just before it leaves. Where it throws, the object is listed in
   * `failed_objects` and stays pending (FETCH-8).
   */
  readonly present?: ((type: string, data: JsonObject, user: string) => JsonObject) | undefined
  /**
   * Says what is wrong with a write before it is kept; must not call the store. Shown are the fields as they came and
   * the record as it is; a write that changes nothing, or repeats an `Idempotency-Key`, is not shown.
   */
  readonly validate?: Validate | undefined
  /** Gives the data to keep, after `validate`: defaults, fields set by the server. */
  readonly prepare?: Prepare | undefined
  /** Wall clock in milliseconds since 1970, for the rate limit. */
  readonly now?: (() => number) | undefined
  /** Source of request ids. */
  readonly uuid?: (() => string) | undefined
  /** Runs a task after so many milliseconds, outside of any request. Default: a timer. */
  readonly background?: ((task: () => Promise<void>, delayMs: number) => void) | undefined
  readonly log?: ServiceLog | undefined
}

export interface Settings {
  readonly store: SyncStore
  readonly authorize: ServiceOptions['authorize']
  readonly pageSize: number
  readonly pageBytes: number
  readonly rate: number | null
  readonly origins: readonly string[]
  readonly ackDelayMs: number
  readonly extensions: boolean
  readonly maxSessions: number
  readonly plurals: Readonly<Record<string, string>>
  readonly present: ServiceOptions['present']
  readonly rules: WriteRules
  readonly now: () => number
  readonly uuid: () => string
  readonly background: (task: () => Promise<void>, delayMs: number) => void
  readonly log: ServiceLog
}

/** @throws RangeError for a number out of its bounds. */
export function settingsOf(options: ServiceOptions): Settings {
  const { pageSize = 100, pageBytes = 1024 * 1024, rate = null, ackDelayMs = 0, maxSessions = 100 } = options
  within('pageSize', pageSize, 1, 1000)
  within('pageBytes', pageBytes, 1, 16 * 1024 * 1024)
  within('ackDelayMs', ackDelayMs, 0, 24 * 3_600_000)
  within('maxSessions', maxSessions, 1, 1_000_000)
  if (rate !== null) within('rate', rate, 1, 1_000_000)
  return {
    store: options.store,
    authorize: options.authorize,
    pageSize,
    pageBytes,
    rate,
    ackDelayMs,
    maxSessions,
    origins: options.origins ?? [],
    extensions: options.profile !== 'vendor',
    plurals: options.plurals ?? {},
    present: options.present,
    rules: { validate: options.validate, prepare: options.prepare },
    now: options.now ?? (() => Date.now()),
    uuid: options.uuid ?? (() => crypto.randomUUID()),
    background: options.background ?? runLater,
    log: options.log ?? (() => {}),
  }
}

/** A timer that keeps no process alive. */
function runLater(task: () => Promise<void>, delayMs: number): void {
  const timer: unknown = setTimeout(() => void task(), delayMs)
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function')
    timer.unref()
}

function within(name: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new RangeError(`${name} must be a whole number from ${low} to ${high}, not ${value}.`)
  }
}
