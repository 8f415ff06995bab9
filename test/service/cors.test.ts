import { describe, expect, it } from 'vitest'
import { createService } from './support/service.ts'

const APP = 'https://app.example'

function headerList(value: string | undefined): readonly string[] {
  return (value ?? '').split(', ')
}

describe('cors', () => {
  it('CORS-1 answers a preflight with 204, without a token, for any path', async () => {
    const service = createService({ origins: [APP] })
    for (const path of ['/v2/sync/start', '/v2/sync/s/queues/main', '/v2/cities/1']) {
      const answer = await service.call('OPTIONS', path, { token: null, device: null, headers: { origin: APP } })
      expect(answer).toMatchObject({ status: 204, text: null })
      expect(answer.headers).toMatchObject({ 'Access-Control-Allow-Origin': APP, 'Access-Control-Max-Age': '600' })
      expect(headerList(answer.headers['Access-Control-Allow-Methods'])).toEqual([
        'GET',
        'POST',
        'PUT',
        'DELETE',
        'OPTIONS',
      ])
      expect(headerList(answer.headers['Access-Control-Allow-Headers'])).toEqual([
        'Authorization',
        'Content-Type',
        'Accept',
        'Accept-Language',
        'X-Basecrm-Device-UUID',
        'X-Client-Type',
        'X-Client-Version',
        'X-Device-Id',
        'Idempotency-Key',
      ])
    }
  })

  it('CORS-1 R13 R22 exposes what a client reads, our extensions included, on answers and on errors', async () => {
    const service = createService({ origins: [APP] })
    for (const token of ['T', null]) {
      const { headers } = await service.call('POST', '/v2/sync/start', { token, headers: { origin: APP } })
      expect(headers['Access-Control-Allow-Origin']).toBe(APP)
      expect(headerList(headers['Access-Control-Expose-Headers'])).toEqual([
        'X-Request-Id',
        'Retry-After',
        'Content-Language',
        'X-Tidegate',
        'X-Tidegate-Revision',
        'X-Tidegate-Account',
      ])
    }
  })

  it.each([
    'https://evil.example',
    'https://app.example.evil.example',
    'http://app.example',
    'https://app.example:8443',
    'https://APP.example',
    'null',
    'https://app.exampl',
    'https://sub.app.example',
    ' ',
    '*',
  ])('CORS-1 S12 tells a page of another origin nothing: %s', async (origin) => {
    const service = createService({ origins: [APP] })
    for (const method of ['OPTIONS', 'POST']) {
      const { headers } = await service.call(method, '/v2/sync/start', { headers: { origin } })
      expect(Object.keys(headers).filter((name) => /allow-origin|expose/i.test(name))).toEqual([])
      expect(headers['Vary']).toContain('Origin')
    }
  })

  it('CORS-1 S12 allows nobody unless asked, anybody with *, and never credentials', async () => {
    const headers = { origin: APP }
    expect(
      (await createService().call('OPTIONS', '/v2/cities', { headers })).headers['Access-Control-Allow-Origin'],
    ).toBeUndefined()
    const open = await createService({ origins: ['*'] }).call('OPTIONS', '/v2/cities', { headers })
    expect(open.headers['Access-Control-Allow-Origin']).toBe(APP)
    expect(open.headers['Access-Control-Allow-Credentials']).toBeUndefined()
  })
})
