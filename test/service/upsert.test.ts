import { afterAll, describe, expect, it } from 'vitest'
import { createPgliteStore } from '../../src/service/pglite.ts'
import { createService, seed, type TestService } from './support/service.ts'

function upsert(service: TestService, query: string, data: object, headers: Readonly<Record<string, string>> = {}) {
  return service.call('POST', `/v2/contacts/upsert?${query}`, { body: { data }, headers })
}

describe('upsert', () => {
  it('WRITE-1 WRITE-3 R16 creates, then updates what matches, and each comes down the queue', async () => {
    const service = createService()
    const first = await upsert(service, 'email=a%40x.example', { name: 'Ann', email: 'a@x.example' })
    expect(first).toMatchObject({ status: 200, headers: { 'X-Tidegate-Revision': '1' } })
    expect(first.json).toEqual({ data: { id: 1, name: 'Ann', email: 'a@x.example' }, meta: { type: 'contact' } })
    expect(await service.drain()).toHaveLength(1)
    const second = await upsert(service, 'email=a%40x.example', { name: 'Ann B.' })
    expect(second).toMatchObject({ status: 200, headers: { 'X-Tidegate-Revision': '2' } })
    expect((await service.drain()).map((item) => item.data)).toEqual([{ id: 1, name: 'Ann B.', email: 'a@x.example' }])
  })

  it('WRITE-3 takes members of custom_fields, and several filters, which must all hold', async () => {
    const service = createService()
    await upsert(service, 'custom_fields[external%20id]=e1', { name: 'a' })
    const again = await upsert(service, 'custom_fields[external%20id]=e1&name=a', { phone: '1' })
    expect(again.json.data).toEqual({ id: 1, name: 'a', phone: '1', custom_fields: { 'external id': 'e1' } })
    const other = await upsert(service, 'custom_fields[external%20id]=e1&name=b', {})
    expect(other.json.data).toEqual({ id: 2, name: 'b', custom_fields: { 'external id': 'e1' } })
  })

  it('WRITE-3 several matches are a 422 and nothing changes', async () => {
    const service = createService()
    await seed(service, 1)
    for (const phone of ['1', '2']) await service.call('POST', '/v2/contacts', { body: { data: { name: 'a', phone } } })
    const before = await service.drain()
    const answer = await upsert(service, 'name=a', { phone: '3' })
    expect([answer.status, answer.json.errors[0].error]).toEqual([
      422,
      expect.objectContaining({ code: 'incorrect_value', resource: 'contact' }),
    ])
    expect(await service.drain()).toEqual(before)
  })

  it.each(['', 'email=', 'id=1', 'email=a&email=b', '[a]=1', 'a[]=1', 'a[b][c]=1', '=1'])(
    'S11 without a fit filter it is a 400: %j',
    async (query) => {
      const service = createService()
      const answer = await upsert(service, query, { name: 'a' })
      expect([answer.status, answer.json.errors[0].error.code]).toEqual([400, 'invalid_param'])
      expect((await service.start()).status).toBe(204)
    },
  )

  it('R17 the same key takes effect once; without extensions the header is not looked at', async () => {
    const key = { 'Idempotency-Key': 'k' }
    const ours = createService()
    await upsert(ours, 'name=a', { phone: '1' }, key)
    await ours.call('PUT', '/v2/contacts/1', { body: { data: { phone: '2' } } })
    expect((await upsert(ours, 'name=a', { phone: '1' }, key)).json.data.phone).toBe('1')
    expect((await ours.call('GET', '/v2/contacts/1')).json.data.phone).toBe('2')
    const vendor = createService({ profile: 'vendor' })
    await upsert(vendor, 'name=a', { phone: '1' }, key)
    expect((await upsert(vendor, 'name=a', { phone: '2' }, key)).json.data.phone).toBe('2')
  })

  it('AUTH-1 needs the scope to write; other calls of that path stay what they were', async () => {
    const service = createService()
    const path = '/v2/contacts/upsert?name=a'
    expect((await service.call('POST', path, { token: 'only-read', body: { data: {} } })).status).toBe(403)
    expect((await service.call('GET', path)).status).toBe(404)
    const other = await service.call('POST', '/v2/contacts/7', { body: { data: {} } })
    expect([other.status, other.headers['Allow']]).toEqual([405, 'GET, PUT, DELETE, OPTIONS'])
  })
})

describe('upserts at once', () => {
  const stores: { close(): Promise<void> }[] = []
  afterAll(() => Promise.all(stores.map((store) => store.close())))

  it.each(['memory', 'pglite'])('WRITE-3 of one value make one record: %s', { timeout: 60_000 }, async (kind) => {
    const store = kind === 'pglite' ? await createPgliteStore() : undefined
    if (store !== undefined) stores.push(store)
    const service = createService({
      ...(store && { store }),
      profile: 'vendor',
      validate: async () => Promise.resolve(),
    })
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, n) => upsert(service, 'custom_fields[ext]=e', { name: `n${n}` })),
    )
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 200))
    expect(new Set(answers.map(({ json }) => json.data.id)).size).toBe(1)
    expect(await service.drain()).toHaveLength(1)
  })
})

describe('the vendor profile', () => {
  it('WRITE-1 R13 makes all ids, sends no header of ours, and repeats what is repeated', async () => {
    const service = createService({ profile: 'vendor' })
    const post = () =>
      service.call('POST', '/v2/contacts', {
        body: { data: { id: 77, name: 'a' } },
        headers: { 'Idempotency-Key': 'k' },
      })
    const answers = [await post(), await post(), await upsert(service, 'name=c', { id: 78 })]
    expect(answers.map(({ json }) => json.data.id)).toEqual([1, 2, 3])
    const put = await service.call('PUT', '/v2/contacts/1', { body: { data: { name: 'b' } } })
    const gone = [await service.call('DELETE', '/v2/contacts/1'), await service.call('DELETE', '/v2/contacts/1')]
    expect(gone.map(({ status }) => status)).toEqual([204, 404])
    const all = [...answers, put, ...gone].flatMap(({ headers }) => Object.keys(headers))
    expect(all.filter((name) => /tidegate/i.test(name))).toEqual([])
  })
})
