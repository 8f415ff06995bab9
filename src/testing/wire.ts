/**
 * The way of one request to the service and back, and what a fault does to it. What happens is decided before it
 * leaves; nothing here draws lots. Plain values, so that it runs under any clock.
 */
import { aborted, type Clock } from '../clock.ts'
import type { ExchangeRequest } from '../service/answer.ts'
import type { Exchange } from '../service/exchange.ts'
import type { Fault } from './fault.ts'

export interface WireRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  readonly signal: AbortSignal
}

export interface WireAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Null: none. Bytes only where the body was cut, perhaps within a character. */
  readonly body: string | Uint8Array<ArrayBuffer> | null
  /** The connection breaks after the last byte of `body`. */
  readonly broken: boolean
}

export interface WireDeps {
  readonly exchange: Exchange
  readonly clock: Clock
  /** Time of what is on its way without its sender. Default: the sender's. */
  readonly wire?: Clock
  /** Milliseconds each way, asked once for each. */
  readonly delayMs: (request: WireRequest) => number
}

export type Send = (
  request: WireRequest,
  fault: Fault | null,
  /** Told the status with which the server answered, before the answer leaves for the sender. */
  served?: (status: number) => void,
) => Promise<WireAnswer>

/** The sender hears what `fetch` says of a network that failed: a TypeError, or `aborted`. */
export function createWire({ exchange, clock, wire = clock, delayMs }: WireDeps): Send {
  async function travel(request: WireRequest, moreMs = 0): Promise<void> {
    const ms = delayMs(request) + moreMs
    if (ms > 0) await clock.sleep(ms, request.signal)
    if (request.signal.aborted) throw aborted()
  }

  return async (request, fault, served = () => {}) => {
    if (fault?.kind === 'outlive') {
      const ms = delayMs(request)
      if (ms > 0) await wire.sleep(ms)
    } else await travel(request)
    if (fault?.kind === 'drop-request') throw networkFailed()
    if (fault?.kind === 'hang') return until(request.signal)
    if (fault?.kind === 'status') {
      const { status, headers = {}, body = null } = fault
      return { status, headers, body, broken: false }
    }
    const arrived = arrivalOf(request)
    if (fault?.kind === 'duplicate') void wire.sleep(fault.afterMs).then(() => exchange(arrived))
    const { status, headers, body } = await exchange(arrived)
    served(status)
    await travel(request, fault?.kind === 'delay' ? fault.ms : 0)
    if (fault?.kind === 'drop-answer') throw networkFailed()
    if (fault?.kind !== 'cut' || body === null) return { status, headers, body, broken: false }
    const bytes = new TextEncoder().encode(body)
    return { status, headers, body: bytes.slice(0, fault.keep(bytes.length)), broken: !fault.silent }
  }
}

export function networkFailed(): TypeError {
  return new TypeError('The network failed.')
}

function arrivalOf({ method, url, headers, body }: WireRequest): ExchangeRequest {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  // Browsers send one of their own; the service asks for it.
  if (!lower.has('user-agent')) lower.set('user-agent', 'tidegate-testing')
  return { method, url, headers: { get: (name) => lower.get(name.toLowerCase()) ?? null }, body }
}

function until(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(aborted())
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
