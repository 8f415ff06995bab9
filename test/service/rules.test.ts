import { afterAll, describe, expect, it } from 'vitest'
import { createPgliteStore } from '../../src/service/pglite.ts'
import type { FieldError, WriteChange } from '../../src/service/index.ts'
import { createService, seed } from './support/service.ts'

const errors: readonly FieldError[] = [
  { code: 'blank', message: 'name is needed.', field: '/name', details: 'for developers' },
  { code: 'invalid_type', message: 'size must be a number.', field: '/size' },
]

describe('validate', () => {
  it('ERR-1 WRITE-1 what it finds is a 422 with every error at once, and nothing is stored', async () => {
    const service = createService({ validate: () => errors })
    const answer = await service.call('POST', '/v2/deals', { body: { data: { size: 'x' } } })
    expect(answer).toMatchObject({ status: 422, headers: { 'Content-Type': 'application/json; charset=utf-8' } })
    expect(answer.json).toEqual({
      errors: [
        {
          error: {
            code: 'blank',
            message: 'name is needed.',
            details: 'for developers',
            resource: 'deal',
            field: '/name',
          },
          meta: { type: 'error' },
        },
        {
          error: { code: 'invalid_type', message: 'size must be a number.', resource: 'deal', field: '/size' },
          meta: { type: 'error' },
        },
      ],
      meta: { type: 'errors', http_status: '422 Unprocessable Entity', logref: answer.headers['X-Request-Id'] },
    })
    expect((await service.start()).status).toBe(204)
  })

  it('WRITE-2 is shown type, operation, fields, the record as it is, and who writes', async () => {
    const changes: WriteChange[] = []
    const service = createService({ validate: (change) => void changes.push(change) })
    await service.call('POST', '/v2/deals', { body: { data: { name: 'a' } } })
    await service.call('PUT', '/v2/deals/1', { body: { data: { name: 'b' } } })
    await service.call('POST', '/v2/deals/upsert?name=b', { body: { data: { size: 1 } }, token: 'bob' })
    await service.call('DELETE', '/v2/deals/1')
    const [type, id, user] = ['deal', '1', 'ann']
    expect(changes).toEqual([
      { op: 'create', type, id, user, data: { id: 1, name: 'a' }, current: null },
      { op: 'update', type, id, user, data: { name: 'b' }, current: { id: 1, name: 'a' } },
      { op: 'update', type, id, user: 'bob', data: { size: 1 }, current: { id: 1, name: 'b' } },
      { op: 'delete', type, id, user, data: {}, current: { id: 1, name: 'b', size: 1 } },
    ])
  })

  it('R17 a refused write keeps no key: repaired data goes through, and a repetition is not judged again', async () => {
    let strict = true
    const service = createService({ validate: async () => (strict ? errors : []) })
    const post = (name: string) =>
      service.call('POST', '/v2/deals', { body: { data: { name } }, headers: { 'Idempotency-Key': 'k' } })
    expect((await post('')).status).toBe(422)
    strict = false
    expect((await post('good')).status).toBe(200)
    strict = true
    expect((await post('good')).json.data).toEqual({ id: 1, name: 'good' })
    expect(await service.drain()).toHaveLength(1)
  })

  it('S17 where it throws, the answer is a 500 and nothing is stored', async () => {
    const service = createService({ validate: () => Promise.reject(new Error('secret')) })
    const answer = await service.call('POST', '/v2/deals', { body: { data: {} } })
    expect([answer.status, answer.json.errors[0].error.code]).toEqual([500, 'server_error'])
    expect(answer.text).not.toContain('secret')
    expect(service.log).toEqual(['error request_failed {"error":"Error"}'])
    expect((await service.start()).status).toBe(204)
  })
})

describe('prepare', () => {
  const stores: { close(): Promise<void> }[] = []
  afterAll(() => Promise.all(stores.map((store) => store.close())))

  it('WRITE-1 R16 gives what is stored, answered and sent down, but for the id, and is not asked on a delete', async () => {
    const ops: string[] = []
    const service = createService({
      prepare: ({ op, data, user }) => {
        ops.push(op)
        return { ...data, id: 'x', by: user }
      },
    })
    await seed(service, 1)
    const made = await service.call('POST', '/v2/cities', { body: { data: { name: 'a' } } })
    const changed = await service.call('PUT', '/v2/cities/1', { body: { data: { name: 'b' } }, token: 'bob' })
    expect([made.json.data, changed.json.data]).toEqual([
      { id: 2, name: 'a', by: 'ann' },
      { id: 1, name: 'b', by: 'bob' },
    ])
    expect((await service.drain()).map(({ data }) => data)).toEqual([changed.json.data, made.json.data])
    expect((await service.call('DELETE', '/v2/cities/1')).status).toBe(204)
    expect(ops).toEqual(['create', 'update'])
  })

  it.each(['memory', 'pglite'])(
    'WRITE-2 sees what is stored when the write is kept, however many write at once: %s',
    { timeout: 60_000 },
    async (kind) => {
      const store = kind === 'pglite' ? await createPgliteStore() : undefined
      if (store !== undefined) stores.push(store)
      const service = createService({
        ...(store && { store }),
        prepare: async ({ op, data, current }) => {
          await Promise.resolve()
          return op === 'create' ? data : { ...data, count: Number(current?.['count']) + 1 }
        },
      })
      await service.call('POST', '/v2/deals', { body: { data: { count: 0 } } })
      await Promise.all(
        Array.from({ length: 5 }, (_, n) => service.call('PUT', '/v2/deals/1', { body: { data: { [`f${n}`]: n } } })),
      )
      expect((await service.call('GET', '/v2/deals/1')).json.data).toEqual({
        ...{ id: 1, count: 5 },
        ...{ f0: 0, f1: 1, f2: 2, f3: 3, f4: 4 },
      })
    },
  )
})
