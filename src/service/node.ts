/**
 * A Node server over the exchange. It speaks to the exchange directly, not through the fetch handler:
 * header names then leave in the case they were written in, which one official client needs to find
 * `X-Request-Id` (section 3.2).
 */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Refusal, type ExchangeRequest } from './answer.ts'
import { bodyTooLarge, MAX_BODY_BYTES } from './body.ts'
import { createExchange, type Exchange } from './exchange.ts'
import type { ServiceOptions } from './options.ts'

export interface SyncServer {
  /** Without a trailing slash. */
  readonly url: string
  readonly port: number
  /** Ends when the requests under way are answered, or after `graceMs`. */
  close(graceMs?: number): Promise<void>
}

export interface ListenOptions {
  /** 0: any free port. */
  readonly port: number
  /** Default: loopback. */
  readonly host?: string | undefined
}

/** @throws Error (code `EADDRINUSE` and the like) if it cannot listen. */
export async function listen(
  listener: RequestListener,
  { port, host = '127.0.0.1' }: ListenOptions,
): Promise<SyncServer> {
  const server = createServer(listener)
  // Longer than clients keep a connection for reuse, so that none is cut while a request is on its way.
  server.keepAliveTimeout = 75_000
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  const name = host.includes(':') ? `[${host}]` : host
  return {
    url: `http://${name}:${address.port}`,
    port: address.port,
    async close(graceMs = 5000) {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      const timer = setTimeout(() => server.closeAllConnections(), graceMs)
      await closed
      clearTimeout(timer)
    },
  }
}

/** A listener for `node:http`, Express and the like. */
export function createNodeListener(options: ServiceOptions): RequestListener {
  const exchange = createExchange(options)
  return (incoming, outgoing) => void answer(exchange, incoming, outgoing)
}

async function answer(exchange: Exchange, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { status, headers, body } = await exchange(requestOf(incoming))
  // What is still coming of a body that nobody wants is not waited for.
  if (!incoming.complete) outgoing.setHeader('Connection', 'close')
  // Without a length even an empty body would come in chunks; a 204 may not have one.
  if (status !== 204) outgoing.setHeader('Content-Length', Buffer.byteLength(body ?? ''))
  outgoing.writeHead(status, headers)
  outgoing.end(incoming.method === 'HEAD' ? undefined : (body ?? undefined))
}

function requestOf(incoming: IncomingMessage): ExchangeRequest {
  const { method = 'GET', url = '/', headers } = incoming
  const absolute = `http://${headers.host ?? 'localhost'}${url}`
  return {
    method,
    url: URL.canParse(absolute) ? absolute : 'http://localhost/',
    headers: { get: (name) => [headers[name.toLowerCase()] ?? null].flat()[0] ?? null },
    body: () => readBody(incoming),
  }
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  // The stream is left open when reading stops early, or the answer could not be sent.
  const stream = incoming.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]()
  for (;;) {
    const { done, value } = await stream.next().catch(() => {
      throw new Refusal(400, 'invalid_payload', 'The body ended early.')
    })
    if (done) return Buffer.concat(chunks).toString('utf8')
    size += value.length
    if (size > MAX_BODY_BYTES) throw bodyTooLarge()
    chunks.push(value)
  }
}
