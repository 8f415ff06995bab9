/** The edge to the network: every status, body and silence becomes one code that says what is known (ERR-1, ERR-2, ERR-3, F3 to F11). */
import { http as route, HttpResponse as Reply } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { createRateLimit } from '../../src/engine/rate.ts'
import {
  createEndpoint,
  type Http,
  type FetchedPage,
  type HttpRequest,
  type HttpResponse,
  type Transport,
  type TransportDeps,
} from '../../src/engine/transport.ts'
import { SyncError } from '../../src/errors.ts'
import { createHttp } from '../../src/worker/platform.ts'
import { createScheduler, seeded, virtualClock } from '../support/virtual-time.ts'
import { answer, never, pageBody, sessionBody, wireItem } from './world.ts'

const { signal } = new AbortController()
/** Fetched and read. */
const fetchPage = async (transport: Transport): Promise<FetchedPage | null> =>
  (await transport.fetchPage('s', signal))?.read() ?? null
const calls = {
  start: (transport: Transport): Promise<unknown> => transport.start(signal),
  fetch: (transport: Transport): Promise<unknown> => fetchPage(transport),
  ack: (transport: Transport): Promise<unknown> => transport.ack(() => ['k'], signal),
} as const
type Call = keyof typeof calls

function endpointOf(http: Http, deps: Partial<TransportDeps> = {}) {
  const tokens: string[] = []
  const endpoint = createEndpoint({
    http,
    clock: systemClock,
    endpoint: 'http://sync.test',
    token: (reason) => {
      tokens.push(reason)
      return Promise.resolve(`token-${tokens.length}`)
    },
    rate: createRateLimit(systemClock, 0),
    timeouts: { headers: 30_000, total: 120_000 },
    life: signal,
    ...deps,
  })
  return { endpoint, tokens, transport: endpoint.as('device') }
}

const outcome = async (call: Call, response: HttpResponse): Promise<unknown> => {
  try {
    return await calls[call](endpointOf(() => Promise.resolve(response)).transport)
  } catch (error) {
    if (error instanceof SyncError) return error.code
    throw error
  }
}

describe('a status', () => {
  const table: ReadonlyArray<readonly [status: number, start: string, fetch: string, ack: string]> = [
    [301, 'endpoint_wrong', 'endpoint_wrong', 'endpoint_wrong'],
    [304, 'endpoint_wrong', 'endpoint_wrong', 'endpoint_wrong'],
    [400, 'request_refused', 'request_refused', 'request_refused'],
    [401, 'unauthorized', 'unauthorized', 'unauthorized'],
    [403, 'forbidden', 'forbidden', 'forbidden'],
    [404, 'endpoint_wrong', 'session_gone', 'endpoint_wrong'],
    [406, 'request_refused', 'request_refused', 'request_refused'],
    [410, 'endpoint_wrong', 'session_gone', 'endpoint_wrong'],
    [422, 'request_refused', 'request_refused', 'request_refused'],
    [429, 'rate_limited', 'rate_limited', 'rate_limited'],
    [500, 'server_error', 'server_error', 'server_error'],
    [502, 'server_error', 'server_error', 'server_error'],
    [503, 'server_error', 'server_error', 'server_error'],
    [504, 'server_error', 'server_error', 'server_error'],
    [0, 'endpoint_wrong', 'endpoint_wrong', 'endpoint_wrong'],
  ]
  const bodies = [
    '',
    '<html>Bad gateway</html>',
    '{"errors":[{"error":{"code":"x","message":"y"}}]}',
    '{"data":{"id":"s"}}',
    'null',
  ]

  it('says the same whatever the body is: none, HTML, an envelope, or something that looks like success (ERR-1, ERR-2, F4, F5, F7, F8, F10)', async () => {
    for (const [status, ...codes] of table)
      for (const body of bodies)
        for (const [at, call] of (['start', 'fetch', 'ack'] as const).entries())
          expect([status, call, body, await outcome(call, answer(status, body))]).toEqual([
            status,
            call,
            body,
            codes[at],
          ])
  })

  it('carries Retry-After and the request id, when the server sent them (ERR-1, ERR-3)', async () => {
    const { transport } = endpointOf(() =>
      Promise.resolve(answer(503, '', { 'Retry-After': '7', 'X-Request-Id': 'abc' })),
    )
    await expect(transport.start(signal)).rejects.toMatchObject({
      code: 'server_error',
      status: 503,
      retryAfterMs: 7_000,
      requestId: 'abc',
    })
  })
})

