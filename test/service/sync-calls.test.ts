import { describe, expect, it } from 'vitest'
import { readCapabilities } from '../../src/protocol/capabilities.ts'
import { readPage } from '../../src/protocol/queue.ts'
import { readSession } from '../../src/protocol/session.ts'
import { createMemoryStore } from '../../src/service/memory.ts'
import { createService, keysOf, seed } from './support/service.ts'

const LONG_ACK = 5000

describe('start', () => {
  it('FAQ-0 START-1 answers 201 with a session while something is pending, and 204 without a body when nothing is', async () => {
    const service = createService()
    expect(await service.start()).toMatchObject({ status: 204, text: null })
    await seed(service, 3)
    expect(await service.start()).toMatchObject({ status: 201 })
    await service.ack(keysOf(await service.drain()))
    const last = await service.start()
    expect(last).toMatchObject({ status: 204, text: null })
    expect(Object.keys(last.headers).map((name) => name.toLowerCase())).not.toContain('content-type')
  })

  it('START-3 FAQ-3.0 FAQ-3.1 START-4 shapes the session as the clients need it: string id, one enveloped queue main, whole numbers', async () => {
    const service = createService({ pageSize: 2 })
    await seed(service, 5)
    const { json, headers } = await service.start()
    expect(json).toEqual({
      data: {
        id: expect.stringMatching(/^[A-Za-z0-9._~-]+$/),
        queues: [
          {
            data: { name: 'main', pages: 3, total_count: 5 },
            meta: {
              type: 'sync_queue',
              links: { self: `https://sync.example.test/v2/sync/${json.data.id}/queues/main` },
            },
          },
        ],
      },
      meta: { type: 'sync_session' },
    })
    expect(headers['Content-Type']).toBe('application/json; charset=utf-8')
    expect(readSession(json)).toEqual({ id: json.data.id, estimate: 5 })
  })

  it.each([undefined, '', '{}', '{"data":{}}', 'a=b', '{broken'])(
    'START-2 takes any body or none: %j',
    async (body) => {
      const service = createService()
      await seed(service, 1)
      const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
      expect((await service.call('POST', '/v2/sync/start', { body, headers })).status).toBe(201)
    },
  )

  it('START-1 has no effect on the ledger: starts without fetching change nothing', async () => {
    const service = createService()
    await seed(service, 2)
    for (let at = 0; at < 5; at++) await service.start()
    expect(await service.drain()).toHaveLength(2)
  })

  it('R13 tells what this service can do, on 201 and on 204', async () => {
    const service = createService({ rate: 50, store: createMemoryStore({ epoch: 'epoch-1' }) })
    await seed(service, 1)
    const first = await service.start()
    expect(readCapabilities(first.headers['X-Tidegate'] ?? null)).toEqual({
      version: 1,
      epoch: 'epoch-1',
      lanes: 4,
      rate: 50,
      idempotencyDays: 90,
      revisionOnWrite: true,
      clientIds: true,
      nudge: false,
      device: 'new',
    })
    await service.ack(keysOf(await service.drain()))
    const idle = await service.start()
    expect(idle.status).toBe(204)
    expect(readCapabilities(idle.headers['X-Tidegate'] ?? null)).toMatchObject({ device: 'known' })
  })

  it('R12 R13 says 0 when there is no limit', async () => {
    const { headers } = await createService().start()
    expect(readCapabilities(headers['X-Tidegate'] ?? null)?.rate).toBe(0)
  })

  it('R14 says that a device is new once, and again after it was forgotten', async () => {
    const service = createService()
    const newness = async () => readCapabilities((await service.start()).headers['X-Tidegate'] ?? null)?.device
    expect([await newness(), await newness()]).toEqual(['new', 'known'])
    await service.store.forget({ account: 'acme', user: 'ann', device: 'd1' })
    expect([await newness(), await newness()]).toEqual(['new', 'known'])
  })

  it('R22 names the account without telling it, the same for every user and token of it', async () => {
    const service = createService()
    const nameFor = async (token: string) =>
      (await service.call('POST', '/v2/sync/start', { token })).headers['X-Tidegate-Account']
    const name = await nameFor('T')
    expect(name).toMatch(/^[0-9a-f]{32}$/)
    expect(name).not.toContain('acme')
    expect([await nameFor('bob'), await nameFor('other-token-of-ann')]).toEqual([name, name])
    expect(await nameFor('stranger')).not.toBe(name)
  })

  it('RATE-2 S13 refuses the session above the limit with 429 and a time to come back', async () => {
    const service = createService()
    await seed(service, 1)
    for (let at = 1; at <= 100; at++) expect((await service.start(`d${at}`)).status).toBe(201)
    const refused = await service.start('d101')
    expect(refused).toMatchObject({ status: 429, headers: { 'Retry-After': '60' } })
    expect(refused.json.errors[0].error.code).toBe('rate_limit_exceeded')
    expect((await service.call('POST', '/v2/sync/start', { token: 'bob' })).status).toBe(201)
    await service.call('GET', `/v2/sync/${(await service.start('d1')).json.data.id}/queues/main`)
    expect((await service.start('d1')).status).toBe(201)
  })
})

