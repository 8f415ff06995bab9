import { describe, expect, it } from 'vitest'
import { pluralOf } from '../../src/protocol/resource.ts'
import { typeOfPath } from '../../src/service/resource-calls.ts'
import { createService, keysOf, seed } from './support/service.ts'

describe('create', () => {
  it('WRITE-1 R16 O-16 makes an object, answers 200 with it and its revision, and sends it down the queue', async () => {
    const service = createService()
    const answer = await service.call('POST', '/v2/deals', { body: { data: { name: 'Press', value: '1000.50' } } })
    expect(answer).toMatchObject({ status: 200, headers: { 'X-Tidegate-Revision': '1' } })
    expect(answer.json).toEqual({ data: { id: 1, name: 'Press', value: '1000.50' }, meta: { type: 'deal' } })
    expect((await service.drain()).map((item) => [item.data, item.meta.sync.revision])).toEqual([[answer.json.data, 1]])
  })

  it('R13 takes the id a client made; a taken one is refused, a null one is none', async () => {
    const service = createService()
    const create = (data: object) => service.call('POST', '/v2/deals', { body: { data } })
    expect((await create({ id: 'own-id' })).json.data).toEqual({ id: 'own-id' })
    expect((await create({ id: null, name: 'a' })).json.data).toEqual({ id: 1, name: 'a' })
    const taken = await create({ id: '1' })
    expect([taken.status, taken.json.errors[0].error]).toEqual([
      422,
      expect.objectContaining({ code: 'already_exists', field: '/id', resource: 'deal' }),
    ])
    for (const id of [1.5, {}, '', 'x'.repeat(201), true]) expect((await create({ id })).status).toBe(422)
  })

  it('ITEM-7 R8 refuses whole numbers that JavaScript would round, at any depth', async () => {
    const service = createService()
    for (const body of ['{"data":{"id":9007199254740993}}', '{"data":{"a":[{"b":12345678901234567890}]}}']) {
      const answer = await service.call('POST', '/v2/deals', { body })
      expect([answer.status, answer.json.errors[0].error.code]).toEqual([422, 'incorrect_value'])
    }
    const fine = '{"data":{"id":9007199254740991,"text":"12345678901234567890","n":0.12345678901234567}}'
    expect((await service.call('POST', '/v2/deals', { body: fine })).json.data.id).toBe(9007199254740991)
  })

  it('R37 S15 keeps __proto__ and the like as data', async () => {
    const service = createService()
    const body = '{"data":{"__proto__":{"admin":true},"constructor":1}}'
    const answer = await service.call('POST', '/v2/deals', { body })
    expect(answer.text).toContain('"__proto__":{"admin":true},"constructor":1')
    const put = await service.call('PUT', '/v2/deals/1', { body: '{"data":{"__proto__":2}}' })
    expect(put.text).toContain('"__proto__":2,"constructor":1')
    expect(({} as { admin?: unknown }).admin).toBeUndefined()
  })

  it('AUTH-3 what a user with scopes creates, that user sees', async () => {
    const service = createService({
      authorize: () => ({ account: 'acme', user: 'ann', scopes: ['sync', 'read', 'write'], sees: ['east'] }),
    })
    await service.call('POST', '/v2/deals', { body: { data: { name: 'mine' } } })
    expect((await service.call('GET', '/v2/deals/1')).status).toBe(200)
    expect(await service.drain()).toHaveLength(1)
  })
})

describe('update and delete', () => {
  it('WRITE-2 R16 changes the fields given and answers with the whole and its revision', async () => {
    const service = createService()
    await seed(service, 1)
    const answer = await service.call('PUT', '/v2/cities/1', { body: { data: { population: 5, id: 1 } } })
    expect(answer).toMatchObject({ status: 200, headers: { 'X-Tidegate-Revision': '2' } })
    expect(answer.json.data).toEqual({ id: 1, name: 'City 1', population: 5 })
  })

  it('R16 R37 an update that changes nothing answers with the revision there is', async () => {
    const service = createService()
    await seed(service, 1)
    await service.ack(keysOf(await service.drain()))
    expect(
      (await service.call('PUT', '/v2/cities/1', { body: { data: { name: 'City 1' } } })).headers[
        'X-Tidegate-Revision'
      ],
    ).toBe('1')
    expect((await service.start()).status).toBe(204)
  })

  it('R16 answers a delete with 204, nothing in it, and the revision of the deletion', async () => {
    const service = createService()
    await seed(service, 1)
    const answer = await service.call('DELETE', '/v2/cities/1')
    expect(answer).toMatchObject({ status: 204, text: null, headers: { 'X-Tidegate-Revision': '2' } })
    expect(answer.headers['Content-Type']).toBeUndefined()
    expect((await service.call('DELETE', '/v2/cities/1')).status).toBe(404)
    expect((await service.call('PUT', '/v2/cities/1', { body: { data: {} } })).status).toBe(404)
    expect((await service.call('GET', '/v2/cities/1')).status).toBe(404)
  })

  it('ITEM-7 an id cannot be changed', async () => {
    const service = createService()
    await seed(service, 1)
    expect((await service.call('PUT', '/v2/cities/1', { body: { data: { id: 2 } } })).status).toBe(422)
    expect((await service.call('PUT', '/v2/cities/1', { body: { data: { id: '1', a: 1 } } })).json.data).toEqual({
      id: 1,
      name: 'City 1',
      a: 1,
    })
  })

  it('ITEM-7 takes ids of any characters in the path', async () => {
    const service = createService()
    const id = 'a/b?c#d é%20 '
    await service.call('POST', '/v2/deals', { body: { data: { id } } })
    expect((await service.call('GET', `/v2/deals/${encodeURIComponent(id)}`)).json.data.id).toBe(id)
  })
})

