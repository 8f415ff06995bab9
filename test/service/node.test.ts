import { afterEach, describe, expect, it } from 'vitest'
import { createSyncHandler } from '../../src/service/handler.ts'
import { createMemoryStore } from '../../src/service/memory.ts'
import { createNodeListener, listen, type SyncServer } from '../../src/service/node.ts'
import type { ServiceOptions } from '../../src/service/options.ts'
import { sendRaw } from './support/raw-http.ts'

const servers: SyncServer[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

function options(): ServiceOptions {
  return {
    store: createMemoryStore(),
    authorize: (token) => (token === 'T' ? { account: 'a', user: 'u', scopes: ['sync', 'read', 'write'] } : null),
  }
}

async function serve(more: Partial<ServiceOptions> = {}): Promise<SyncServer> {
  const server = await listen(createNodeListener({ ...options(), ...more }), { port: 0 })
  servers.push(server)
  return server
}

const AUTH = ['Host: x', 'Authorization: Bearer T', 'X-Basecrm-Device-UUID: d1']

describe('node server', () => {
  it('ERR-1 COMPAT-1 writes header names as they are, and no content type on empty bodies', async () => {
    const { port } = await serve()
    const answer = await sendRaw(port, ['POST /v2/sync/start HTTP/1.1', ...AUTH])
    expect(answer.status).toBe(204)
    expect([...answer.headers.keys()]).toEqual(
      expect.arrayContaining(['X-Request-Id', 'X-Tidegate', 'X-Tidegate-Account', 'Cache-Control']),
    )
    expect([...answer.headers.keys()].map((name) => name.toLowerCase())).not.toContain('content-type')
    expect(answer.body).toBe('')
  })

  it('FETCH-6 answers a HEAD without a body', async () => {
    const { port } = await serve()
    const answer = await sendRaw(port, ['HEAD /v2/sync/x/queues/main HTTP/1.1', ...AUTH])
    expect([answer.status, answer.body]).toEqual([405, ''])
  })

  it('S11 ACK-8 refuses a body above the limit with 413, declared or not, and takes one at it', async () => {
    const { port } = await serve()
    const envelope = '{"data":{"ack_keys":[""]}}'
    const body = (size: number) => envelope.replace('""', `"${'k'.repeat(size - envelope.length)}"`)
    const post = (size: number) =>
      sendRaw(port, ['POST /v2/sync/ack HTTP/1.1', ...AUTH, `Content-Length: ${size}`], body(size))
    expect((await post(1024 * 1024)).status).toBe(202)
    expect((await post(1024 * 1024 + 1)).status).toBe(413)
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`
    const chunked = await sendRaw(
      port,
      ['POST /v2/sync/ack HTTP/1.1', ...AUTH, 'Transfer-Encoding: chunked'],
      `${chunk}${chunk}0\r\n\r\n`,
    )
    expect(chunked.status).toBe(413)
  })

  it('S11 counts the bytes of a body, not its characters', async () => {
    const { port } = await serve()
    const json = JSON.stringify({ data: { name: 'é'.repeat(600_000) } })
    const lines = ['POST /v2/cities HTTP/1.1', ...AUTH, `Content-Length: ${Buffer.byteLength(json)}`]
    expect((await sendRaw(port, lines, json)).status).toBe(413)
  })

  it('S1 does not read the body of a stranger', async () => {
    const { port } = await serve()
    const lines = ['POST /v2/sync/ack HTTP/1.1', 'Host: x', 'Authorization: Bearer nobody', 'Content-Length: 99999999']
    expect((await sendRaw(port, lines, 'x')).status).toBe(401)
  })

  it('survives odd requests: paths, hosts, bodies that end early', async () => {
    const { port, url } = await serve()
    const odd = [
      await sendRaw(port, ['GET // HTTP/1.1', ...AUTH]),
      await sendRaw(port, ['GET /v2/cities/%zz HTTP/1.1', ...AUTH]),
      await sendRaw(port, ['GET /v2/cities/1 HTTP/1.1', 'Host: a b', ...AUTH.slice(1)]),
      await sendRaw(port, ['OPTIONS * HTTP/1.1', 'Host: x']),
    ]
    expect(odd.map((answer) => answer.status)).toEqual([404, 404, 404, 204])
    await sendRaw(port, ['POST /v2/sync/ack HTTP/1.1', ...AUTH, 'Content-Length: 50'], '{"data"')
    expect(
      (
        await fetch(`${url}/v2/sync/start`, {
          method: 'POST',
          headers: { authorization: 'Bearer T', 'x-basecrm-device-uuid': 'd' },
        })
      ).status,
    ).toBe(204)
  })

  it('ends cleanly: requests under way are answered, then nothing listens any more', async () => {
    let release = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    let entered = (): void => {}
    const inside = new Promise<void>((resolve) => (entered = resolve))
    const server = await serve({
      authorize: async () => {
        entered()
        await held
        return { account: 'a', user: 'u', scopes: ['sync'] }
      },
    })
    const request = fetch(`${server.url}/v2/sync/start`, {
      method: 'POST',
      headers: { authorization: 'Bearer T', 'x-basecrm-device-uuid': 'd' },
    })
    await inside
    const closing = server.close()
    release()
    expect((await request).status).toBe(204)
    await closing
    await expect(fetch(server.url)).rejects.toThrow()
  })

  it('does not wait for ever for a request that never ends', async () => {
    const server = await serve({ authorize: () => new Promise(() => {}) })
    const request = fetch(`${server.url}/v2/sync/start`, {
      method: 'POST',
      headers: { authorization: 'Bearer T' },
    }).catch(() => 'cut')
    await server.close(10)
    expect(await request).toBe('cut')
  })
})

describe('fetch handler', () => {
  const call = (path: string, init: RequestInit = {}) =>
    createSyncHandler(options())(
      new Request(`https://sync.example.test${path}`, {
        ...init,
        headers: { authorization: 'Bearer T', 'x-basecrm-device-uuid': 'd' },
      }),
    )

  it('ACK-1 S11 reads the body of a Request, and refuses one above the limit', async () => {
    expect((await call('/v2/cities', { method: 'POST', body: '{"data":{"name":"é"}}' })).status).toBe(200)
    expect((await call('/v2/sync/ack', { method: 'POST', body: 'x'.repeat(1024 * 1024 + 1) })).status).toBe(413)
    expect((await call('/v2/sync/ack', { method: 'POST' })).status).toBe(400)
  })

  it('START-1 FETCH-6 makes a Response without a body or content type where there is none', async () => {
    for (const response of [
      await call('/v2/sync/start', { method: 'POST' }),
      await call('/v2/sync/x/queues/main', { method: 'HEAD' }),
    ]) {
      expect(response.body).toBeNull()
    }
    const started = await call('/v2/sync/start', { method: 'POST' })
    expect([started.status, started.headers.get('content-type')]).toEqual([204, null])
  })
})
