/** The fourth call: what each answer to a local edit means (R15, R16, R17, ERR-1, ERR-2, F53, F54). */
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { createRateLimit } from '../../src/engine/rate.ts'
import { createEndpoint, type Http, type HttpRequest, type HttpResponse } from '../../src/engine/transport.ts'
import { SyncError } from '../../src/errors.ts'
import type { EditRequest } from '../../src/store/edit.ts'
import { answer } from './world.ts'

const { signal } = new AbortController()
const post: EditRequest = {
  method: 'POST',
  path: '/v2/contacts',
  body: '{"data":{"name":"Ann"}}',
  idempotencyKey: 'op-1',
}
const put: EditRequest = { ...post, method: 'PUT', path: '/v2/contacts/7' }
const remove: EditRequest = { method: 'DELETE', path: '/v2/contacts/7', body: null, idempotencyKey: null }

function transportOf(http: Http) {
  const tokens: string[] = []
  const endpoint = createEndpoint({
    http,
    clock: systemClock,
    endpoint: 'http://sync.test',
    token: (reason) => Promise.resolve(`token-${tokens.push(reason)}`),
    rate: createRateLimit(systemClock, 0),
    timeouts: { headers: 30_000, total: 120_000 },
    life: signal,
  })
  return { tokens, transport: endpoint.as('device') }
}

async function outcome(response: HttpResponse, request: EditRequest = put): Promise<unknown> {
  try {
    return await transportOf(() => Promise.resolve(response)).transport.write(request, signal)
  } catch (error) {
    if (error instanceof SyncError) return error.code
    throw error
  }
}

const revision = { 'X-Tidegate-Revision': '12' }
const html = { 'Content-Type': 'text/html' }
const envelope = (...errors: Array<Record<string, unknown>>) => ({
  errors: errors.map((error) => ({ error, meta: { type: 'error' } })),
})

describe('an edit', () => {
  it('leaves as it was frozen, with its Idempotency-Key only where it has one, and a type only where it has a body (R15, R17)', async () => {
    const seen: HttpRequest[] = []
    const { transport } = transportOf((request) => {
      seen.push(request)
      return Promise.resolve(answer(204))
    })
    for (const request of [post, put, remove]) await transport.write(request, signal)
    expect(seen.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['POST', 'http://sync.test/v2/contacts', post.body],
      ['PUT', 'http://sync.test/v2/contacts/7', put.body],
      ['DELETE', 'http://sync.test/v2/contacts/7', null],
    ])
    expect(seen.map(({ headers }) => [headers['Idempotency-Key'], headers['Content-Type']])).toEqual([
      ['op-1', 'application/json'],
      ['op-1', 'application/json'],
      [undefined, undefined],
    ])
  })

  it('is accepted with any 2xx, with the record and the revision as far as they are told (R16, F53)', async () => {
    const row = { id: 7, name: 'Ann' }
    const accepted = (row: unknown, revision: number | null): unknown => ({ kind: 'accepted', row, revision })
    expect(await outcome(answer(200, { data: row }, revision))).toEqual(accepted(row, 12))
    expect(await outcome(answer(201, { data: row }), post)).toEqual(accepted(row, null))
    expect(await outcome(answer(204, '', revision), remove)).toEqual(accepted(null, 12))
    for (const body of ['', '{}', '{"data":[]}', 'null', '"done"'])
      expect([body, await outcome(answer(200, body))]).toEqual([body, accepted(null, null)])
    expect(await outcome(answer(200, { data: row }, { 'X-Tidegate-Revision': 'W/"x"' }))).toEqual(accepted(row, null))
    expect(await outcome(answer(200, '{"data":{"id":12345678901234567890}}'), post)).toEqual(accepted(null, null))
  })

  it('whose answer was cut or is a page for people has an unknown outcome (F9, F10, F11, F53)', async () => {
    expect(await outcome(answer(200, '{"data":{"id":7'))).toBe('bad_response')
    for (const status of [200, 201, 400, 403, 404, 422])
      expect([status, await outcome(answer(status, '<html>Sign in</html>', html), remove)]).toEqual([
        status,
        'endpoint_wrong',
      ])
    for (const status of [0, 301, 302, 304]) expect(await outcome(answer(status))).toBe('endpoint_wrong')
  })

  it('that is refused carries the reason, by field where the server says so (F54, ERR-1)', async () => {
    const body = envelope(
      { code: 'blank', message: 'must not be blank', resource: 'contact', field: '/name' },
      { code: 'unknown', message: 'unknown attribute', field: '/colour', details: 'There is no colour.' },
      { code: 'incorrect_payload', message: 'no', field: 7 },
    )
    expect(await outcome(answer(422, body))).toEqual({
      kind: 'refused',
      problem: {
        code: 'refused',
        status: 422,
        message: 'must not be blank',
        fields: [
          { pointer: '/name', code: 'blank', message: 'must not be blank' },
          { pointer: '/colour', code: 'unknown', message: 'unknown attribute' },
        ],
      },
    })
  })

  it('that is refused with any body, or none, is refused all the same (ERR-2, F54)', async () => {
    for (const status of [400, 402, 405, 406, 409, 413, 422])
      for (const body of ['', '<html>', 'null', '[]', '{"errors":[]}', '{"errors":{}}', '{"data":{"id":1}}'])
        expect(await outcome(answer(status, body))).toMatchObject({
          kind: 'refused',
          problem: { code: 'refused', status, fields: [], message: expect.stringContaining(String(status)) as string },
        })
  })

  it('of a token without the scope says so (F54, ERR-1)', async () => {
    expect(await outcome(answer(403, envelope({ code: 'insufficient_scope', message: 'no' })))).toMatchObject({
      problem: { code: 'forbidden', status: 403, message: expect.stringContaining('"write"') as string },
    })
  })

  it('of a record that is gone is "missing"; a deletion of it is done, the first time too (F53, F54, I12)', async () => {
    const missing = envelope({ code: 'not_found', message: 'There is no such contact.' })
    for (const status of [404, 410]) {
      expect(await outcome(answer(status, missing))).toMatchObject({ problem: { code: 'missing', status } })
      for (const body of [missing, ''])
        expect(await outcome(answer(status, body), remove)).toEqual({ kind: 'accepted', row: null, revision: null })
    }
    // A path that leads nowhere says nothing of the record.
    const nowhere = envelope({ code: 'incorrect_path', message: 'There is nothing at this path.' })
    for (const request of [put, remove])
      expect(await outcome(answer(404, nowhere), request)).toMatchObject({ problem: { code: 'refused', status: 404 } })
  })

  it('that meets passing trouble throws, as the other calls do (ERR-1, ERR-3, F4, F5, F7)', async () => {
    expect(await outcome(answer(429))).toBe('rate_limited')
    for (const status of [500, 502, 503, 504])
      expect(await outcome(answer(status, envelope({ code: 'x', message: 'y' })))).toBe('server_error')
    const { transport } = transportOf(() => Promise.reject(new TypeError('no network')))
    await expect(transport.write(put, signal)).rejects.toMatchObject({ code: 'endpoint_unreachable' })
  })

  it('refused for its token goes out again once, under the same key, and is then "unauthorized" (AUTH-1, R17)', async () => {
    const keys: Array<string | undefined> = []
    const { transport, tokens } = transportOf(({ headers }) => {
      keys.push(headers['Idempotency-Key'])
      return Promise.resolve(answer(401))
    })
    await expect(transport.write(post, signal)).rejects.toMatchObject({ code: 'unauthorized' })
    expect([tokens, keys]).toEqual([
      ['start', 'refused'],
      ['op-1', 'op-1'],
    ])
  })
})
