/**
 * COMPAT-1: what the four official clients send, byte by byte (section 4.1), and what each of them needs of
 * the answers (sections 4 and 12), as small models of their reading code. A model throws where the client
 * would crash, stop early or lose data.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../src/service/memory.ts'
import { createNodeListener, listen, type SyncServer } from '../../src/service/node.ts'
import type { SyncStore } from '../../src/service/store.ts'
import { sendRaw, type RawAnswer } from './support/raw-http.ts'

const TOKEN = 'a'.repeat(64)
const DEVICE = 'd290f1ee-6c54-4b07-90e6-d701748f0851'

interface Client {
  readonly name: string
  /** Header lines of every call. */
  readonly common: readonly string[]
  /** Further lines of a start. */
  readonly start: readonly string[]
  /** Reads the body as the client does. */
  parse(answer: RawAnswer): any // oxlint-disable-line typescript/no-explicit-any
}

const isJson = (answer: RawAnswer): boolean => (answer.headers.get('Content-Type') ?? '').includes('json')

const clients: readonly Client[] = [
  {
    name: 'Python 1.2.10',
    common: ['User-Agent: BaseCRM/v2 Python/1.2.10', 'Accept: application/json', 'Accept-Encoding: gzip, deflate'],
    start: ['Content-Length: 0'],
    parse(answer) {
      if (!isJson(answer)) return null
      const body = JSON.parse(answer.body)
      if (!('data' in body) && !('items' in body)) throw new Error('KeyError')
      return body
    },
  },
  {
    name: 'Ruby 2.0.0',
    common: [
      'User-Agent: BaseCRM/V2 Ruby/2.0.0',
      'Accept: application/json',
      'X-Client-Type: api',
      'X-Client-Version: 2.0.0',
      'X-Device-Id: none',
    ],
    start: ['Content-Type: application/x-www-form-urlencoded', 'Content-Length: 0'],
    parse: (answer) => (isJson(answer) ? JSON.parse(answer.body) : null),
  },
  {
    name: 'PHP 1.4.4',
    common: ['User-Agent: BaseCRM/V2 PHP/1.4.4', 'Accept: application/json'],
    start: [],
    parse(answer) {
      if (answer.status >= 300 && answer.status < 400) throw new Error('taken for the end of the drain')
      if (answer.status >= 400 && answer.body === '') throw new Error('taken for the end of the drain')
      return answer.body === '' ? null : JSON.parse(answer.body)
    },
  },
  {
    name: 'Java 1.5.2',
    common: ['User-Agent: BaseCRM/v2 Java/1.5.2', 'Accept: application/json', 'X-Client-Type: api'],
    start: ['Content-Length: 0'],
    parse(answer) {
      if (!answer.headers.has('X-Request-Id')) throw new Error('no request id under this exact name')
      return answer.body === '' ? null : JSON.parse(answer.body)
    },
  },
]

let store: SyncStore
let server: SyncServer

beforeAll(async () => {
  store = createMemoryStore()
  server = await listen(
    createNodeListener({
      store,
      pageSize: 2,
      profile: 'vendor',
      authorize: (token) => (token.startsWith('a') ? { account: 'acme', user: token, scopes: ['sync'] } : null),
    }),
    { port: 0 },
  )
  await store.importRecords(
    'acme',
    [1, 2, 3, 4, 5].map((id) => ({ type: 'contact', data: { id, name: `é ${id}` } })),
  )
})

afterAll(() => server.close())

describe.each(clients)('COMPAT-1 $name', (client) => {
  const common = [
    'Host: sync.example.test',
    `Authorization: Bearer ${TOKEN}`,
    `X-Basecrm-Device-UUID: ${DEVICE}-${client.name.slice(0, 4)}`,
  ]
  const send = (line: string, more: readonly string[] = [], body = '') =>
    sendRaw(server.port, [`${line} HTTP/1.1`, ...common, ...client.common, ...more], body)

  async function start(): Promise<string | null> {
    const answer = await send('POST /v2/sync/start', client.start)
    const body = client.parse(answer)
    if (answer.status === 204) return null
    expect(answer.status).toBe(201)
    // Java casts to 32-bit integers, Ruby maps over the queues, all but Python need a string for the id.
    if (typeof body.data.id !== 'string' || body.data.id.trim() === '') throw new Error('no session id')
    for (const queue of body.data.queues as { data: { name: string; pages: number; total_count: number } }[]) {
      for (const count of [queue.data.pages, queue.data.total_count]) {
        if (!Number.isInteger(count) || count >= 2 ** 31) throw new Error('no Integer')
      }
    }
    return body.data.id
  }

  it('drains with its own requests: start, fetch, acknowledge, until 204, and then has nothing to do', async () => {
    const session = await start()
    const ids: number[] = []
    for (;;) {
      const page = await send(`GET /v2/sync/${session}/queues/main`)
      const body = client.parse(page)
      if (page.status === 204) break
      expect(page.status).toBe(200)
      // Python and PHP take an empty list for the end.
      if (body.items.length === 0) throw new Error('taken for the end of the drain')
      ids.push(...body.items.map((item: { data: { id: number } }) => item.data.id))
      const keys = body.items.map((item: { meta: { sync: { ack_key: string } } }) => item.meta.sync.ack_key)
      const json = JSON.stringify({ data: { ack_keys: keys } })
      const acked = await send(
        'POST /v2/sync/ack',
        ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(json)}`],
        json,
      )
      expect(client.parse(acked)).toBeNull()
      expect(acked.status).toBe(202)
    }
    expect(ids).toEqual([1, 2, 3, 4, 5])
    expect(await start()).toBeNull()
  })

  it('ERR-2 reads every refusal: it has a JSON body, an envelope and a request id', async () => {
    const answers = [
      await send('GET /v2/sync/no-such-session/queues/main'),
      await send('GET /v2/sync/start'),
      await sendRaw(server.port, ['POST /v2/sync/start HTTP/1.1', 'Host: x', ...client.common, ...client.start]),
    ]
    expect(answers.map((answer) => answer.status)).toEqual([404, 405, 401])
    for (const answer of answers) {
      expect(isJson(answer)).toBe(true)
      expect(JSON.parse(answer.body).meta.logref).toBe(answer.headers.get('X-Request-Id'))
    }
  })

  it('ACK-7 sends an empty list of keys without harm', async () => {
    const json = '{"data":{"ack_keys":[]}}'
    const answer = await send(
      'POST /v2/sync/ack',
      ['Content-Type: application/json', `Content-Length: ${json.length}`],
      json,
    )
    expect([answer.status, answer.body, answer.headers.has('Content-Type')]).toEqual([202, '', false])
  })
})
