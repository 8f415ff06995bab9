/**
 * A network that does what the test says: rules for requests that match, a plan for the rest, and a switch that
 * takes it offline. Each request meets at most one fault, decided when it leaves; the log says which.
 */
import type { Clock } from '../clock.ts'
import type { Exchange } from '../service/exchange.ts'
import type { Fault } from './fault.ts'
import { createWire, networkFailed, type WireAnswer, type WireRequest } from './wire.ts'

/** What a request is in the protocol: session start, page of a session, acknowledgement, or a call for a record. */
export type Call = 'start' | 'page' | 'ack' | 'read' | 'write'

export interface NetworkRequest {
  readonly call: Call
  readonly method: string
  readonly path: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
}

/** Which requests a rule is for. All that is given must hold; `{}` is every request. */
export interface RequestMatch {
  readonly call?: Call | undefined
  readonly method?: string | undefined
  /** The path itself, or a pattern found in it. */
  readonly path?: string | RegExp | undefined
  readonly when?: ((request: NetworkRequest) => boolean) | undefined
  /** Lets so many that match pass first, to the rules after it. Default 0. */
  readonly after?: number | undefined
  /** For so many, then never again, so that rules added one after the other make a script. Default: for all. */
  readonly times?: number | undefined
}

/** Chooses a fault; null lets the request pass. `nth` counts from 0: the turns of this rule, or for a plan all requests of this call. */
export type FaultPlan = (request: NetworkRequest, nth: number) => Fault | null

export interface NetworkLogEntry {
  readonly call: Call
  readonly method: string
  readonly path: string
  /** What the server answered; null if it never saw the request. */
  readonly served: number | null
  /** What the sender saw; null if no answer came. */
  readonly status: number | null
  readonly fault: Fault['kind'] | 'offline' | null
}

export interface Network {
  /** Adds a rule; of several that are for a request the oldest counts. The answer takes it back. */
  fail(match: RequestMatch, fault: Fault | FaultPlan): () => void
  /** What happens to requests that no rule is for, such as `randomFaults(seed)`; null: nothing. */
  plan: FaultPlan | null
  /** Milliseconds each way. Default 0. */
  delay: number
  readonly isOnline: boolean
  /** From now on no request arrives, nor an answer. Test clients hear of it as browsers do. */
  offline(): void
  online(): void
  /** Takes back all rules and the plan, and goes online. */
  heal(): void
  /** Requests in the order in which they ended. */
  readonly log: readonly NetworkLogEntry[]
  /** Calls `listener` whenever the network goes offline or online; the answer stops that. */
  onChange(listener: (online: boolean) => void): () => void
}

export interface NetworkDeps {
  readonly exchange: Exchange
  readonly clock: Clock
}

export type Transfer = (request: WireRequest) => Promise<WireAnswer>

interface Rule {
  readonly match: RequestMatch
  readonly choose: FaultPlan
  seen: number
}

export function createNetwork({ exchange, clock }: NetworkDeps): { network: Network; transfer: Transfer } {
  let rules: Rule[] = []
  let online = true
  const log: NetworkLogEntry[] = []
  const counts = new Map<Call, number>()
  const listeners = new Set<(online: boolean) => void>()

  const network: Network = {
    plan: null,
    delay: 0,
    log,
    get isOnline() {
      return online
    },
    fail(match, fault) {
      const rule = { match, choose: typeof fault === 'function' ? fault : () => fault, seen: 0 }
      rules.push(rule)
      return () => {
        rules = rules.filter((other) => other !== rule)
      }
    },
    offline: () => turn(false),
    online: () => turn(true),
    heal() {
      rules = []
      network.plan = null
      turn(true)
    },
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
  const send = createWire({ exchange, clock, delayMs: () => network.delay })

  function turn(on: boolean): void {
    if (online === on) return
    online = on
    for (const listener of listeners) listener(on)
  }

  function faultOf(request: NetworkRequest): Fault | null {
    const nth = counts.get(request.call) ?? 0
    counts.set(request.call, nth + 1)
    for (const rule of rules) {
      if (!matches(rule.match, request)) continue
      const { after = 0, times = Infinity } = rule.match
      const at = rule.seen++
      if (at >= after && at < after + times) return rule.choose(request, at - after)
    }
    return network.plan?.(request, nth) ?? null
  }

  async function transfer(wired: WireRequest): Promise<WireAnswer> {
    const request = describe(wired)
    const fault = faultOf(request)
    let served: number | null = null
    const note = (status: number | null, what: NetworkLogEntry['fault']): void => {
      const { call, method, path } = request
      log.push({ call, method, path, served, status, fault: what })
    }
    try {
      if (!online) throw networkFailed()
      const answer = await send(wired, fault, (status) => {
        served = status
      })
      // Offline before the answer was here: it is lost, whatever the server did.
      if (!online) throw networkFailed()
      note(answer.status, fault?.kind ?? null)
      return answer
    } catch (error) {
      note(null, online ? (fault?.kind ?? null) : 'offline')
      throw error
    }
  }

  return { network, transfer }
}

function matches({ call, method, path, when }: RequestMatch, request: NetworkRequest): boolean {
  if (call !== undefined && call !== request.call) return false
  if (method !== undefined && method !== request.method) return false
  if (typeof path === 'string' ? path !== request.path : path !== undefined && request.path.search(path) < 0)
    return false
  return when === undefined || when(request)
}

function describe({ method, url, headers, body }: WireRequest): NetworkRequest {
  const { pathname: path } = new URL(url)
  return { call: callOf(method, path), method, path, url, headers, body }
}

function callOf(method: string, path: string): Call {
  if (path.endsWith('/sync/start')) return 'start'
  if (path.endsWith('/sync/ack')) return 'ack'
  if (/\/sync\/[^/]+\/queues\//.test(path)) return 'page'
  return method === 'GET' || method === 'OPTIONS' ? 'read' : 'write'
}