describe('a success', () => {
  const html = { 'Content-Type': 'text/html; charset=utf-8' }

  it('of a start is a session or 204, anything else is a fault (F9, START-1)', async () => {
    const cells: ReadonlyArray<readonly [HttpResponse, unknown]> = [
      [answer(201, sessionBody('s', 3)), { session: { id: 's', estimate: 3 }, account: null, capabilities: null }],
      [answer(200, sessionBody('s', 3)), { session: { id: 's', estimate: 3 }, account: null, capabilities: null }],
      [answer(204), { session: null, account: null, capabilities: null }],
      [answer(201, { data: {} }), 'endpoint_wrong'],
      [answer(201, { data: { queues: [] } }), 'endpoint_wrong'],
      [
        answer(201, { data: { id: 's', queues: [] } }),
        { session: { id: 's', estimate: null }, account: null, capabilities: null },
      ],
      [answer(201, ''), 'bad_response'],
      [answer(201, '{"data":{"id":"s"'), 'bad_response'],
      [answer(200, '<html>Sign in</html>', html), 'endpoint_wrong'],
      [answer(200, '<html>Sign in</html>'), 'bad_response'],
      [answer(202), 'bad_response'],
    ]
    for (const [response, want] of cells) expect(await outcome('start', response)).toEqual(want)
  })

  it('of a fetch is a page or 204, anything else is a fault and no page (F9, F11, FETCH-1)', async () => {
    const page = pageBody([wireItem(1)], { count_left: 2 })
    expect(await outcome('fetch', answer(200, page))).toMatchObject({
      items: [{ type: 'contact' }],
      countLeft: 2,
      suspect: false,
    })
    expect(await outcome('fetch', answer(201, page))).toMatchObject({ items: [{ type: 'contact' }] })
    expect(await outcome('fetch', answer(204, page))).toBeNull()
    expect(await outcome('fetch', answer(200, pageBody([])))).toMatchObject({ items: [] })
    const text = JSON.stringify(page)
    for (const body of [
      '',
      '\ufeff',
      'null',
      '[]',
      '{}',
      '{"data":{"id":"s"}}',
      text.slice(0, -1),
      text.slice(0, text.length / 2),
      'NaN',
      '<html>',
      '['.repeat(200_000),
    ])
      expect([body.slice(0, 30), await outcome('fetch', answer(200, body))]).toEqual([
        body.slice(0, 30),
        'bad_response',
      ])
    expect(await outcome('fetch', answer(200, '<html>', html))).toBe('bad_response')
    expect(await outcome('fetch', answer(202))).toBe('bad_response')
  })

  it("of an ack is any 2xx, unless a page for people answered in the server's place (ACK-2, F10)", async () => {
    for (const status of [200, 201, 202, 204]) expect(await outcome('ack', answer(status))).toBeUndefined()
    expect(await outcome('ack', answer(200, '{}', { 'Content-Type': 'application/json' }))).toBeUndefined()
    expect(await outcome('ack', answer(200, '<html>Sign in</html>', html))).toBe('endpoint_wrong')
  })

  it('carries what the service says of itself and of the account (R13, R22)', async () => {
    const headers = { 'X-Tidegate': '{"version":1,"epoch":"e"}', 'X-Tidegate-Account': 'opaque' }
    for (const response of [answer(204, '', headers), answer(201, sessionBody('s'), headers)])
      expect(await outcome('start', response)).toMatchObject({
        account: 'opaque',
        capabilities: { version: 1, epoch: 'e' },
      })
  })
})