describe('device', () => {
  const calls = [
    ['POST', '/v2/sync/start'],
    ['GET', '/v2/sync/any/queues/main'],
    ['POST', '/v2/sync/ack'],
  ] as const

  it.each(calls)('DEV-1 needs the device header: %s %s', async (method, path) => {
    const answer = await createService().call(method, path, { device: null, body: { data: { ack_keys: [] } } })
    expect(answer.status).toBe(400)
    expect(answer.json.errors[0].error.code).toBe('invalid_header')
  })

  it.each(['x', '5f1b2c3d4e5f6', 'd290f1ee-6c54-4b07-90e6-d701748f0851', '!~'.repeat(64)])(
    'DEV-3 O-20 takes any visible name: %s',
    async (device) => {
      expect((await createService().start(device)).status).toBe(204)
    },
  )

  it.each(['', 'a b', 'é', 'x'.repeat(129)])(
    'DEV-3 O-20 S11 refuses a blank, long or unprintable name: %j',
    async (device) => {
      const answer = await createService().call('POST', '/v2/sync/start', {
        device: null,
        headers: { 'X-Basecrm-Device-UUID': device },
      })
      expect(answer.status).toBe(400)
    },
  )

  it('DEV-2 FAQ-1.2 sends everything to an unknown name', async () => {
    const service = createService()
    await seed(service, 3)
    await service.ack(keysOf(await service.drain('d1')), 'd1')
    expect(await service.drain('d1')).toHaveLength(0)
    expect(await service.drain('d2')).toHaveLength(3)
  })

  it('O-21 knows a device again under a new token of the same user', async () => {
    const service = createService()
    await seed(service, 1)
    await service.ack(keysOf(await service.drain()))
    expect((await service.call('POST', '/v2/sync/start', { token: 'other-token-of-ann' })).status).toBe(204)
  })

  it('DEV-4 S2 S3 answers 404 for a session of another device, user or account, and of nobody alike', async () => {
    const service = createService()
    await seed(service, 1)
    const path = `/v2/sync/${(await service.start('d1')).json.data.id}/queues/main`
    const shape = async (options: object, url = path) => {
      const { status, json } = await service.call('GET', url, options)
      return [status, json.errors[0].error]
    }
    const nobody = await shape({}, '/v2/sync/00000000-0000-4000-8000-000000000000/queues/main')
    expect(nobody).toEqual([404, expect.objectContaining({ code: 'not_found' })])
    for (const options of [{ device: 'd2' }, { token: 'bob' }, { token: 'stranger' }])
      expect(await shape(options)).toEqual(nobody)
    expect((await service.call('GET', path)).status).toBe(200)
  })
})

