/** The network of the kit: what each fault does to a request, which requests a rule is for, and what the log says (F1 to F9). */
import { describe, expect, it } from 'vitest'
import { fault, type Fault } from '../../src/testing/fault.ts'
import { randomFaults } from '../../src/testing/plan.ts'
import type { Call, NetworkRequest } from '../../src/testing/network.ts'
import { createVirtualClock } from '../../src/testing/clock.ts'
import { contacts, createServer, request, sessionPath, start } from './support.ts'

const post = (name: string): RequestInit => ({ method: 'POST', body: JSON.stringify({ data: { name } }) })

describe('a fault', () => {
  it('that drops the request leaves the server as it was; one that drops the answer does not', async () => {
    const server = await createServer()
    server.network.fail({ call: 'write', times: 1 }, fault.dropRequest())
    server.network.fail({ call: 'write', times: 1 }, fault.dropAnswer())
    await expect(request(server, '/v2/contacts', post('never'))).rejects.toThrow(TypeError)
    expect(await server.records('contact')).toHaveLength(3)
    await expect(request(server, '/v2/contacts', post('unheard'))).rejects.toThrow(TypeError)
    expect(await server.records('contact')).toMatchObject([...contacts(3), { name: 'unheard' }])
    expect((await request(server, '/v2/contacts', post('heard'))).status).toBe(200)
    expect(server.network.log.map(({ served, status, fault: what }) => [served, status, what])).toEqual([
      [null, null, 'drop-request'],
      [200, null, 'drop-answer'],
      [200, 200, null],
    ])
  })

  it('cuts an answer at a byte, before or behind its sender’s back, also within a character (F1)', async () => {
    const server = await createServer({ records: { contact: [{ id: 1, name: 'Zoë' }] } })
    const whole = new Uint8Array(await (await request(server, '/v2/contacts/1')).arrayBuffer())
    const at = whole.indexOf(0xc3) + 1
    server.network.fail({ call: 'read', times: 1 }, fault.cut(at))
    server.network.fail({ call: 'read', times: 1 }, fault.cut(at, { silent: true }))
    server.network.fail({ call: 'read', times: 1 }, fault.cut(-1, { silent: true }))
    server.network.fail({ call: 'read', times: 1 }, fault.cut(0))
    const broken = await request(server, '/v2/contacts/1')
    expect(broken.status).toBe(200)
    await expect(broken.arrayBuffer()).rejects.toThrow('broke')
    const silent = new Uint8Array(await (await request(server, '/v2/contacts/1')).arrayBuffer())
    expect(silent).toEqual(whole.slice(0, at))
    const nearly = new Uint8Array(await (await request(server, '/v2/contacts/1')).arrayBuffer())
    expect(nearly).toEqual(whole.slice(0, -1))
    await expect((await request(server, '/v2/contacts/1')).text()).rejects.toThrow('broke')
  })

  it('says what a proxy or a busy server says, and the server sees nothing of it (F4, F5, F6, F8, F9)', async () => {
    const server = await createServer()
    const seen = async (what: Fault): Promise<unknown[]> => {
      server.network.fail({ times: 1 }, what)
      const answer = await start(server)
      return [answer.status, answer.headers.get('Retry-After'), await answer.text()]
    }
    expect(await seen(fault.status(502, { body: '<html>', headers: { 'Retry-After': '5' } }))).toEqual([
      502,
      '5',
      '<html>',
    ])
    expect(await seen(fault.tooManyRequests(7))).toEqual([429, '7', ''])
    expect(await seen(fault.unauthorized())).toEqual([401, null, ''])
    expect(await seen(fault.expiredSession())).toEqual([404, null, ''])
    expect(await seen(fault.emptyAnswer())).toEqual([200, null, ''])
    const [status, , page] = await seen(fault.emptyPage())
    expect([status, JSON.parse(String(page))]).toMatchObject([200, { items: [] }])
    expect(server.network.log.map(({ served }) => served)).toEqual([null, null, null, null, null, null])
  })

  it('that says nothing at all ends with the sender’s own patience (F3)', async () => {
    const server = await createServer()
    server.network.fail({}, fault.hang())
    const stop = new AbortController()
    const asked = request(server, '/v2/contacts', { signal: stop.signal })
    const outcome = await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 20, 'waits'))])
    expect(outcome).toBe('waits')
    stop.abort(new Error('enough'))
    await expect(asked).rejects.toThrow('enough')
  })

  it('delays an answer, repeats a request, or lets it outlive its sender, by the server’s clock', async () => {
    const clock = createVirtualClock()
    const server = await createServer({ clock })
    server.network.fail({ call: 'read', times: 1 }, fault.delay(500))
    expect((await clock.until(request(server, '/v2/contacts'))).status).toBe(200)
    expect(clock.monotonic()).toBe(500)

    server.network.fail({ call: 'write', times: 1 }, fault.duplicate(100))
    await request(server, '/v2/contacts', post('double'))
    expect(await server.records('contact')).toHaveLength(4)
    await clock.advance(99)
    expect(await server.records('contact')).toHaveLength(4)
    await clock.advance(1)
    expect(await server.records('contact')).toHaveLength(5)

    server.network.delay = 50
    for (const [what, arrives] of [
      [fault.outlive(), 6],
      [null, 6],
    ] as const) {
      const stop = new AbortController()
      server.network.fail({ call: 'write', times: 1 }, () => what)
      const asked = request(server, '/v2/contacts', { ...post('ghost'), signal: stop.signal })
      const ended = expect(asked).rejects.toThrow()
      await clock.advance(10)
      stop.abort()
      await clock.advance(200)
      await ended
      expect(await server.records('contact')).toHaveLength(arrives)
    }
  })
})

