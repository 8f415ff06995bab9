/**
 * The real service core as the engine's `Http`, through a network that can be told to misbehave. What a fault
 * does is decided once per request, so a test can script it and a simulation can draw it.
 */
import { aborted, type Clock } from '../../src/clock.ts'
import { SyncError } from '../../src/errors.ts'
import type { Http, HttpRequest, HttpResponse } from '../../src/engine/transport.ts'
import type { Exchange } from '../../src/service/exchange.ts'

export type Fault =
  | { readonly kind: 'none' }
  /** The request never arrives. */
  | { readonly kind: 'lost-request' }
  /** The server does its work, the answer never arrives. */
  | { readonly kind: 'lost-answer' }
  /** The answer is cut after a share of its text, without anybody noticing. */
  | { readonly kind: 'cut'; readonly share: number }
  /** Something on the way answers instead. */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly retryAfter?: string
      readonly body?: string
      readonly contentType?: string
    }
  /** It arrives, whatever becomes of its sender meanwhile. */
  | { readonly kind: 'outlives' }
  /** Something on the way delivers it once more, so many milliseconds later; nobody hears that answer. */
  | { readonly kind: 'twice'; readonly afterMs: number }

export interface Network {
  readonly http: Http
  /** Requests as `METHOD path -> outcome`, in the order they were answered. */
  readonly log: string[]
}

export interface NetworkOptions {
  readonly exchange: Exchange
  readonly clock: Clock
  /** Time of what is on its way without its sender. Default: the sender's. */
  readonly wire?: Clock
  readonly fault?: (request: HttpRequest) => Fault
  readonly delayMs?: (request: HttpRequest) => number
  readonly alive?: () => boolean
}

/** A header that a request has whose answer nobody hears. */
export const UNHEARD = 'x-unheard'

const never = new Promise<never>(() => {})

export function createNetwork({
  exchange,
  clock,
  wire = clock,
  fault = () => ({ kind: 'none' }),
  delayMs = () => 1,
  alive = () => true,
}: NetworkOptions): Network {
  const log: string[] = []

  async function travel(request: HttpRequest): Promise<void> {
    await clock.sleep(delayMs(request))
    if (!alive()) await never
    if (request.signal.aborted) throw aborted()
  }

  async function http(request: HttpRequest): Promise<HttpResponse> {
    const path = new URL(request.url).pathname.replace(/sync\/[^/]{9,}\//, 'sync/SESSION/')
    const what = fault(request)
    if (what.kind === 'outlives') await wire.sleep(delayMs(request))
    else await travel(request)
    const headers = new Map(Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]))
    headers.set('user-agent', 'test')
    const say = (outcome: string): void => {
      log.push(`${request.method} ${path} -> ${outcome}`)
    }
    if (what.kind === 'lost-request') {
      say('lost')
      throw new TypeError('network')
    }
    if (what.kind === 'status') {
      say(String(what.status))
      return response(
        what.status,
        {
          ...(what.retryAfter === undefined ? {} : { 'retry-after': what.retryAfter }),
          ...(what.contentType === undefined ? {} : { 'content-type': what.contentType }),
        },
        what.body ?? '',
      )
    }
    const arrived = {
      method: request.method,
      url: request.url,
      headers: { get: (name: string) => headers.get(name.toLowerCase()) ?? null },
      body: request.body,
    }
    if (what.kind === 'twice') {
      const again = {
        ...arrived,
        headers: { get: (name: string) => (name === UNHEARD ? '1' : arrived.headers.get(name)) },
      }
      void wire.sleep(what.afterMs).then(() => exchange(again))
    }
    const answer = await exchange(arrived)
    await travel(request)
    if (what.kind === 'lost-answer') {
      say(`${answer.status} lost`)
      throw new TypeError('network')
    }
    const body = answer.body ?? ''
    say(what.kind === 'cut' ? `${answer.status} cut` : String(answer.status))
    return response(
      answer.status,
      answer.headers,
      what.kind === 'cut' ? body.slice(0, Math.floor(body.length * what.share)) : body,
    )
  }

  return { http, log }
}

function response(status: number, headers: Readonly<Record<string, string>>, body: string): HttpResponse {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return {
    status,
    header: (name) => lower.get(name.toLowerCase()) ?? null,
    text: (maxBytes) =>
      body.length > maxBytes ? Promise.reject(new SyncError('page_too_large', 'too large')) : Promise.resolve(body),
  }
}
