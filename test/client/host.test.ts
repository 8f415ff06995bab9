/** Reading, the whole way from the service to the page. */
import type { IDBFactory } from 'fake-indexeddb'
import { afterEach, expect, it, vi } from 'vitest'
import type { LiveChanges, SyncOptions } from '../../src/client/api.ts'
import { collection, defineSchema } from '../../src/schema.ts'
import { createWorld, endAll } from './whole-way.ts'

interface City {
  readonly id: number
  readonly name: string
  readonly population: number | null
}

const schema = defineSchema({
  version: 1,
  collections: { city: collection<City>({ indexes: [{ field: 'name', fold: true }, 'population'] }) },
})
const cities: City[] = Array.from({ length: 250 }, (_, at) => ({
  id: at + 1,
  name: `${at % 2 === 0 ? 'São' : 'Lima'} ${String(at).padStart(3, '0')}`,
  population: at % 10 === 0 ? null : (at * 37) % 1_000,
}))

afterEach(endAll)

const setUp = ({
  indexedDB,
  ...options
}: Partial<SyncOptions<typeof schema.collections>> & { indexedDB?: IDBFactory | null } = {}) =>
  createWorld(
    schema,
    cities.map((data) => ({ type: 'city', data: { ...data } })),
    options,
    { indexedDB },
  )

const byName = (a: City, b: City): number => (a.name < b.name ? -1 : 1)

it('a first sync reaches queries, live queries and columns, and is there again after a restart (R38, R39)', async () => {
  const { start } = await setUp()
  const first = start()
  await first.ready
  await first.now()
  expect(await first.city.count()).toBe(250)
  expect(await first.city.get('7')).toEqual(cities[6])
  expect(
    await first.city
      .where({ name: { startsWith: 'sao' } })
      .orderBy('name')
      .all(),
  ).toEqual(cities.filter(({ name }) => name.startsWith('São')).sort(byName))
  await vi.waitFor(() => expect(first.status.getSnapshot()).toMatchObject({ phase: 'idle', role: 'leader' }), 10_000)
  await first.close()

  const second = start()
  await second.ready
  expect(await second.city.count()).toBe(250)
})

it('pages through a query by after(row), nulls first, without a gap or a double', async () => {
  const { start } = await setUp()
  const sync = start()
  await sync.now()
  const sorted = sync.city.orderBy('population').select('id', 'population').limit(40)
  const seen: number[] = []
  for (let page = await sorted.all(); page.length > 0;) {
    seen.push(...page.map(({ id }) => id))
    page = await sorted.after(page.at(-1) as City).all()
  }
  expect(seen).toHaveLength(250)
  expect(new Set(seen).size).toBe(250)
  const values = seen.map((id) => cities[id - 1]?.population ?? -1)
  expect(values).toEqual([...values].sort((a, b) => a - b))
})

it('pages through a folded order, whose keys the page does not fold (R4)', async () => {
  const { start } = await setUp()
  const sync = start()
  await sync.now()
  const sorted = sync.city.orderBy('name', 'desc').limit(60)
  const one = await sorted.all()
  const two = await sorted.after(one.at(-1) as City).all()
  expect([...one, ...two]).toEqual([...cities].sort((a, b) => -byName(a, b)).slice(0, 120))
})

