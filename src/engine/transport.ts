/**
 * The calls of the protocol, parsed at the edge. Every failure is a `SyncError` whose code says what
 * is known about the outcome; nothing above this file sees a status number or a body.
 */
import type { SyncError } from '../errors.ts'
import { ackBody } from '../protocol/ack.ts'
import { readCapabilities, type Capabilities } from '../protocol/capabilities.ts'
import { holdsUnsafeInteger, parseJson } from '../protocol/json.ts'
import { readProblem, type Problem } from '../protocol/problem.ts'
import { readPage, type Page } from '../protocol/queue.ts'
import { headers, routes } from '../protocol/routes.ts'
import { readSession, type Session } from '../protocol/session.ts'
import type { Row } from '../schema.ts'
import type { EditProblem, EditRequest } from '../store/edit.ts'
import { createCaller, type Exchange, type HttpResponse, type TransportDeps } from './exchange.ts'

export { pageTooLarge } from './exchange.ts'
export type { Http, HttpRequest, HttpResponse, Timeouts, TokenReason, TransportDeps } from './exchange.ts'

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
  /** A local edit. Where it throws, the server has not said what became of it. */
  write(request: EditRequest, signal: AbortSignal): Promise<EditAnswer>
}

/** What the server said to an edit. */
export type EditAnswer =
  | { readonly kind: 'accepted'; readonly row: Row | null; readonly revision: number | null }
  | { readonly kind: 'refused'; readonly problem: EditProblem }

export interface Endpoint {
  as(device: string): Transport
  /** Forgets the token in hand, so that the next call asks for one. */
  forgetToken(): void
}

export function createEndpoint(deps: TransportDeps): Endpoint {
  const { endpoint } = deps
  const { call, failure, forgetToken } = createCaller(deps)

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

    async write({ method, path, body, idempotencyKey }, signal) {
      const key = idempotencyKey === null ? {} : { [headers.idempotencyKey]: idempotencyKey }
      const answer = await call(device, method, path, () => body, signal, key)
      const { response } = answer
      const { status } = response
      const refused = status >= 400 && status < 500 && status !== 429
      if (!refused) accept(response)
      if (isForPeople(response)) throw wrong(response)
      if (refused) {
        const said = readProblem(jsonOf(answer.text))
        // Gone is gone, whoever did it; a path that leads nowhere is something else.
        const missing = isGone(response) && said?.code !== 'incorrect_path'
        return missing && method === 'DELETE'
          ? done(null, null)
          : { kind: 'refused', problem: problemOf(status, missing, said) }
      }
      // Without the record a create has no name: cut short before its first byte.
      if (method === 'POST' && status !== 204 && answer.text === '') throw garbled(response)
      return done(rowOf(answer), revisionIn(response))
    },
  })

  /** The record in an answer; null where it says nothing that could be kept (R8). */
  function rowOf(answer: Exchange): Row | null {
    if (answer.text === '') return null
    const { value, suspect } = parse(answer)
    const row = isObject(value) ? value['data'] : null
    return isObject(row) && !(suspect && holdsUnsafeInteger(row)) ? row : null
  }

  return { as, forgetToken }
}

const isGone = ({ status }: HttpResponse): boolean => status === 404 || status === 410

/** A sign-in page of the network, or of a proxy: whatever its status, the service has not answered (F10). */
const isForPeople = (response: HttpResponse): boolean => /html/i.test(response.header('Content-Type') ?? '')

const isObject = (value: unknown): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value)

const done = (row: Row | null, revision: number | null): EditAnswer => ({ kind: 'accepted', row, revision })

function revisionIn(response: HttpResponse): number | null {
  const text = response.header(headers.revision)
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null
}

function problemOf(status: number, missing: boolean, said: Problem | null): EditProblem {
  const forbidden = status === 403
  return {
    code: forbidden ? 'forbidden' : missing ? 'missing' : 'refused',
    status,
    message: forbidden
      ? 'The token lacks the scope "write"; retry with one that has it.'
      : (said?.message ?? `The server refused it (${status}).`),
    fields: said?.fields ?? [],
  }
}

/** Of a refusal the body only adds detail (ERR-2). */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