describe('idempotency', () => {
  const post = (service: ReturnType<typeof createService>, data: object, key: string, token = 'T') =>
    service.call('POST', '/v2/deals', { body: { data }, headers: { 'Idempotency-Key': key }, token })

  it('WRITE-3 R17 S16 the same key and body take effect once and give the same answer', async () => {
    const service = createService()
    const answers = [await post(service, { name: 'a' }, 'k1'), await post(service, { name: 'a' }, 'k1')]
    expect(answers.map(({ status, text, headers }) => [status, text, headers['X-Tidegate-Revision']])).toEqual([
      [200, '{"data":{"id":1,"name":"a"},"meta":{"type":"deal"}}', '1'],
      [200, '{"data":{"id":1,"name":"a"},"meta":{"type":"deal"}}', '1'],
    ])
    expect(await service.drain()).toHaveLength(1)
  })

  it('R17 S16 the same key with another body, path or method is a 422 and changes nothing', async () => {
    const service = createService()
    await post(service, { name: 'a' }, 'k1')
    const headers = { 'Idempotency-Key': 'k1' }
    const answers = [
      await post(service, { name: 'b' }, 'k1'),
      await service.call('POST', '/v2/notes', { body: { data: { name: 'a' } }, headers }),
      await service.call('PUT', '/v2/deals/1', { body: { data: { name: 'a' } }, headers }),
      await service.call('DELETE', '/v2/deals/1', { headers }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([422, 422, 422, 422])
    expect(await service.drain()).toHaveLength(1)
  })

  it('R17 keys belong to account and user, not to a token', async () => {
    const service = createService()
    const ids = []
    for (const token of ['T', 'other-token-of-ann', 'bob'])
      ids.push((await post(service, { name: 'a' }, 'k1', token)).json.data.id)
    expect(ids).toEqual([1, 1, 2])
  })

  it('R17 a repeated delete or update is answered as the first', async () => {
    const service = createService()
    await seed(service, 1)
    const repeat = async (method: string, key: string, body?: object) => {
      const call = () =>
        service.call(method, '/v2/cities/1', { ...(body && { body }), headers: { 'Idempotency-Key': key } })
      return [await call(), await call()].map(({ status, headers }) => [status, headers['X-Tidegate-Revision']])
    }
    expect(await repeat('PUT', 'u', { data: { name: 'x' } })).toEqual([
      [200, '2'],
      [200, '2'],
    ])
    expect(await repeat('DELETE', 'd')).toEqual([
      [204, '3'],
      [204, '3'],
    ])
  })

  it.each(['', 'a b', 'é', 'x'.repeat(201)])('S11 refuses a key that is none: %j', async (key) => {
    const answer = await createService().call('POST', '/v2/deals', {
      body: { data: {} },
      headers: { 'Idempotency-Key': key },
    })
    expect([answer.status, answer.json.errors[0].error.code]).toEqual([400, 'invalid_header'])
  })
})

describe('list', () => {
  it('WRITE-1 gives pages with links, by default 25 a page', async () => {
    const service = createService()
    await seed(service, 60)
    const { json } = await service.call('GET', '/v2/cities?page=2')
    expect(json.items.map((item: { data: { id: number } }) => item.data.id)).toEqual(
      Array.from({ length: 25 }, (_, index) => 26 + index),
    )
    expect(json.items[0]).toEqual({ data: { id: 26, name: 'City 26' }, meta: { type: 'city' } })
    const url = 'https://sync.example.test/v2/cities?page='
    expect(json.meta).toEqual({
      type: 'collection',
      count: 25,
      links: {
        self: `${url}2&per_page=25`,
        first_page: `${url}1&per_page=25`,
        prev_page: `${url}1&per_page=25`,
        next_page: `${url}3&per_page=25`,
      },
    })
    expect(Object.keys((await service.call('GET', '/v2/cities?page=3')).json.meta.links)).toEqual([
      'self',
      'first_page',
      'prev_page',
    ])
  })

  it('WRITE-1 takes order and ids', async () => {
    const service = createService()
    await seed(service, 12)
    const ids = async (query: string) =>
      (await service.call('GET', `/v2/cities?${query}`)).json.items.map(
        (item: { data: { id: number } }) => item.data.id,
      )
    expect(await ids('per_page=3&sort_by=id:desc')).toEqual([12, 11, 10])
    expect(await ids('per_page=3&sort_by=name')).toEqual([1, 10, 11])
    expect(await ids('ids=3,2,99')).toEqual([2, 3])
    expect((await service.call('GET', '/v2/nothings')).json).toMatchObject({ items: [], meta: { count: 0 } })
  })

  it.each([
    'page=0',
    'page=x',
    'per_page=0',
    'per_page=101',
    'per_page=1.5',
    'sort_by=',
    'sort_by=id:up',
    'sort_by=:asc',
  ])('WRITE-1 S11 refuses %s', async (query) => {
    const answer = await createService().call('GET', `/v2/cities?${query}`)
    expect([answer.status, answer.json.errors[0].error.code]).toEqual([400, 'invalid_param'])
  })
})

describe('paths', () => {
  it.each([
    'contact',
    'city',
    'company',
    'deal',
    'box',
    'address',
    'branch',
    'house',
    'day',
    'loss_reason',
    'text_message',
    'sms_quiz',
  ])('WRITE-1 finds the type of the path of %s', (type) => {
    expect(typeOfPath(pluralOf(type), {})).toBe(type)
  })

  it('WRITE-1 takes irregular plurals by option', async () => {
    const service = createService({ plurals: { person: 'people' } })
    const answer = await service.call('POST', '/v2/people', { body: { data: { name: 'x' } } })
    expect(answer.json.meta.type).toBe('person')
  })
})
