/**
 * The three calls of the protocol, parsed at the edge. Every failure is a `SyncError` whose code says what
 * is known about the outcome; nothing above this file sees a status number or a body.
 */
import { aborted, type Clock } from '../clock.ts'
import { SyncError, type ErrorCode } from '../errors.ts'
import { ackBody } from '../protocol/ack.ts'
import { readCapabilities, type Capabilities } from '../protocol/capabilities.ts'
import { parseJson } from '../protocol/json.ts'
import { readPage, type Page } from '../protocol/queue.ts'
import { headers, routes } from '../protocol/routes.ts'
import { readSession, type Session } from '../protocol/session.ts'
import type { RateLimit } from './rate.ts'
import { retryAfterMs } from './retry.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'POST'
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

/** What a start answer says about the server, besides the session. */
export interface ServerFacts {
  readonly capabilities: Capabilities | null
  readonly account: string | null
}

export interface FetchedPage extends Page {
  readonly suspect: boolean
}

/** The calls, spoken for one device. Bound to it, so that keys of an old UUID never go out under a new one (R23). */
export interface Transport {
  start(signal: AbortSignal): Promise<ServerFacts & { readonly session: Session | null }>
  /** Null: the queue is drained (204, FETCH-1). */
  fetchPage(session: string, signal: AbortSignal): Promise<FetchedPage | null>
  /** @param keys asked for when the call may go out, so that what gathered while it waited goes along (R12). */
  ack(keys: () => readonly string[], signal: AbortSignal): Promise<void>
}