describe('a rule', () => {
  it('is for requests by call, method, path, predicate and count, until it is taken back', async () => {
    const server = await createServer()
    const { network } = server
    const status = async (path: string, init?: RequestInit): Promise<number> =>
      (await request(server, path, init)).status
    const takeBack = network.fail({ path: '/v2/contacts/1' }, fault.status(500))
    network.fail({ path: /contacts\/[23]$/g, method: 'DELETE' }, fault.status(501))
    network.fail({ when: ({ body }) => body?.includes('Eve') === true }, fault.status(503))
    network.fail({ call: 'start', after: 1, times: 2 }, (_, nth) => fault.status(504 + nth))
    expect(await status('/v2/contacts/1')).toBe(500)
    expect(await status('/v2/contacts/2')).toBe(200)
    expect(await status('/v2/contacts/2', { method: 'DELETE' })).toBe(501)
    expect(await status('/v2/contacts/3', { method: 'DELETE' })).toBe(501)
    expect(await status('/v2/contacts', post('Eve'))).toBe(503)
    expect(await status('/v2/contacts', post('Ann'))).toBe(200)
    const starts = [await start(server), await start(server), await start(server), await start(server)]
    expect(starts.map((answer) => answer.status)).toEqual([201, 504, 505, 201])
    takeBack()
    expect(await status('/v2/contacts/1')).toBe(200)
    network.heal()
    expect(await status('/v2/contacts/3', { method: 'DELETE' })).toBe(204)
  })

  it('knows each call of the protocol', async () => {
    const server = await createServer()
    const page = await sessionPath(server)
    await request(server, page)
    await request(server, '/v2/sync/ack', { method: 'POST', body: JSON.stringify({ data: { ack_keys: [] } }) })
    await request(server, '/v2/contacts')
    await request(server, '/v2/contacts/1', { method: 'PUT', body: JSON.stringify({ data: { name: 'x' } }) })
    expect(server.network.log.map(({ call }) => call)).toEqual(['start', 'page', 'ack', 'read', 'write'])
    expect(server.network.log.map((entry) => entry.status)).toEqual([201, 200, 202, 200, 200])
  })
})

describe('the network offline (F2)', () => {
  it('lets nothing through, loses the answer under way, and tells whoever listens once', async () => {
    const clock = createVirtualClock()
    const server = await createServer({ clock })
    const heard: boolean[] = []
    const stop = server.network.onChange((online) => heard.push(online))
    server.network.fail({ call: 'write', times: 1 }, fault.delay(100))
    const late = expect(request(server, '/v2/contacts', post('late'))).rejects.toThrow(TypeError)
    await clock.advance(50)
    server.network.offline()
    server.network.offline()
    await clock.advance(50)
    await late
    expect(await server.records('contact')).toHaveLength(4)
    await expect(request(server, '/v2/contacts')).rejects.toThrow(TypeError)
    server.network.online()
    expect((await request(server, '/v2/contacts')).status).toBe(200)
    stop()
    server.network.offline()
    expect(heard).toEqual([false, true])
    expect(server.network.log.map((entry) => entry.fault)).toEqual(['offline', 'offline', null])
  })
})

describe('random faults', () => {
  const of = (call: Call): NetworkRequest => ({
    call,
    method: 'GET',
    path: '/',
    url: 'http://x/',
    headers: {},
    body: null,
  })
  const fates = (seed: number, order: readonly Call[], share?: number): Record<string, unknown> => {
    const plan = randomFaults(seed, { share })
    const counts: Partial<Record<Call, number>> = {}
    return Object.fromEntries(
      order.map((call) => {
        const nth = counts[call] ?? 0
        counts[call] = nth + 1
        return [`${call} ${nth}`, JSON.stringify(plan(of(call), nth))]
      }),
    )
  }
  const calls: Call[] = Array.from({ length: 400 }, (_, at) => (['start', 'page', 'ack', 'write'] as const)[at % 4]!)

  it('are the same for a seed, whatever the order of different calls, and others for another', () => {
    expect(fates(1, calls)).toEqual(fates(1, calls))
    expect(fates(1, calls.toSorted())).toEqual(fates(1, calls))
    expect(fates(2, calls)).not.toEqual(fates(1, calls))
    const of = (call: Call): unknown[] =>
      Object.entries(fates(1, calls)).flatMap(([name, fate]) => (name.startsWith(call) ? [fate === 'null'] : []))
    expect(of('ack')).not.toEqual(of('write'))
  })

  it('meet the share that was asked for, with faults of every kind', () => {
    const kinds = (share?: number): string[] =>
      Object.values(fates(3, calls, share)).flatMap((text) => (text === 'null' ? [] : [String(text)]))
    expect(kinds(0)).toEqual([])
    expect(kinds(1)).toHaveLength(400)
    expect(kinds().length).toBeGreaterThan(50)
    expect(kinds().length).toBeLessThan(110)
    const seen = new Set(kinds(1).map((text) => (JSON.parse(text) as Fault).kind))
    expect([...seen].toSorted()).toEqual(['cut', 'delay', 'drop-answer', 'drop-request', 'duplicate', 'status'])
    const own = randomFaults(1, { share: 1, faults: [() => fault.hang()] })
    expect(own(of('ack'), 0)).toEqual({ kind: 'hang' })
  })
})