describe('silence', () => {
  async function under(
    run: (transport: Transport) => Promise<unknown>,
    http: (request: HttpRequest) => Promise<HttpResponse>,
    until = 300_000,
  ): Promise<{ result: unknown; ms: number; aborted: boolean }> {
    const scheduler = createScheduler(seeded(1))
    const clock = virtualClock(scheduler)
    let seen: HttpRequest | undefined
    const { transport } = endpointOf(
      (request) => {
        seen = request
        return http(request)
      },
      { clock, rate: createRateLimit(clock, 0), timeouts: { headers: 5_000, total: 20_000 } },
    )
    let result: unknown
    let ms = -1
    void run(transport)
      .catch((error: { code: string }) => error.code)
      .then((value) => {
        result = value
        ms = scheduler.now
      })
    await scheduler.run(() => ms >= 0, until)
    return { result, ms, aborted: seen?.signal.aborted ?? false }
  }

  it('before the answer ends at the first deadline, and the request is cut (F3, I20)', async () => {
    for (const call of Object.values(calls))
      expect(await under(call, () => never)).toEqual({ result: 'timeout', ms: 5_000, aborted: true })
  })

  it('in the middle of a body ends at the second deadline, and the request is cut (F3, I20)', async () => {
    const stalled: HttpResponse = { status: 200, header: () => null, text: () => never }
    for (const call of Object.values(calls)) {
      const { result, ms, aborted } = await under(call, () => Promise.resolve(stalled))
      expect([result, aborted]).toEqual(['timeout', true])
      expect(ms).toBe(20_000)
    }
  })

  it('ended by the caller is "aborted", before, while and after asking (I20)', async () => {
    const stop = new AbortController()
    const { transport } = endpointOf(() => never)
    const waiting = transport.fetchPage('s', stop.signal)
    stop.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' })
    await expect(transport.fetchPage('s', stop.signal)).rejects.toMatchObject({ code: 'aborted' })
  })

  it('or a refused connection is endpoint_unreachable; the token is nowhere in the error (F1, F2, I25)', async () => {
    const { transport } = endpointOf(() => Promise.reject(new TypeError('fetch failed')))
    const error = await transport.start(signal).catch((thrown: unknown) => thrown as SyncError)
    expect(error).toMatchObject({ name: 'SyncError', code: 'endpoint_unreachable' })
    expect(JSON.stringify(error) + (error as SyncError).message).not.toContain('token-1')
  })
})

describe('the token', () => {
  it('is asked for once and used until refused; then once more, and the call is repeated (AUTH-1, F6)', async () => {
    const bearers: Array<string | undefined> = []
    const { transport, tokens } = endpointOf(({ headers }) => {
      bearers.push(headers['Authorization'])
      return Promise.resolve(answer(headers['Authorization'] === 'Bearer token-1' && bearers.length > 2 ? 401 : 204))
    })
    for (let at = 0; at < 4; at++) await transport.start(signal)
    expect(tokens).toEqual(['start', 'refused'])
    expect(bearers).toEqual(['Bearer token-1', 'Bearer token-1', 'Bearer token-1', 'Bearer token-2', 'Bearer token-2'])
  })

  it('refused twice is "unauthorized", after exactly one refresh (AUTH-1, F6)', async () => {
    let requests = 0
    const { transport, tokens } = endpointOf(() => {
      requests++
      return Promise.resolve(answer(401))
    })
    await expect(transport.fetchPage('s', signal)).rejects.toMatchObject({ code: 'unauthorized' })
    expect([requests, tokens]).toEqual([2, ['start', 'refused']])
  })

  it('is refreshed once when several calls are refused at the same time, or one of them late (AUTH-1, F6)', async () => {
    const late: Array<() => void> = []
    const { transport, tokens } = endpointOf(async ({ headers, url }) => {
      if (headers['Authorization'] !== 'Bearer token-1') return answer(url.endsWith('/ack') ? 202 : 204)
      if (url.endsWith('/ack')) await new Promise<void>((resolve) => late.push(resolve))
      return answer(401)
    })
    const acked = transport.ack(() => ['k'], signal)
    await vi.waitFor(() => expect(late).toHaveLength(1))
    await Promise.all([transport.fetchPage('s', signal), transport.fetchPage('s', signal)])
    late[0]?.()
    await acked
    expect(tokens).toEqual(['start', 'refused'])
  })

  it('whose callback fails is asked for again at the next call (F6, I20)', async () => {
    let good = false
    const { transport } = endpointOf(() => Promise.resolve(answer(204)), {
      token: () => (good ? Promise.resolve('t') : Promise.reject(new SyncError('token_failed', 'no'))),
    })
    await expect(transport.start(signal)).rejects.toMatchObject({ code: 'token_failed' })
    good = true
    await expect(transport.start(signal)).resolves.toMatchObject({ session: null })
  })
})

