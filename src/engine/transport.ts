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

/** A page as it arrived, so that the next one can be asked for before this one is parsed. */
export interface UnreadPage {
  /** Characters of JSON text. */
  readonly size: number
  /** @throws SyncError `bad_response` */
  read(): FetchedPage
}

/** The calls, spoken for one device. Bound to it, so that keys of an old UUID never go out under a new one (R23). */
export interface Transport {
  start(signal: AbortSignal): Promise<ServerFacts & { readonly session: Session | null }>
  /** Null: the queue is drained (204, FETCH-1). */
  fetchPage(session: string, signal: AbortSignal): Promise<UnreadPage | null>
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

/** An answer with its body, which is empty where none is expected. */
interface Exchange {
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

export function createEndpoint(deps: TransportDeps): Endpoint {
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

  /** A call with a token; one that is refused is replaced once and the call repeated (AUTH-1). */
  async function call(
    device: string,
    method: 'GET' | 'POST',
    path: string,
    makeBody: (() => string) | null,
    signal: AbortSignal,
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

  const wrong = (response: HttpResponse): SyncError =>
    failure(
      response,
      'endpoint_wrong',
      `There is no sync service at ${endpoint} (status ${response.status}); check the endpoint.`,
    )

  const garbled = (response: HttpResponse): SyncError =>
    failure(response, 'bad_response', 'The answer was cut short or makes no sense; the engine tries again.')

  /** @throws what a status that promises no answer means. */
  function accept(response: HttpResponse): void {
    const { status } = response
    if (status >= 200 && status < 300) return
    if (status === 403) throw failure(response, 'forbidden', 'The token lacks the scope "sync"; ask for one with it.')
    if (status === 429)
      throw failure(response, 'rate_limited', 'The server asks for fewer requests; the engine tries again.')
    if (status >= 500) throw failure(response, 'server_error', `The server failed (${status}); the engine tries again.`)
    if (status < 400 || isGone(response)) throw wrong(response)
    throw failure(
      response,
      'request_refused',
      `The server refused the request (${status}): it speaks another protocol.`,
    )
  }

  function parse({ response, text }: Exchange): { value: unknown; suspect: boolean } {
    try {
      return parseJson(text)
    } catch {
      throw garbled(response)
    }
  }

  const as = (device: string): Transport => ({
    async start(signal) {
      const answer = await call(device, 'POST', routes.start, null, signal)
      const { response } = answer
      const facts = {
        capabilities: readCapabilities(response.header(headers.capabilities)),
        account: response.header(headers.account),
      }
      if (response.status === 204) return { ...facts, session: null }
      accept(response)
      const session = isForPeople(response) ? null : readSession(parse(answer).value)
      if (session === null) throw wrong(response)
      return { ...facts, session }
    },

    async fetchPage(session, signal) {
      const answer = await call(device, 'GET', routes.queue(encodeURIComponent(session)), null, signal)
      const { response } = answer
      if (response.status === 204) return null
      if (isGone(response)) throw failure(response, 'session_gone', 'The session is over; the engine starts another.')
      accept(response)
      return {
        size: answer.text.length,
        read() {
          const { value, suspect } = parse(answer)
          const page = readPage(value)
          if (page === null) throw garbled(response)
          return { ...page, suspect }
        },
      }
    },

    async ack(keys, signal) {
      const { response } = await call(device, 'POST', routes.ack, () => ackBody(keys()), signal)
      accept(response)
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

const isGone = ({ status }: HttpResponse): boolean => status === 404 || status === 410

/** A sign-in page of the network, or of a proxy: whatever its status, the service has not answered (F10). */
const isForPeople = (response: HttpResponse): boolean => /html/i.test(response.header('Content-Type') ?? '')

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