describe('fetch', () => {
  it('FAQ-1.1 FETCH-1 hands out pages until 204, and 204 again when asked again', async () => {
    const service = createService({ pageSize: 2 })
    await seed(service, 5)
    const path = `/v2/sync/${(await service.start()).json.data.id}/queues/main`
    const pages = [await service.call('GET', path), await service.call('GET', path), await service.call('GET', path)]
    expect(pages.map(({ status, json }) => [status, json.meta])).toEqual([
      [200, { type: 'collection', count: 2, count_left: 3 }],
      [200, { type: 'collection', count: 2, count_left: 1 }],
      [200, { type: 'collection', count: 1, count_left: 0 }],
    ])
    for (let at = 0; at < 3; at++) {
      const end = await service.call('GET', path)
      expect(end).toMatchObject({ status: 204, text: null })
      expect(end.headers['Content-Type']).toBeUndefined()
    }
  })

  it('ITEM-2 ITEM-3 FAQ-4.4 wraps every item in its envelope; a delete carries its key alone', async () => {
    const service = createService()
    await seed(service, 2)
    await service.ack(keysOf(await service.drain()))
    await service.call('PUT', '/v2/cities/1', { body: { data: { name: 'new' } } })
    await service.call('DELETE', '/v2/cities/2')
    await service.call('POST', '/v2/cities', { body: { data: { name: 'born' } } })
    const items = await service.drain()
    const sync = (event_type: string, revision: number) => ({ event_type, revision, ack_key: expect.any(String) })
    expect(items).toEqual([
      { data: { id: 1, name: 'new' }, meta: { type: 'city', sync: sync('updated', 2) } },
      { data: { id: 2 }, meta: { type: 'city', sync: sync('deleted', 2) } },
      { data: { id: 3, name: 'born' }, meta: { type: 'city', sync: sync('created', 1) } },
    ])
  })

  it('ITEM-4 sends parents before what was born after them', async () => {
    const service = createService()
    await service.store.importRecords('acme', [
      { type: 'contact', data: { id: 9 } },
      { type: 'deal', data: { id: 1, contact_id: 9 } },
      { type: 'note', data: { id: 1, resource_id: 1 } },
    ])
    await service.call('PUT', '/v2/contacts/9', { body: { data: { name: 'x' } } })
    expect((await service.drain()).map((item) => item.meta.type)).toEqual(['contact', 'deal', 'note'])
  })

  it('ITEM-6 O-13 sends the whole newest data, unknown types and fields included', async () => {
    const service = createService()
    await service.store.importRecords('acme', [{ type: 'never_heard_of', data: { id: 1, a: 1, b: { c: [null] } } }])
    await service.call('PUT', '/v2/never_heard_ofs/1', { body: { data: { a: 2 } } })
    expect((await service.drain())[0]?.data).toEqual({ id: 1, a: 2, b: { c: [null] } })
  })

  it('START-4 O-3 knows no queue but main', async () => {
    const service = createService()
    await seed(service, 1)
    const { id } = (await service.start()).json.data
    expect(await service.call('GET', `/v2/sync/${id}/queues/other`)).toMatchObject({
      status: 404,
      json: { errors: [{ error: { code: 'not_found' } }] },
    })
    expect((await service.call('GET', `/v2/sync/${id}/queues/main`)).status).toBe(200)
  })

  it('FETCH-4 gives callers at the same time different pages', async () => {
    const service = createService({ pageSize: 3 })
    await seed(service, 20)
    const path = `/v2/sync/${(await service.start()).json.data.id}/queues/main`
    const answers = await Promise.all(Array.from({ length: 9 }, () => service.call('GET', path)))
    const ids = answers.flatMap((answer) =>
      (answer.json?.items ?? []).map((item: { data: { id: number } }) => item.data.id),
    )
    expect(ids.sort((a: number, b: number) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(7)
    expect(answers.filter((answer) => answer.status === 204)).toHaveLength(2)
  })

  it('FETCH-5 O-2 a session idle for more than an hour is gone, and a new start brings everything', async () => {
    const service = createService()
    await seed(service, 1)
    const path = `/v2/sync/${(await service.start()).json.data.id}/queues/main`
    service.advance(3_600_001)
    expect((await service.call('GET', path)).status).toBe(404)
    expect(await service.drain()).toHaveLength(1)
  })

  it('FETCH-6 FETCH-7 a HEAD or a preflight consumes no page; nothing may be cached', async () => {
    const service = createService()
    await seed(service, 1)
    const path = `/v2/sync/${(await service.start()).json.data.id}/queues/main`
    expect(await service.call('HEAD', path)).toMatchObject({ status: 405, headers: { Allow: 'GET, OPTIONS' } })
    expect((await service.call('OPTIONS', path, { token: null, device: null })).status).toBe(204)
    const page = await service.call('GET', path)
    expect(page.json.items).toHaveLength(1)
    expect(page.headers['Cache-Control']).toBe('no-store')
  })

  it('FETCH-8 R11 lists what cannot be presented, keeps it pending and goes on', async () => {
    let broken = true
    const service = createService({
      pageSize: 2,
      present: (type, data, user) => {
        if (broken && data['id'] === 2) throw new Error('cannot read')
        return { ...data, shown: `${type} to ${user}` }
      },
    })
    await seed(service, 3)
    const started = await service.start()
    const page = await service.call('GET', `/v2/sync/${started.json.data.id}/queues/main`)
    expect(page.json.items.map((item: { data: unknown }) => item.data)).toEqual([
      { id: 1, name: 'City 1', shown: 'city to ann' },
    ])
    expect(page.json.meta).toEqual({
      type: 'collection',
      count: 1,
      count_left: 1,
      failed_objects: [{ type: 'city', id: 2 }],
    })
    expect(readPage(page.json)?.failed).toBe(1)
    await service.ack(keysOf(await service.drain()))
    broken = false
    expect((await service.drain()).map((item) => item.data['id'])).toEqual([2])
    expect(service.log.join()).not.toContain('City')
  })

  it('FETCH-2 R11 never sends a page without items while there are others to send', async () => {
    const service = createService({
      pageSize: 1,
      present: (_, data) => {
        if (Number(data['id']) < 4) throw new Error('cannot read')
        return data
      },
    })
    await seed(service, 4)
    const path = `/v2/sync/${(await service.start()).json.data.id}/queues/main`
    const { json } = await service.call('GET', path)
    expect(json.items).toHaveLength(1)
    expect(json.meta.failed_objects.map(({ id }: { id: number }) => id)).toEqual([1, 2, 3])
    expect((await service.call('GET', path)).status).toBe(204)
  })

  it('FETCH-8 R11 where nothing at all can be presented, one page says so before the end', async () => {
    const service = createService({
      present: () => {
        throw new Error('cannot read')
      },
    })
    await seed(service, 2)
    const path = `/v2/sync/${(await service.start()).json.data.id}/queues/main`
    expect((await service.call('GET', path)).json).toMatchObject({
      items: [],
      meta: { failed_objects: [{ id: 1 }, { id: 2 }] },
    })
    expect((await service.call('GET', path)).status).toBe(204)
  })

  it('FETCH-8 a delete needs no presenting', async () => {
    let broken = false
    const service = createService({
      present: (_, data) => {
        if (broken) throw new Error('cannot read')
        return data
      },
    })
    await seed(service, 1)
    await service.ack(keysOf(await service.drain()))
    await service.call('DELETE', '/v2/cities/1')
    broken = true
    expect((await service.drain()).map((item) => item.meta.sync.event_type)).toEqual(['deleted'])
  })

  it('R11 O-6 a page is capped at its bytes', async () => {
    const service = createService({ pageSize: 1000 })
    const text = 'x'.repeat(100_000)
    await service.store.importRecords(
      'acme',
      Array.from({ length: 25 }, (_, id) => ({ type: 'doc', data: { id, text } })),
    )
    const path = `/v2/sync/${(await service.start()).json.data.id}/queues/main`
    const sizes = []
    for (let page = await service.call('GET', path); page.status === 200; page = await service.call('GET', path)) {
      expect(page.text?.length).toBeLessThanOrEqual(1024 * 1024)
      sizes.push(page.json.items.length)
    }
    expect(sizes).toEqual([10, 10, 5])
  })

  it('FAQ-2.0 FAQ-2.1 a page lost on the way comes again in the next session, and only that', async () => {
    const service = createService({ pageSize: 2 })
    await seed(service, 6)
    const path = `/v2/sync/${(await service.start()).json.data.id}/queues/main`
    const first = await service.call('GET', path)
    await service.call('GET', path)
    const third = await service.call('GET', path)
    await service.ack([...keysOf(first.json.items), ...keysOf(third.json.items)])
    expect((await service.drain()).map((item) => item.data['id'])).toEqual([3, 4])
  })
})

describe('acknowledge', () => {
  it('ACK-1 ACK-2 takes the envelope and answers 202 with nothing in it', async () => {
    const service = createService()
    await seed(service, 2)
    const answer = await service.ack(keysOf(await service.drain()))
    expect(answer).toMatchObject({ status: 202, text: null })
    expect(answer.headers['Content-Type']).toBeUndefined()
    expect(await service.drain()).toHaveLength(0)
  })

  it('ACK-7 R33 S4 takes an empty list, and any strings, without counting them', async () => {
    const service = createService()
    await seed(service, 1)
    const [item] = await service.drain('other')
    for (const keys of [[], ['x'], ['', '\u0000', 'city-1-1'], keysOf(item === undefined ? [] : [item])]) {
      expect((await service.ack(keys)).status).toBe(202)
    }
    expect(await service.drain()).toHaveLength(1)
  })

  it.each([
    ['', 400, 'invalid_payload'],
    ['{', 400, 'invalid_payload'],
    ['[]', 400, 'invalid_payload'],
    ['null', 400, 'invalid_payload'],
    ['{"ack_keys":["a"]}', 400, 'invalid_payload'],
    ['{"data":["a"]}', 400, 'invalid_payload'],
    ['{"data":{}}', 422, 'incorrect_payload'],
    ['{"data":{"ack_keys":"a"}}', 422, 'incorrect_payload'],
    ['{"data":{"ack_keys":["a",1]}}', 422, 'incorrect_payload'],
  ])('ACK-1 O-17 refuses a wrong body: %s', async (body, status, code) => {
    const answer = await createService().call('POST', '/v2/sync/ack', { body })
    expect([answer.status, answer.json.errors[0].error.code]).toEqual([status, code])
  })

  it('ACK-8 R33 S11 takes 5,000 keys of 200 characters, and refuses one key or one byte more', async () => {
    const service = createService()
    const key = 'k'.repeat(200)
    expect((await service.ack(Array.from({ length: LONG_ACK }, () => key))).status).toBe(202)
    const tooMany = await service.ack(Array.from({ length: LONG_ACK + 1 }, () => 'k'))
    expect([tooMany.status, tooMany.json.errors[0].error.code]).toEqual([422, 'incorrect_payload'])
    const body = (size: number) =>
      JSON.stringify({ data: { ack_keys: ['k'.repeat(size - '{"data":{"ack_keys":[""]}}'.length)] } })
    expect((await service.call('POST', '/v2/sync/ack', { body: body(1024 * 1024) })).status).toBe(202)
    expect((await service.call('POST', '/v2/sync/ack', { body: body(1024 * 1024 + 1) })).status).toBe(413)
  })

  it('FAQ-1.4 S6 marks as held what was acknowledged, and nothing else', async () => {
    const service = createService()
    await seed(service, 4)
    const items = await service.drain()
    await service.ack(keysOf(items.slice(1, 3)))
    expect((await service.drain()).map((item) => item.data['id'])).toEqual([1, 4])
  })

  it('ACK-5 there is no refusing of an item: what is not acknowledged comes again', async () => {
    const service = createService()
    await seed(service, 1)
    for (let at = 0; at < 3; at++) expect(await service.drain()).toHaveLength(1)
  })

  it('FAQ-6.1 with a delay, keys count only after it: repeats come until then, and nothing is lost', async () => {
    const service = createService({ ackDelayMs: 2000 })
    await seed(service, 2)
    expect((await service.ack(keysOf(await service.drain()))).status).toBe(202)
    service.advance(1999)
    await service.runBackground()
    expect(await service.drain()).toHaveLength(2)
    service.advance(1)
    await service.runBackground()
    expect((await service.start()).status).toBe(204)
  })

  it('FAQ-6.1 O-24 without a delay a start works the inbox off first, even before the background does', async () => {
    const service = createService()
    await seed(service, 2)
    await service.ack(keysOf(await service.drain()))
    expect((await service.start()).status).toBe(204)
  })

  it('FAQ-6.0 FAQ-6.2 many small acknowledgements are worked off by one task in the background', async () => {
    const tasks: (() => Promise<void>)[] = []
    const service = createService({ background: (task) => void tasks.push(task) })
    await seed(service, 5)
    for (const key of keysOf(await service.drain())) await service.ack([key])
    expect(tasks).toHaveLength(1)
    await tasks[0]?.()
    await service.ack(['x'])
    expect(tasks).toHaveLength(2)
  })

  it('FAQ-6.0 a failing work-off loses nothing and is logged without keys', async () => {
    const store = createMemoryStore()
    let fails = true
    const service = createService({
      store: {
        ...store,
        workOffAcks: async (options) => (fails ? Promise.reject(new Error('disk')) : store.workOffAcks(options)),
      },
      ackDelayMs: 0,
    })
    await seed(service, 1)
    fails = false
    const items = await service.drain()
    await service.ack(keysOf(items))
    fails = true
    service.advance(50)
    await service.runBackground()
    expect(service.log).toEqual(['error work_off_failed {}'])
    fails = false
    expect((await service.start()).status).toBe(204)
  })
})
