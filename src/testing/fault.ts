/** What can happen to one request on its way. Plain values, so that a test can script them and a plan can draw them. */

export type Fault =
  /** The request never arrives; the sender is told so. */
  | { readonly kind: 'drop-request' }
  /** The server does its work, the answer never arrives; the sender is told so. */
  | { readonly kind: 'drop-answer' }
  /** Nothing comes back, and nobody says so: only the sender's own deadline ends it. The server never sees it. */
  | { readonly kind: 'hang' }
  /** The answer takes so many milliseconds longer. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Of the answer's body only `keep(length)` bytes arrive. `silent`: nobody notices. */
  | { readonly kind: 'cut'; readonly keep: (length: number) => number; readonly silent: boolean }
  /** The request arrives twice, the second time so many milliseconds later; nobody hears that answer. */
  | { readonly kind: 'duplicate'; readonly afterMs: number }
  /** It arrives, and is answered, even when its sender gave up or ended before it got there. */
  | { readonly kind: 'outlive' }
  /** Something on the way answers instead of the server, which never sees the request. */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string
    }

/** The faults, ready to use with `server.network.fail(match, fault.…)`. */
export const fault = {
  /** The request never arrives. */
  dropRequest: (): Fault => ({ kind: 'drop-request' }),
  /** The server did its work, but the sender cannot know. */
  dropAnswer: (): Fault => ({ kind: 'drop-answer' }),
  /** Silence, until the sender's own deadline (`timeouts` of `createSync`). */
  hang: (): Fault => ({ kind: 'hang' }),
  delay: (ms: number): Fault => ({ kind: 'delay', ms }),
  /**
   * The body ends after `at` bytes; below zero: so many bytes before its end. The sender sees a broken connection,
   * unless `silent`, which is what a proxy does that sends a shorter body as if it were whole.
   */
  cut: (at: number, { silent = false }: { readonly silent?: boolean } = {}): Fault => ({
    kind: 'cut',
    keep: (length) => Math.max(0, Math.min(length, at < 0 ? length + at : at)),
    silent,
  }),
  /** The request arrives once more, `afterMs` later. */
  duplicate: (afterMs = 0): Fault => ({ kind: 'duplicate', afterMs }),
  /** The request arrives although its sender gave up meanwhile. */
  outlive: (): Fault => ({ kind: 'outlive' }),
  /** 5xx and everything else that something on the way may say; the server never sees the request. */
  status: (
    status: number,
    more: { readonly headers?: Readonly<Record<string, string>>; readonly body?: string } = {},
  ): Fault => ({ kind: 'status', status, ...more }),
  /** 429 with `Retry-After`. */
  tooManyRequests: (seconds: number): Fault => ({
    kind: 'status',
    status: 429,
    headers: { 'Retry-After': String(seconds) },
  }),
  /** 401: the token has expired or was revoked. */
  unauthorized: (): Fault => ({ kind: 'status', status: 401 }),
  /** 200 without a single byte. */
  emptyAnswer: (): Fault => ({ kind: 'status', status: 200 }),
  /** 200 with a page on which nothing stands. */
  emptyPage: (): Fault => ({
    kind: 'status',
    status: 200,
    headers: { 'Content-Type': 'application/json; charset=utf-8' },
    body: '{"items":[],"meta":{"type":"collection","count":0}}',
  }),
  /** 404: of a page, the session is over. */
  expiredSession: (): Fault => ({ kind: 'status', status: 404 }),
} as const