describe("the engine's own fetch", () => {
  const server = setupServer()
  beforeAll(() => server.listen({ onUnhandledRequest: 'error' }))
  afterEach(() => server.resetHandlers())
  afterAll(() => server.close())
  const real = () => endpointOf(createHttp((input, init) => fetch(input, init))).transport

  it('speaks the three calls: method, path, headers, body; never cached, without cookies (FETCH-6, ACK-1, START-2, DEV-1, F47)', async () => {
    const seen: Array<{
      method: string
      path: string
      body: string
      device: string | null
      cache: string
      credentials: string
      redirect: string
    }> = []
    const record = async (request: Request): Promise<void> => {
      const { method, cache, credentials, redirect, headers } = request
      seen.push({
        method,
        path: new URL(request.url).pathname,
        body: await request.clone().text(),
        device: headers.get('X-Basecrm-Device-UUID'),
        cache,
        credentials,
        redirect,
      })
    }
    server.use(
      route.post('http://sync.test/v2/sync/start', async ({ request }) => {
        await record(request)
        return new Reply(JSON.stringify(sessionBody('s')), { status: 201 })
      }),
      route.get('http://sync.test/v2/sync/s/queues/main', async ({ request }) => {
        await record(request)
        return new Reply(JSON.stringify(pageBody([wireItem(1)])))
      }),
      route.post('http://sync.test/v2/sync/ack', async ({ request }) => {
        await record(request)
        return new Reply(null, { status: 202 })
      }),
    )
    const transport = real()
    await transport.start(signal)
    await transport.fetchPage('s', signal)
    await transport.ack(() => ['a', 'b'], signal)
    const common = { device: 'device', cache: 'no-store', credentials: 'omit', redirect: 'manual' }
    expect(seen).toEqual([
      { method: 'POST', path: '/v2/sync/start', body: '', ...common },
      { method: 'GET', path: '/v2/sync/s/queues/main', body: '', ...common },
      { method: 'POST', path: '/v2/sync/ack', body: '{"data":{"ack_keys":["a","b"]}}', ...common },
    ])
  })

  it('follows no redirect, takes no network error for an answer, and no HTML for a page (F10, F2)', async () => {
    server.use(
      route.post('http://sync.test/v2/sync/start', () => Reply.redirect('http://elsewhere.test/', 302)),
      route.get('http://sync.test/v2/sync/s/queues/main', () => Reply.html('<html>Welcome to the hotel</html>')),
      route.post('http://sync.test/v2/sync/ack', () => Reply.error()),
    )
    await expect(real().start(signal)).rejects.toMatchObject({ code: 'endpoint_wrong' })
    await expect(fetchPage(real())).rejects.toMatchObject({ code: 'bad_response' })
    await expect(real().ack(() => ['a'], signal)).rejects.toMatchObject({ code: 'endpoint_unreachable' })
  })

  it('leaves a body beyond the limit alone, whether its length was said or not (F13, R43)', async () => {
    const chunk = new Uint8Array(1024 * 1024).fill(0x20)
    let sent = 0
    const endless = (): ReadableStream<Uint8Array> =>
      new ReadableStream({
        pull: (controller) => {
          sent++
          controller.enqueue(chunk)
          if (sent > 100) controller.close()
        },
      })
    server.use(route.get('http://sync.test/v2/sync/s/queues/main', () => new Reply(endless(), { status: 200 })))
    await expect(fetchPage(real())).rejects.toMatchObject({ code: 'page_too_large' })
    expect(sent).toBeLessThan(40)
    server.use(
      route.get(
        'http://sync.test/v2/sync/s/queues/main',
        () => new Reply(' ', { status: 200, headers: { 'Content-Length': String(17 * 1024 * 1024) } }),
      ),
    )
    await expect(fetchPage(real())).rejects.toMatchObject({ code: 'page_too_large' })
  })

  it('reads text whose characters are cut between chunks (F11)', async () => {
    const bytes = new TextEncoder().encode(
      JSON.stringify(pageBody([wireItem(1, 1, { data: { id: 1, name: 'Łódź 💥' } })])),
    )
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
        controller.close()
      },
    })
    server.use(route.get('http://sync.test/v2/sync/s/queues/main', () => new Reply(body, { status: 200 })))
    expect((await fetchPage(real()))?.items[0]?.data).toEqual({ id: 1, name: 'Łódź 💥' })
  })
})
