/**
 * F1, finding 7: one canonical exchange (two pages, their acks, an insert and an update, their echo) over a real
 * socket, cut at every byte of every request and of every answer. The engine uses Node's `fetch` as in a worker, in
 * real time. `FULL=1` takes every byte, otherwise every so many.
 */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { systemClock, systemRandom } from '../../src/clock.ts'
import { compileQuery } from '../../src/query.ts'
import { collection, defineSchema, type Row, type Schema } from '../../src/schema.ts'
import { createMemoryStore } from '../../src/service/memory.ts'
import { createNodeListener, listen, type SyncServer } from '../../src/service/node.ts'
import { createHttp } from '../../src/worker/platform.ts'
import { createMachine, startProcess } from '../support/device.ts'
import { createCuttingProxy, type Cut, type CuttingProxy, type Line } from './cutting-proxy.ts'

vi.spyOn(console, 'warn').mockImplementation(() => undefined)

const FULL = process.env['FULL'] === '1'
const EVERY = FULL ? 1 : Number(process.env['EVERY'] ?? 61)
const AT_ONCE = 6

const schema = defineSchema({
  version: 1,
  collections: { contact: collection<{ id: number; name?: string }>({}) },
})

/** A device's life at its own service; both are known by a token. */
interface Case extends Line {
  readonly listener: ReturnType<typeof createNodeListener>
  /** What the service made of each operation. */
  readonly effects: Map<string, Set<string>>
  readonly store: ReturnType<typeof createMemoryStore>
}

const cases = new Map<string, Case>()
let server: SyncServer
let proxy: CuttingProxy

beforeAll(async () => {
  server = await listen(
    (incoming, outgoing) => {
      const token = (incoming.headers.authorization ?? '').slice('Bearer '.length)
      // The token itself may have been cut.
      const known = cases.get(token)
      if (known === undefined) outgoing.writeHead(401).end()
      else known.listener(incoming, outgoing)
    },
    { port: 0 },
  )
  proxy = await createCuttingProxy(server.port, (token) => cases.get(token)!)
})
afterAll(async () => {
  await proxy.close()
  await server.close(0)
})

async function createCase(token: string, cut: Cut | null): Promise<Case> {
  const memory = createMemoryStore({ epoch: 'one' })
  const effects = new Map<string, Set<string>>()
  const store: typeof memory = {
    ...memory,
    async write(writer, op, key, review) {
      const result = await memory.write(writer, op, key, review)
      if (result.kind === 'written')
        effects.set(
          key ?? 'none',
          (effects.get(key ?? 'none') ?? new Set()).add(`${result.object.id} r${result.object.revision}`),
        )
      return result
    },
  }
  await store.importRecords(
    'acme',
    Array.from({ length: 4 }, (_, at) => ({ type: 'contact', data: { id: at + 1, name: `contact ${at + 1}` } })),
  )
  const listener = createNodeListener({
    store,
    pageSize: 2,
    authorize: (given) =>
      given === token ? { account: 'acme', user: 'ann', scopes: ['sync', 'read', 'write'] } : null,
  })
  return { cut, hit: false, sizes: new Map(), listener, effects, store }
}

interface Result {
  readonly sizes: Line['sizes']
  readonly hit: boolean
  readonly lost: readonly string[]
  readonly doubled: readonly string[]
}

