/**
 * The real service core as the engine's `Http`, over the wire of the public kit (`src/testing`). What a fault
 * does is decided once per request, so a test can script it and a simulation can draw it.
 */
import type { Clock } from '../../src/clock.ts'
import { SyncError } from '../../src/errors.ts'
import type { Http, HttpRequest, HttpResponse } from '../../src/engine/transport.ts'
import type { Exchange } from '../../src/service/exchange.ts'
import type { Fault as KitFault } from '../../src/testing/fault.ts'
import { createWire, type WireAnswer } from '../../src/testing/wire.ts'

export type Fault =
  | { readonly kind: 'none' }
  /** The request never arrives. */
  | { readonly kind: 'lost-request' }
  /** The server does its work, the answer never arrives. */
  | { readonly kind: 'lost-answer' }
  /** The answer is cut after a share of its bytes, without anybody noticing. */
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
  const send = createWire({ exchange, clock, wire, delayMs: (request) => delayMs(request as HttpRequest) })

  async function http(request: HttpRequest): Promise<HttpResponse> {
    const path = new URL(request.url).pathname.replace(/sync\/[^/]{9,}\//, 'sync/SESSION/')
    const what = fault(request)
    let served = ''
    const say = (outcome: string): void => void log.push(`${request.method} ${path} -> ${outcome}`)
    try {
      const answer = await send(request, kitFault(what), (status) => {
        served = `${status} `
      })
      if (!alive()) await never
      say(what.kind === 'cut' ? `${answer.status} cut` : String(answer.status))
      return response(answer)
    } catch (error) {
      if (!alive()) await never
      if (error instanceof TypeError) say(`${served}lost`)
      throw error
    }
  }

  return { http, log }
}

function kitFault(fault: Fault): KitFault | null {
  switch (fault.kind) {
    case 'none':
      return null
    case 'lost-request':
      return { kind: 'drop-request' }
    case 'lost-answer':
      return { kind: 'drop-answer' }
    case 'cut':
      return { kind: 'cut', silent: true, keep: (length) => Math.floor(length * fault.share) }
    case 'outlives':
      return { kind: 'outlive' }
    case 'twice':
      return { kind: 'duplicate', afterMs: fault.afterMs }
    case 'status': {
      const { status, retryAfter, contentType, body = '' } = fault
      const headers = {
        ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
        ...(contentType === undefined ? {} : { 'content-type': contentType }),
      }
      return { kind: 'status', status, headers, body }
    }
  }
}

function response({ status, headers, body }: WireAnswer): HttpResponse {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body ?? undefined)
  return {
    status,
    header: (name) => lower.get(name.toLowerCase()) ?? null,
    text: (maxBytes) =>
      text.length > maxBytes ? Promise.reject(new SyncError('page_too_large', 'too large')) : Promise.resolve(text),
  }
}
