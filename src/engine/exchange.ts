/**
 * One request with its token and its deadlines: what every call of the transport goes through. A token that is
 * refused is replaced once; silence ends; nothing here knows what a call means.
 */
import { aborted, type Clock } from '../clock.ts'
import { SyncError, type ErrorCode } from '../errors.ts'
import { headers, routes } from '../protocol/routes.ts'
import type { RateLimit } from './rate.ts'
import { retryAfterMs } from './retry.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export interface HttpRequest {
  readonly method: Method
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  readonly signal: AbortSignal
}

export interface HttpResponse {
  readonly status: number
  header(name: string): string | null
  /** Rejects with `page_too_large` beyond `maxBytes`. */
  text(maxBytes: number): Promise<string>
}

/** One request. Rejects if no answer came; never for a status. */
export type Http = (request: HttpRequest) => Promise<HttpResponse>

export type TokenReason = 'start' | 'refused'

export interface Timeouts {
  /** Milliseconds until an answer begins. */
  readonly headers: number
  /** Milliseconds until an answer is complete. */
  readonly total: number
}

export interface TransportDeps {
  readonly http: Http
  readonly clock: Clock
  readonly endpoint: string
  readonly token: (reason: TokenReason, signal: AbortSignal) => Promise<string>
  /** Aborts when the engine ends: nobody waits for a token any more. */
  readonly life: AbortSignal
  readonly rate: RateLimit
  readonly timeouts: Timeouts
}

/** An answer with its body, which is empty where none is expected. */
export interface Exchange {
  readonly response: HttpResponse
  readonly text: string
}

/** The most one body may hold (R43). */
const MAX_BODY_BYTES = 16 * 1024 * 1024

/** It was not read, or not to its end. */
export function pageTooLarge(): SyncError {
  return new SyncError(
    'page_too_large',
    'A page of the queue is larger than 16 MiB; lower the page size of the server.',
  )
}

interface Token {
  readonly promise: Promise<string>
  /** Null until it has come. */
  value: string | null
}

/** Sends requests, and says what went wrong with them. */
export interface Caller {
  /** A call with a token; one that is refused is replaced once and the call repeated (AUTH-1). */
  call(
    device: string,
    method: Method,
    path: string,
    makeBody: (() => string | null) | null,
    signal: AbortSignal,
    more?: Readonly<Record<string, string>>,
  ): Promise<Exchange>
  /** An error that carries what the answer says of itself. */
  failure(response: HttpResponse, code: ErrorCode, message: string): SyncError
  /** Forgets the token in hand, so that the next call asks for one. */
  forgetToken(): void
}

export function createCaller(deps: TransportDeps): Caller {
  const { http, clock, endpoint, timeouts } = deps
  let token: Token | null = null

  /** The token in hand, or the one being asked for: calls share one request, whose end is that of the engine. */
  function takeToken(reason: TokenReason): Token {
    if (token !== null) return token
    const asked: Token = { value: null, promise: deps.token(reason, deps.life) }
    token = asked
    asked.promise.then(
      (value) => {
        asked.value = value
      },
      () => {
        if (token === asked) token = null
      },
    )
    return asked
  }

  /** One call with its deadline; the body is read within it. */
  async function exchange(request: Omit<HttpRequest, 'signal'>, outer: AbortSignal): Promise<Exchange> {
    if (outer.aborted) throw aborted()
    const cut = new AbortController()
    const over = new AbortController()
    outer.addEventListener('abort', () => cut.abort(), { signal: over.signal })
    let answered = false

    async function work(): Promise<Exchange> {
      const response = await http({ ...request, signal: cut.signal })
      answered = true
      const empty = response.status === 204 || response.status === 202
      return { response, text: empty ? '' : await response.text(MAX_BODY_BYTES) }
    }

    /** Rejects when the answer has not begun, or is not complete, in time; cuts the request then. */
    async function deadline(): Promise<never> {
      await clock.sleep(timeouts.headers, over.signal)
      if (answered) await clock.sleep(timeouts.total - timeouts.headers, over.signal)
      cut.abort()
      const ms = answered ? timeouts.total : timeouts.headers
      throw new SyncError('timeout', `No answer came within ${Math.round(ms / 1000)} s.`)
    }

    try {
      return await Promise.race([work(), deadline()])
    } catch (error) {
      // A body that nobody reads would keep its connection.
      cut.abort()
      if (outer.aborted) throw aborted()
      if (error instanceof SyncError) throw error
      throw new SyncError(
        'endpoint_unreachable',
        `No complete answer from ${endpoint}: no network, a wrong address, or no CORS for this page.`,
        { cause: error },
      )
    } finally {
      over.abort()
    }
  }

  async function call(
    device: string,
    method: Method,
    path: string,
    makeBody: (() => string | null) | null,
    signal: AbortSignal,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Exchange> {
    for (let attempt = 0; ; attempt++) {
      const used = takeToken(attempt === 0 ? 'start' : 'refused')
      // Without a turn in between where nothing has to be waited for: what follows the call may keep the thread busy.
      const bearer = used.value ?? (await unlessAborted(used.promise, signal))
      if (deps.rate.limited) await deps.rate.take(signal, path !== routes.ack)
      const body = makeBody === null ? null : makeBody()
      const sent = {
        Accept: 'application/json',
        Authorization: `Bearer ${bearer}`,
        [headers.device]: device,
        ...(body === null ? {} : { 'Content-Type': 'application/json' }),
        ...more,
      }
      const answer = await exchange({ method, url: endpoint + path, headers: sent, body }, signal)
      if (answer.response.status !== 401) return answer
      // Another call may have replaced it meanwhile; a fresh token is not thrown away for an old one's refusal.
      if (token === used) token = null
      if (attempt > 0)
        throw failure(answer.response, 'unauthorized', 'The server refused the token; sign in, then call resume().')
    }
  }

  function failure(response: HttpResponse, code: ErrorCode, message: string): SyncError {
    return new SyncError(code, message, {
      status: response.status,
      retryAfterMs: retryAfterMs(response.header(headers.retryAfter), clock.now()),
      requestId: response.header(headers.requestId) ?? undefined,
    })
  }

  return {
    call,
    failure,
    forgetToken() {
      token = null
    },
  }
}

/** Settles with `work`, or rejects as soon as `signal` aborts; `work` goes on for whoever shares it. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) throw aborted()
  const over = new AbortController()
  const cut = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(aborted()), { signal: over.signal })
  })
  try {
    return await Promise.race([work, cut])
  } finally {
    over.abort()
  }
}
