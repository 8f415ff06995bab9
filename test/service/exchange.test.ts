import { describe, expect, it } from 'vitest'
import { problemCode, problemSchema } from '../../src/protocol/problem.ts'
import { createExchange } from '../../src/service/exchange.ts'
import { createMemoryStore } from '../../src/service/memory.ts'
import { StoreClosedError, type SyncStore } from '../../src/service/store.ts'
import { createService, seed } from './support/service.ts'

const ROUTES = [
  ['POST', '/v2/sync/start', 'sync'],
  ['GET', '/v2/sync/some-session/queues/main', 'sync'],
  ['POST', '/v2/sync/ack', 'sync'],
  ['GET', '/v2/cities', 'read'],
  ['GET', '/v2/cities/1', 'read'],
  ['POST', '/v2/cities', 'write'],
  ['PUT', '/v2/cities/1', 'write'],
  ['DELETE', '/v2/cities/1', 'write'],
] as const

/** A store that must not be touched. */
function untouchable(): SyncStore {
  return new Proxy(createMemoryStore(), {
    get(_, name) {
      throw new Error(`The store was touched: ${String(name)}`)
    },
  })
}

describe('access', () => {
  const store = untouchable()
  const tokens = [
    ['none', null],
    ['unknown', 'Bearer nobody'],
    ['no scheme', 'T'],
    ['another scheme', 'Basic T'],
    ['empty', 'Bearer '],
    ['two', 'Bearer T T'],
  ] as const

  it.each(ROUTES)('AUTH-1 S1 %s %s asks for a valid token before anything is read or touched', async (method, path) => {
    const service = createService({ store })
    for (const [, header] of tokens) {
      const headers = header === null ? {} : { authorization: header }
      let read = false
      const exchange = createExchange({ store, authorize: () => null })
      const body = async (): Promise<string> => {
        read = true
        return '{}'
      }
      const direct = await exchange({ method, url: path, headers: new Headers(headers), body })
      expect([direct.status, read]).toEqual([401, false])
      const answer = await service.call(method, path, { token: null, headers })
      expect([answer.status, problemCode(answer.json)]).toEqual([401, 'unauthorized'])
      expect(answer.headers['WWW-Authenticate']).toBe('Bearer')
    }
  })

  it.each(ROUTES)('AUTH-1 S1 %s %s needs the scope for it: %s', async (method, path, needed) => {
    for (const scope of ['sync', 'read', 'write']) {
      if (scope === needed) continue
      const answer = await createService({ store }).call(method, path, { token: `only-${scope}` })
      expect([answer.status, problemCode(answer.json)]).toEqual([403, 'insufficient_scope'])
    }
    const allowed = await createService().call(method, path, {
      token: `only-${needed}`,
      body: { data: { ack_keys: [] } },
    })
    expect(allowed.status).not.toBe(403)
  })

  it.each(['Bearer', 'bearer', 'BEARER', 'bEaReR'])('AUTH-2 takes the scheme in any case: %s', async (scheme) => {
    const answer = await createService().call('POST', '/v2/sync/start', {
      token: null,
      headers: { authorization: `${scheme} T` },
    })
    expect(answer.status).toBe(204)
  })

  it('AUTH-1 takes an asynchronous check, and says 503 with a time to come back when the check itself fails', async () => {
    const slow = createService({ authorize: async () => ({ account: 'acme', user: 'ann', scopes: ['sync'] }) })
    expect((await slow.start()).status).toBe(204)
    const broken = createService({
      authorize: async () => {
        throw new Error('secret detail')
      },
    })
    const answer = await broken.start()
    expect(answer).toMatchObject({ status: 503, headers: { 'Retry-After': '5' } })
    expect(answer.text).not.toContain('secret detail')
  })

  it('AUTH-3 S10 filters by what the token sees now', async () => {
    let sees = ['east', 'west']
    const service = createService({ authorize: () => ({ account: 'acme', user: 'ann', scopes: ['sync'], sees }) })
    await service.store.importRecords('acme', [
      { type: 'city', data: { id: 1 }, scopes: ['east'] },
      { type: 'city', data: { id: 2 }, scopes: ['west'] },
      { type: 'city', data: { id: 3 } },
    ])
    const items = await service.drain()
    expect(items.map((item) => item.data['id'])).toEqual([1, 2])
    await service.ack(items.map((item) => item.meta.sync.ack_key))
    sees = ['east']
    expect((await service.drain()).map((item) => [item.data, item.meta.sync.event_type])).toEqual([
      [{ id: 2 }, 'deleted'],
    ])
  })
})