let nth = 0
async function live(cut: Cut | null): Promise<Result> {
  const token = `case-${String(++nth).padStart(6, '0')}`
  const one = await createCase(token, cut)
  cases.set(token, one)
  const { ready } = startProcess({
    machine: createMachine(),
    schema: schema as Schema,
    http: createHttp(fetch),
    clock: systemClock,
    // Waits between tries are drawn from nothing to a ceiling.
    random: { ...systemRandom, float: () => 0 },
    token: () => Promise.resolve(token),
    options: { endpoint: proxy.url, timeouts: { headers: 5_000, total: 8_000 }, capabilities: { lanes: 1 } },
  })
  const { store, engine } = await ready
  const quiet = (): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (store.outbox.snapshot().edits.length > 0 || engine.status.current.pendingAcks > 0) return
        stop()
        resolve()
      }
      const stop = engine.status.subscribe(look)
      look()
    })
  const lost: string[] = []
  const doubled: string[] = []
  try {
    await engine.now(20_000)
    const insert = { op: 'insert', collection: 'contact', key: -1, value: { name: 'Ann' }, temporary: true } as const
    const update = { op: 'update', collection: 'contact', key: 2, value: { name: 'Bob' }, temporary: false } as const
    const edits = [...(await store.outbox.write([insert])), ...(await store.outbox.write([update]))]
    engine.edited()
    await quiet()
    await engine.now(20_000)
    await quiet()

    const { objects } = await one.store.list('acme', ['everyone'], 'contact', { page: 1, perPage: 1_000 })
    const want = new Map(objects.map(({ id, data }) => [id, data as Row]))
    const found = await store.find(compileQuery({ collection: 'contact', where: {} }, store.specOf('contact')))
    const have = new Map(found.map(({ id, row }) => [id, row]))
    for (const [id, row] of want) if (JSON.stringify(have.get(id)) !== JSON.stringify(row)) lost.push(`contact ${id}`)
    for (const id of have.keys()) if (!want.has(id)) doubled.push(`contact ${id} is here alone`)
    const names = [...want.values()].map(({ name }) => name)
    for (const name of ['Ann', 'Bob'])
      if (names.filter((other) => other === name).length !== 1) lost.push(`edit ${name}: ${names.join()}`)
    for (const { id } of edits) if (one.effects.get(id)?.size !== 1) lost.push(`effect of ${id}`)
    for (const [key, seen] of one.effects) if (seen.size > 1) doubled.push(`${key}: ${[...seen].join()}`)
    if (one.effects.size !== 2) doubled.push(`${one.effects.size} operations had an effect`)
  } catch (error) {
    lost.push(`does not reach sync: ${String(error)}`)
  } finally {
    await engine.close()
    cases.delete(token)
  }
  return { sizes: one.sizes, hit: one.hit, lost, doubled }
}

describe('byte cuts', () => {
  it(
    'F1, I2, I3, I12: a connection cut at any byte of a request or an answer loses nothing and doubles nothing',
    { timeout: 3_600_000 },
    async () => {
      const { sizes, lost, doubled } = await live(null)
      expect({ lost, doubled }).toEqual({ lost: [], doubled: [] })
      const cuts = [...sizes].flatMap(([exchange, size]) =>
        (['request', 'answer'] as const).flatMap((direction) =>
          Array.from({ length: size[direction] }, (_, at): Cut => ({ exchange, direction, at })),
        ),
      )
      expect([...sizes.keys()].sort()).toMatchInlineSnapshot(`
        [
          "GET /v2/sync/SESSION/queues/main #1",
          "GET /v2/sync/SESSION/queues/main #2",
          "GET /v2/sync/SESSION/queues/main #3",
          "GET /v2/sync/SESSION/queues/main #4",
          "GET /v2/sync/SESSION/queues/main #5",
          "POST /v2/contacts #1",
          "POST /v2/sync/ack #1",
          "POST /v2/sync/ack #2",
          "POST /v2/sync/start #1",
          "POST /v2/sync/start #2",
          "POST /v2/sync/start #3",
          "PUT /v2/contacts/2 #1",
        ]
      `)
      const totals = { cut: 0, lost: 0, doubled: 0, missed: 0 }
      const found: string[] = []
      const waiting = cuts.filter((_, at) => at % EVERY === 0)
      async function work(): Promise<void> {
        for (let cut = waiting.shift(); cut !== undefined; cut = waiting.shift()) {
          const result = await live(cut)
          totals.cut++
          totals.lost += result.lost.length
          totals.doubled += result.doubled.length
          if (!result.hit) totals.missed++
          const where = `${cut.exchange}, ${cut.direction}, byte ${cut.at}`
          found.push(...[...result.lost, ...result.doubled].map((what) => `${where}: ${what}`))
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, work))
      // oxlint-disable-next-line no-console -- the counts are the evidence
      console.log(
        `bytes cut ${totals.cut}, lost items ${totals.lost}, double effects ${totals.doubled} (of ${cuts.length} bytes, not reached ${totals.missed})`,
      )
      expect(found.slice(0, 20)).toEqual([])
      expect(totals.missed).toBe(0)
    },
  )
})
