/**
 * The sync protocol from memory, as cheaply as possible, so that the contestants are measured and not the server:
 * pages are made once, a session is a cursor over them. Also hands out the contestants' pages (isolated, so that the
 * browser tells time exactly) and takes orders from the runner under `/control/`.
 */
import { createReadStream, existsSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'
import { dataSet, type DataName } from './data.ts'

export interface ServerOptions {
  readonly data: DataName
  readonly size: number
  /** Records a page. */
  readonly page: number
  /** Milliseconds before each answer of the protocol. */
  readonly latency: number
  /** Folder of the built pages. */
  readonly site: string
}

/** What the runner asks the server after a run. Times are milliseconds since 1970, with fractions. */
export interface ServerState {
  readonly firstRequestAt: number | null
  readonly lastItemsAt: number | null
  readonly gets: number
  readonly acked: number
}

interface Session {
  readonly device: string
  readonly upTo: number
  readonly total: number
  readonly pages: Iterator<Buffer>
}

const now = (): number => performance.timeOrigin + performance.now()

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
}

/** Starts the server and says where it listens. */
export function main(options: ServerOptions): void {
  const server = createServer(createListener(options))
  // Slow contestants pause for longer than Node keeps a connection.
  server.keepAliveTimeout = 600_000
  server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
}

export function createListener({ data, size, page, latency, site }: ServerOptions) {
  const records = dataSet(data, size)
  const all = Array.from({ length: records.size }, (_, index) => index)
  /** What every device gets, in this order: all records, then one batch for each change. */
  const batches: Array<{ total: number; pages: readonly Buffer[] }> = [
    { total: records.size, pages: makePages(all, 0) },
  ]
  const devices = new Map<string, number>()
  const sessions = new Map<string, Session>()
  let announced: string | null = null
  let acked = new Set<string>()
  let gets = 0
  let firstRequestAt: number | null = null
  let lastItemsAt: number | null = null

  function makePages(indexes: readonly number[], version: number): Buffer[] {
    const pages: Buffer[] = []
    for (let at = 0; at < indexes.length; at += page) {
      const items = indexes.slice(at, at + page).map((index) => {
        const row = records.record(index, version)
        const sync = {
          event_type: version === 0 ? 'created' : 'updated',
          ack_key: `${records.shape.type}-${row['id'] as number}-${version + 1}`,
          revision: version + 1,
        }
        return `{"data":${JSON.stringify(row)},"meta":{"type":"${records.shape.type}","sync":${JSON.stringify(sync)}}}`
      })
      const left = indexes.length - at - items.length
      pages.push(
        Buffer.from(
          `{"items":[${items.join(',')}],"meta":{"type":"collection","count":${items.length},"count_left":${left}}}`,
        ),
      )
    }
    return pages
  }

  function answer(
    response: ServerResponse,
    status: number,
    body: Buffer | string | null = null,
    extra: Record<string, string> = {},
  ): void {
    const headers = {
      ...extra,
      ...(body === null
        ? {}
        : { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) }),
    }
    response.writeHead(status, headers).end(body)
  }

  async function text(request: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString()
  }

  function start(device: string, response: ServerResponse): void {
    const extra: Record<string, string> = announced === null ? {} : { 'X-Tidegate': announced }
    const from = devices.get(device) ?? 0
    const due = batches.slice(from)
    if (due.length === 0) return answer(response, 204, null, extra)
    const id = `s${sessions.size + 1}`
    const total = due.reduce((sum, batch) => sum + batch.total, 0)
    sessions.set(id, { device, upTo: batches.length, total, pages: due.flatMap((batch) => batch.pages).values() })
    const queue = { name: 'main', pages: Math.ceil(total / page), total_count: total }
    answer(
      response,
      201,
      JSON.stringify({
        data: { id, queues: [{ data: queue, meta: { type: 'sync_queue' } }] },
        meta: { type: 'sync_session' },
      }),
      extra,
    )
  }

  function next(id: string, response: ServerResponse): void {
    const session = sessions.get(id)
    if (session === undefined) return answer(response, 404)
    gets++
    const { done, value } = session.pages.next()
    if (done === true) {
      // A drained session counts as received: contestants without acknowledgements are spared them.
      devices.set(session.device, session.upTo)
      return answer(response, 204)
    }
    answer(response, 200, value)
    lastItemsAt = now()
  }

  async function protocol(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    firstRequestAt ??= now()
    const body = request.method === 'POST' ? await text(request) : ''
    if (latency > 0) await new Promise((resolve) => setTimeout(resolve, latency))
    const session = /^\/v2\/sync\/([^/]+)\/queues\/main$/.exec(path)?.[1]
    if (path === '/v2/sync/start') start(String(request.headers['x-basecrm-device-uuid']), response)
    else if (session !== undefined) next(session, response)
    else if (path === '/v2/sync/ack') {
      for (const key of (JSON.parse(body) as { data: { ack_keys: string[] } }).data.ack_keys) acked.add(key)
      answer(response, 202)
    } else if (request.method === 'PUT') {
      // Taken and forgotten: what is measured is the writing, not what comes of it.
      request.resume()
      answer(response, 204)
    } else answer(response, 404)
  }

  async function control(order: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (order === 'reset') {
      const { lanes } = JSON.parse(await text(request)) as { lanes: number }
      announced = JSON.stringify({ version: 1, rate: 0, lanes })
      devices.clear()
      sessions.clear()
      batches.length = 1
      acked = new Set()
      gets = 0
      firstRequestAt = null
      lastItemsAt = null
    } else if (order === 'change') {
      const { indexes } = JSON.parse(await text(request)) as { indexes: number[] }
      batches.push({ total: indexes.length, pages: makePages(indexes, batches.length) })
    }
    const state: ServerState = { firstRequestAt, lastItemsAt, gets, acked: acked.size }
    answer(response, 200, JSON.stringify(state))
  }

  function file(path: string, response: ServerResponse): void {
    const found = join(site, normalize(path.endsWith('/') ? `${path}index.html` : path))
    if (!found.startsWith(site) || !existsSync(found) || !statSync(found).isFile()) return answer(response, 404)
    response.writeHead(200, {
      'Content-Type': TYPES[extname(found)] ?? 'application/octet-stream',
      'Content-Length': String(statSync(found).size),
      'Cache-Control': found.endsWith('.html') ? 'no-cache' : 'public, max-age=31536000, immutable',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
      'Cross-Origin-Resource-Policy': 'same-origin',
    })
    createReadStream(found).pipe(response)
  }

  return (request: IncomingMessage, response: ServerResponse): void => {
    const path = (request.url ?? '/').split('?', 1)[0] as string
    const order = /^\/control\/(\w+)$/.exec(path)?.[1]
    if (path.startsWith('/v2/')) void protocol(path, request, response)
    else if (order !== undefined) void control(order, request, response)
    else file(path, response)
  }
}