describe('errors', () => {
  it('ERR-1 ERR-2 sends the envelope with a logref equal to X-Request-Id, on every kind of refusal', async () => {
    const service = createService({ rate: 1 })
    const first = await service.call('GET', '/v2/cities/1')
    const answers = [
      first,
      await service.call('GET', '/v2/cities'),
      await service.call('POST', '/v2/sync/start', { token: null }),
      await createService().call('GET', '/v2/nothing/here/at/all'),
      await createService().call('PATCH', '/v2/cities/1'),
      await createService().call('POST', '/v2/sync/start', { device: null }),
      await createService().call('POST', '/v2/sync/start', { headers: { accept: 'text/html' } }),
      await createService().call('POST', '/v2/sync/ack', { body: '{' }),
      await createService().call('POST', '/v2/sync/ack', { body: '{"data":{}}' }),
    ]
    expect(answers.map((answer) => answer.status)).toEqual([404, 429, 401, 404, 405, 400, 406, 400, 422])
    for (const { headers, json } of answers) {
      expect(problemSchema.safeParse(json).success).toBe(true)
      expect(json.meta.logref).toBe(headers['X-Request-Id'])
      expect(json.meta.type).toBe('errors')
      expect(headers['Content-Type']).toBe('application/json; charset=utf-8')
    }
    expect(first.json.meta.http_status).toBe('404 Not Found')
  })

  it('ERR-1 gives every answer a request id of its own', async () => {
    const service = createService()
    const ids = [(await service.start()).headers['X-Request-Id'], (await service.ack([])).headers['X-Request-Id']]
    expect(new Set(ids).size).toBe(2)
  })

  it('ERR-3 sends Retry-After in whole seconds with 429 and 503', async () => {
    const service = createService({ rate: 1 })
    await service.start()
    expect(await service.start()).toMatchObject({ status: 429, headers: { 'Retry-After': '1' } })
    await service.store.close()
    service.advance(1000)
    expect(await service.start()).toMatchObject({ status: 503, headers: { 'Retry-After': '5' } })
    await expect(service.store.openSession({ account: 'a', user: 'u', device: 'd' }, [], 1)).rejects.toBeInstanceOf(
      StoreClosedError,
    )
  })

  it('S17 a failing store is a 500 without details, and the log names no data', async () => {
    const store = createMemoryStore()
    const failing: SyncStore = {
      ...store,
      openSession: () => Promise.reject(new TypeError('select secret from table')),
    }
    const service = createService({ store: failing })
    const answer = await service.start()
    expect([answer.status, problemCode(answer.json)]).toEqual([500, 'server_error'])
    expect(answer.text).not.toContain('secret')
    expect(service.log).toEqual(['error request_failed {"error":"TypeError"}'])
  })

  it('S17 R12 neither log nor answers carry tokens, device names or data', async () => {
    const canaries = ['only-sync', 'canary-device', 'canary-data']
    const service = createService()
    await service.store.importRecords('acme', [{ type: 'city', data: { id: 1, name: 'canary-data' } }])
    const answers = [
      await service.call('POST', '/v2/sync/start', { token: 'only-sync', device: 'canary-device' }),
      await service.call('GET', '/v2/cities/1', { token: 'only-sync' }),
      await service.call('GET', '/v2/sync/x/queues/main', { token: 'only-sync', device: 'canary-device' }),
    ]
    const seen = JSON.stringify([answers, service.log])
    for (const canary of canaries) expect(seen).not.toContain(canary)
  })
})

describe('every answer', () => {
  it('FETCH-6 S17 forbids caching and sniffing, and is never a redirect', async () => {
    const service = createService()
    await seed(service, 1)
    for (const [method, path] of ROUTES) {
      for (const variant of [path, `${path}/`, path.replace('/v2', '//v2')]) {
        const answer = await service.call(method, variant, { body: { data: { ack_keys: [] } } })
        expect(answer.headers).toMatchObject({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
        expect(Math.floor(answer.status / 100)).not.toBe(3)
      }
    }
  })

  it.each([
    ['application/json', 204],
    ['*/*', 204],
    ['application/*;q=0.5', 204],
    ['text/html, application/json;q=0.9', 204],
    ['', 204],
    ['text/html', 406],
    ['application/json;q=0', 406],
    ['application/xml, text/*', 406],
  ])('ERR-1 looks at Accept: %j gives %i', async (accept, status) => {
    expect((await createService().call('POST', '/v2/sync/start', { headers: { accept } })).status).toBe(status)
  })

  it.each([
    '/',
    '/v2',
    '/v2/sync',
    '/v2/sync/start/x',
    '/v1/sync/start',
    '/v2/Cities',
    '/v2/cities/1/2',
    '/v2/%ff',
    '/v2/cities/%ff',
  ])('ERR-1 there is nothing at %s', async (path) => {
    const answer = await createService().call('GET', path)
    expect([answer.status, problemCode(answer.json)]).toEqual([404, 'incorrect_path'])
  })

  it('COMPAT-1 FAQ-0 in the vendor profile has none of our headers and ignores Idempotency-Key', async () => {
    const service = createService({ profile: 'vendor', origins: ['*'] })
    const headers = { 'Idempotency-Key': 'k1', origin: 'https://app.example' }
    const answers = [await service.start()]
    for (let at = 0; at < 2; at++)
      answers.push(await service.call('POST', '/v2/cities', { body: { data: { id: 77, name: 'a' } }, headers }))
    answers.push(await service.start(), await service.call('PUT', '/v2/cities/1', { body: { data: { name: 'b' } } }))
    answers.push(await service.call('DELETE', '/v2/cities/1'), await service.call('OPTIONS', '/v2/cities', { headers }))
    expect(answers.map((answer) => answer.status)).toEqual([204, 200, 200, 201, 200, 204, 204])
    expect(answers.slice(1, 3).map((answer) => answer.json.data.id)).toEqual([1, 2])
    expect(JSON.stringify(answers.map((answer) => answer.headers))).not.toMatch(/tidegate|idempotency/i)
  })
})

describe('options', () => {
  it.each([
    { pageSize: 0 },
    { pageSize: 1001 },
    { pageSize: 1.5 },
    { rate: 0 },
    { ackDelayMs: -1 },
    { maxSessions: 0 },
    { pageBytes: 0 },
  ])('O-6 refuses %j by name', (options) => {
    expect(() => createService(options)).toThrow(Object.keys(options)[0])
  })
})