export interface Endpoint {
  as(device: string): Transport
  /** Forgets the token in hand, so that the next call asks for one. */
  forgetToken(): void
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

/** The most one body may hold (R43). */
const MAX_BODY_BYTES = 16 * 1024 * 1024

export function createEndpoint(deps: TransportDeps): Endpoint {
  const { http, clock, endpoint, timeouts } = deps
  let token: Promise<string> | null = null

  /** The token in hand, or the one being asked for: calls share one request, whose end is that of the engine. */
  function takeToken(reason: TokenReason): Promise<string> {
    if (token !== null) return token
    const asked = deps.token(reason, deps.life).catch((error: unknown) => {
      if (token === asked) token = null
      throw error
    })
    token = asked
    return asked
  }

  /** One call with its deadline; `body` is read within it. */
  async function exchange(
    device: string,
    method: 'GET' | 'POST',
    path: string,
    body: string | null,
    bearer: string,
    outer: AbortSignal,
  ): Promise<{ response: HttpResponse; text: string }> {
    const cut = new AbortController()
    const abort = (): void => cut.abort()
    if (outer.aborted) throw aborted()
    outer.addEventListener('abort', abort, { once: true })
    const request: HttpRequest = {
      method,
      url: endpoint + path,
      headers: {
        Accept: 'application/json',
        Authorization: `Bearer ${bearer}`,
        [headers.device]: device,
        ...(body === null ? {} : { 'Content-Type': 'application/json' }),
      },
      body,
      signal: cut.signal,
    }
    const over = new AbortController()
    let answered = false

    async function work(): Promise<{ response: HttpResponse; text: string }> {
      const response = await http(request)
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
      throw new SyncError('timeout', `The server did not answer within ${Math.round(ms / 1000)} s.`)
    }

    try {
      return await Promise.race([work(), deadline()])
    } catch (error) {
      if (outer.aborted) throw aborted()
      if (error instanceof SyncError) throw error
      throw new SyncError(
        'endpoint_unreachable',
        `No complete answer came from ${endpoint}: the network is down, the address is wrong, or the server does not allow this origin (CORS).`,
        { cause: error },
      )
    } finally {
      over.abort()
      outer.removeEventListener('abort', abort)
    }
  }

  /** A call with a token; one that is refused is replaced once and the call repeated (AUTH-1). */
  async function call(
    device: string,
    method: 'GET' | 'POST',
    path: string,
    body: (() => string) | null,
    signal: AbortSignal,
  ): Promise<{ response: HttpResponse; text: string }> {
    for (let attempt = 0; ; attempt++) {
      const used = takeToken(attempt === 0 ? 'start' : 'refused')
      const bearer = await unlessAborted(used, signal)
      await deps.rate.take(signal, path !== routes.ack)
      const answer = await exchange(device, method, path, body?.() ?? null, bearer, signal)
      if (answer.response.status !== 401) return answer
      // Another call may have replaced it meanwhile; a fresh token is not thrown away for an old one's refusal.
      if (token === used) token = null
      if (attempt > 0)
        throw failure(
          answer.response,
          'unauthorized',
          'The server refused the token; sign in again, then call resume().',
        )
    }
  }

  function failure(response: HttpResponse, code: ErrorCode, message: string): SyncError {
    return new SyncError(code, message, {
      status: response.status,
      retryAfterMs: retryAfterMs(response.header(headers.retryAfter), clock.now()),
      requestId: response.header(headers.requestId) ?? undefined,
    })
  }

  function refused(response: HttpResponse): SyncError {
    const { status } = response
    if (status === 403)
      return failure(response, 'forbidden', 'The token does not carry the scope "sync"; ask for a token with it.')
    if (status === 429)
      return failure(response, 'rate_limited', 'The server asks for fewer requests; the engine waits and goes on.')
    if (status >= 500)
      return failure(response, 'server_error', `The server failed (${status}); the engine tries again.`)
    if (status === 404 || status === 410 || status < 200 || (status >= 300 && status < 400)) return wrong(response)
    return failure(
      response,
      'request_refused',
      `The server refused the request (${status}); client and server do not agree about the protocol.`,
    )
  }

  const wrong = (response: HttpResponse): SyncError =>
    failure(
      response,
      'endpoint_wrong',
      `What answered at ${endpoint} is no sync service (status ${response.status}); check the endpoint given to createSync.`,
    )

  /** A sign-in page of the network, or of a proxy: whatever its status, the service has not answered (F10). */
  const isForPeople = (response: HttpResponse): boolean => /html/i.test(response.header('Content-Type') ?? '')

  function parse(response: HttpResponse, text: string): { value: unknown; suspect: boolean } {
    try {
      return parseJson(text)
    } catch (error) {
      throw new SyncError('bad_response', 'The answer was cut short or is no JSON; the engine asks again.', {
        status: response.status,
        cause: error,
      })
    }
  }

  const as = (device: string): Transport => ({
    async start(signal) {
      const { response, text } = await call(device, 'POST', routes.start, null, signal)
      const facts = {
        capabilities: readCapabilities(response.header(headers.capabilities)),
        account: response.header(headers.account),
      }
      if (response.status === 204) return { ...facts, session: null }
      if (response.status < 200 || response.status > 299) throw refused(response)
      const session = isForPeople(response) ? null : readSession(parse(response, text).value)
      if (session === null) throw wrong(response)
      return { ...facts, session }
    },

    async fetchPage(session, signal) {
      const { response, text } = await call(device, 'GET', routes.queue(encodeURIComponent(session)), null, signal)
      if (response.status === 204) return null
      if (response.status === 404 || response.status === 410)
        throw failure(response, 'session_gone', 'The session is over at the server; the engine starts another.')
      if (response.status < 200 || response.status > 299) throw refused(response)
      const { value, suspect } = parse(response, text)
      const page = readPage(value)
      if (page === null)
        throw failure(response, 'bad_response', 'The answer is no page of the queue; the engine asks again.')
      return { ...page, suspect }
    },

    async ack(keys, signal) {
      const { response } = await call(device, 'POST', routes.ack, () => ackBody(keys()), signal)
      if (response.status < 200 || response.status > 299) throw refused(response)
      if (isForPeople(response)) throw wrong(response)
    },
  })

  return {
    as,
    forgetToken() {
      token = null
    },
  }
}

/** Settles with `work`, or rejects as soon as `signal` aborts; `work` goes on for whoever shares it. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop: () => void = () => undefined
  const cut = new Promise<never>((_, reject) => {
    stop = () => reject(aborted())
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
  })
  try {
    return await Promise.race([work, cut])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
