/** The benchmark's own server and generator: what every contestant gets, and what its answers are checked against. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { dataSet, type Row } from '../../bench/data.ts'
import { createListener, type ServerState } from '../../bench/server.ts'
import { createTruth, factsOf } from '../../bench/truth.ts'

interface Item {
  readonly data: Row
  readonly meta: { readonly sync: { readonly ack_key: string; readonly revision: number } }
}

const stops: Array<() => void> = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

async function serve(size: number, page: number) {
  const server = createServer(createListener({ data: 'contact', size, page, latency: 0, site: '/nowhere' }))
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  stops.push(
    () => void server.close(),
    () => server.closeAllConnections(),
  )
  const call = (method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, {
      method,
      headers: { 'X-Basecrm-Device-UUID': 'one' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  const drain = async (): Promise<Item[]> => {
    const start = await call('POST', '/v2/sync/start')
    if (start.status === 204) return []
    const { id } = ((await start.json()) as { data: { id: string } }).data
    const items: Item[] = []
    for (;;) {
      const answer = await call('GET', `/v2/sync/${id}/queues/main`)
      if (answer.status === 204) return items
      items.push(...((await answer.json()) as { items: Item[] }).items)
    }
  }
  return { call, drain }
}

describe("the benchmark's server", () => {
  it('hands out every record once, then nothing, then exactly what changed', async () => {
    const { call, drain } = await serve(25, 10)
    const { record } = dataSet('contact', 25)
    expect((await drain()).map(({ data }) => data)).toEqual(Array.from({ length: 25 }, (_, index) => record(index, 0)))
    expect(await drain()).toEqual([])
    await call('POST', '/control/change', { indexes: [3, 7] })
    const changed = await drain()
    expect(changed.map(({ data }) => data)).toEqual([record(3, 1), record(7, 1)])
    expect(changed.map(({ meta }) => meta.sync.revision)).toEqual([2, 2])
  })

  it('counts each acknowledged record once and forgets everything when told to', async () => {
    const { call, drain } = await serve(5, 10)
    const keys = (await drain()).map(({ meta }) => meta.sync.ack_key)
    for (const part of [keys, keys.slice(0, 2)])
      expect((await call('POST', '/v2/sync/ack', { data: { ack_keys: part } })).status).toBe(202)
    const state = async (): Promise<ServerState> => (await (await call('POST', '/control/state')).json()) as ServerState
    expect((await state()).acked).toBe(5)
    await call('POST', '/control/reset', { lanes: 4 })
    expect(await state()).toEqual({ firstRequestAt: null, lastItemsAt: null, gets: 0, acked: 0 })
    const start = await call('POST', '/v2/sync/start')
    expect(JSON.parse(start.headers.get('X-Tidegate') ?? '')).toEqual({ version: 1, rate: 0, lanes: 4 })
  })
})

describe('the records', () => {
  it('are about 650 bytes each, the same every time, and have one order by name', () => {
    const { record } = dataSet('contact', 1_000)
    const rows = Array.from({ length: 1_000 }, (_, index) => record(index, 0))
    expect(JSON.stringify(rows).length / 1_000).toBeGreaterThan(600)
    expect(JSON.stringify(rows).length / 1_000).toBeLessThan(720)
    expect(record(77, 0)).toEqual(rows[77])
    expect(new Set(rows.map((row) => row['name'])).size).toBe(1_000)
  })

  it('tell a right answer from a wrong, a stale and a missing one', () => {
    const data = dataSet('contact', 300)
    const truth = createTruth(data, factsOf(data))
    truth.row('get', data.record(5, 0), 5)
    truth.group('query', [data.record(1, 0), data.record(101, 0)], data.record(1, 0)['owner_id'], 2)
    expect(truth.faults).toEqual([])
    truth.change([5])
    truth.row('stale', data.record(5, 0), 5)
    truth.row('missing', undefined, 6)
    truth.group('short', [data.record(1, 0)], data.record(1, 0)['owner_id'], 2)
    truth.group('foreign', [data.record(1, 0), data.record(2, 0)], data.record(1, 0)['owner_id'], 2)
    truth.sorted([data.record(0, 0)])
    expect(truth.faults.map((fault) => fault.split(/[:,]/, 1)[0])).toEqual([
      'stale',
      'missing',
      'short',
      'foreign',
      'sorted',
    ])
  })
})