it('a change at the server reaches a live query as a difference, other rows keep their identity (R39)', async () => {
  const { start, write } = await setUp()
  const sync = start()
  const live = sync.city
    .where({ population: { gte: 900 } })
    .orderBy('population', 'desc')
    .live()
  const heard: Array<LiveChanges<City>> = []
  live.changes((changes) => void heard.push(changes))
  await sync.now()
  const expected = (): City[] =>
    cities
      .filter(({ population }) => (population ?? 0) >= 900)
      .sort((a, b) => (b.population ?? 0) - (a.population ?? 0) || (String(a.id) < String(b.id) ? 1 : -1))
  await vi.waitFor(() => expect(live.getSnapshot().rows).toEqual(expected()))
  const [top, next] = live.getSnapshot().rows
  heard.length = 0

  await write({ kind: 'update', type: 'city', id: String(top?.id), patch: { name: 'Changed' } })
  await write({ kind: 'delete', type: 'city', id: String(next?.id) })
  await sync.now()
  await vi.waitFor(() => expect(live.getSnapshot().rows).toHaveLength(expected().length - 1))
  expect(live.getSnapshot().rows[0]).toEqual({ ...top, name: 'Changed' })
  expect(heard.flatMap(({ added }) => added)).toEqual([])
  expect(heard.flatMap(({ changed }) => changed.map(({ id }) => id))).toEqual([top?.id])
  expect(heard.flatMap(({ removed }) => removed)).toEqual([next])
  expect(live.getSnapshot().states).toEqual(live.getSnapshot().rows.map(() => 'synced'))
})

it('columns arrive as typed arrays and follow changes in their slots (R39)', async () => {
  const { start, write } = await setUp()
  const sync = start()
  const feed = sync.city.select('id', 'population').columns()
  feed.subscribe(() => undefined)
  await sync.now()
  await vi.waitFor(() => expect(feed.getSnapshot().size).toBe(250))
  const { id } = feed.getSnapshot().columns
  const slot = id.indexOf(5)
  await write({ kind: 'update', type: 'city', id: '5', patch: { population: 123_456 } })
  await sync.now()
  await vi.waitFor(() => expect(feed.getSnapshot().columns.population[slot]).toBe(123_456))
})

it('a window keeps its size and its order when its rows change (R5)', async () => {
  const { start, write } = await setUp()
  const sync = start()
  const live = sync.city.orderBy('id', 'desc').limit(3).live()
  live.subscribe(() => undefined)
  await sync.now()
  await vi.waitFor(() => expect(live.getSnapshot().rows.map(({ id }) => id)).toEqual([250, 249, 248]))
  await write({ kind: 'delete', type: 'city', id: '249' })
  await sync.now()
  await vi.waitFor(() => expect(live.getSnapshot().rows.map(({ id }) => id)).toEqual([250, 248, 247]))
})

it('a condition that cannot be understood is refused by name, in every form of the query', async () => {
  const { start } = await setUp()
  const sync = start()
  await sync.ready
  const wrong = sync.city.where({ population: { gte: 1, lt: 'x' } as never })
  const refused = { code: 'invalid_argument', message: expect.stringContaining('population') as string }
  await expect(wrong.all()).rejects.toMatchObject(refused)
  await expect(wrong.count()).rejects.toMatchObject(refused)
  const live = wrong.live()
  live.subscribe(() => undefined)
  await vi.waitFor(() => expect(live.getSnapshot()).toMatchObject({ state: 'error', error: refused }))
})

it('a wrong token shows as needs-auth; history is followed and kept', async () => {
  let token = 'bad'
  const { start } = await setUp({ token: () => token })
  const sync = start()
  await sync.ready
  await vi.waitFor(() =>
    expect(sync.status.getSnapshot()).toMatchObject({ phase: 'needs-auth', error: { code: 'unauthorized' } }),
  )
  token = 'good'
  await sync.resume()
  await sync.now()
  sync.history.subscribe(() => undefined)
  await vi.waitFor(() => expect(sync.history.getSnapshot().sessions[0]).toMatchObject({ items: 250 }))
})

it('no IndexedDB is storage_unavailable, in ready and in status (R41)', async () => {
  const { start } = await setUp({ indexedDB: null })
  const sync = start()
  const outcome: unknown = await sync.ready.catch((error: unknown) => error)
  expect(outcome).toMatchObject({ name: 'SyncError', code: 'storage_unavailable' })
  expect(sync.status.getSnapshot()).toMatchObject({ phase: 'storage-problem', error: { code: 'storage_unavailable' } })
})
