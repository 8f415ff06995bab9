/** The network between a service and its devices, as a test wants it: real connections that are cut, held, or lie. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'

/**
 * What goes wrong with one write:
 * - `away`: the connection ends before the service has seen the request.
 * - `lost`: it takes effect, and the connection ends before the answer.
 * - `cut`: it takes effect, and the connection ends in the middle of the answer.
 * - `busy`, `gateway`: 503 before the effect, 504 after it.
 */
export type Fault = 'away' | 'lost' | 'cut' | 'busy' | 'gateway'

export interface WriteRequest {
  readonly token: string
  readonly method: string
  readonly path: string
  readonly key: string | null
}

/** The network of one device, which is known by its token. */
export interface Line {
  /** `held`: requests arrive and nothing comes of them, until it is switched. */
  network: 'on' | 'off' | 'held'
  /** Asked for every write. */
  fault: ((request: WriteRequest) => Fault | null) | null
}

export interface Network {
  line(token: string): Line
  /** Writes as they arrived, those that failed included. */
  readonly writes: readonly WriteRequest[]
  readonly listener: RequestListener
}

const HELD_LOOK_MS = 10

export function createNetwork(service: RequestListener): Network {
  const lines = new Map<string, Line>()
  const writes: WriteRequest[] = []

  function line(token: string): Line {
    const known = lines.get(token) ?? { network: 'on', fault: null }
    lines.set(token, known)
    return known
  }

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const { method = '', url = '', headers } = request
    const token = (headers.authorization ?? '').replace('Bearer ', '')
    const own = line(token)
    while (own.network === 'held' && !request.socket.destroyed)
      await new Promise((resolve) => setTimeout(resolve, HELD_LOOK_MS))
    if (own.network === 'off' || request.socket.destroyed) return request.socket.destroy()
    if (method === 'GET' || url.startsWith('/v2/sync/')) return service(request, response)
    const write = { token, method, path: url, key: [headers['idempotency-key'] ?? null].flat()[0] ?? null }
    writes.push(write)
    const fault = own.fault?.(write) ?? null
    if (fault === 'away') return request.socket.destroy()
    if (fault === 'busy') return response.writeHead(503).end()
    if (fault !== null) spoil(response, fault)
    service(request, response)
  }

  return { line, writes, listener: (request, response) => void pass(request, response) }
}

/** The service answers; what it says does not arrive. */
function spoil(response: ServerResponse, fault: 'lost' | 'cut' | 'gateway'): void {
  const { writeHead, end } = response
  if (fault === 'gateway') {
    response.writeHead = ((_status: number) => writeHead.call(response, 504)) as never
    response.end = (() => end.call(response, undefined as never, 'utf8')) as never
    response.setHeader = () => response
    return
  }
  if (fault === 'lost') {
    response.end = (() => response.destroy()) as never
    return
  }
  // A 204 has no middle, so an answer with one is begun.
  response.writeHead = (() =>
    writeHead.call(response, 200, { 'Content-Length': 1_000, 'Content-Type': JSON_TYPE })) as never
  response.setHeader = () => response
  response.end = (() => {
    response.write('{"data":{', () => response.destroy())
  }) as never
}

const JSON_TYPE = 'application/json'
