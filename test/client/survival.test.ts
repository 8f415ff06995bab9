/** Workers that die and databases that go, the whole way: the app's objects go on (F19, F32, R28, I20). */
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Sync } from '../../src/client/api.ts'
import { collection, defineSchema } from '../../src/schema.ts'
import { createWorld, endAll, type World } from './whole-way.ts'

interface City {
  readonly id: number
  readonly name: string
}

const schema = defineSchema({ version: 1, collections: { city: collection<City>({ indexes: ['name'] }) } })
type Shape = typeof schema.collections

const CITIES = 60
/** Another worker starts a second after the old one. */
const SOON = { timeout: 15_000, interval: 20 }

afterEach(endAll)

async function setUp(): Promise<{ world: World<Shape>; sync: Sync<Shape>; disk: IDBFactory }> {
  const disk = new IDBFactory()
  const cities = Array.from({ length: CITIES }, (_, at) => ({ type: 'city', data: { id: at + 1, name: `c${at}` } }))
  const world = await createWorld(schema, cities, {}, { indexedDB: disk })
  const sync = world.start()
  await sync.now()
  return { world, sync, disk }
}

const deviceOf = (sync: Sync<Shape>): Promise<string> =>
  vi.waitFor(() => {
    const { deviceId, phase } = sync.status.getSnapshot()
    if (deviceId === null || phase === 'waiting') throw new Error('not yet')
    return deviceId
  }, SOON)

describe('a worker that dies', () => {
  it('is replaced: the device, its data, live queries and unsent edits are as they were (F19, I11)', async () => {
    const { world, sync } = await setUp()
    const device = await deviceOf(sync)
    const live = sync.city.where({ name: 'mine' }).live()
    live.subscribe(() => undefined)
    world.fault = (method) => (method === 'PUT' ? 'lost-request' : 'none')
    const edit = await sync.city.update(7, { name: 'mine' })
    const under = expect(sync.now()).rejects.toMatchObject({ code: 'worker_crashed' })
    world.workers[0]?.crash()
    await under
    expect(await sync.city.count()).toBe(CITIES)
    expect(await sync.city.get(7)).toMatchObject({ name: 'mine' })
    world.fault = () => 'none'
    await vi.waitFor(() => expect(edit.state).toBe('synced'), SOON)
    await world.write({ kind: 'update', type: 'city', id: '9', patch: { name: 'mine' } })
    await sync.now()
    await vi.waitFor(() => expect(live.getSnapshot().rows.map(({ id }) => id)).toEqual([7, 9]))
    expect(await deviceOf(sync)).toBe(device)
    expect(world.workers).toHaveLength(2)
  }, 30_000)

  it('while its follower takes the lead does not lead again, and both are in sync (F19, L2)', async () => {
    const { world, sync } = await setUp()
    const other = world.start()
    await other.ready
    world.workers[0]?.crash()
    await vi.waitFor(() => expect(other.status.getSnapshot().role).toBe('leader'), SOON)
    await world.write({ kind: 'create', type: 'city', data: { id: 1_000, name: 'late' } })
    await sync.now()
    expect(await sync.city.get(1_000)).toMatchObject({ name: 'late' })
    expect(sync.status.getSnapshot().role).toBe('follower')
  }, 30_000)
})

describe('a database that is deleted under the tab', () => {
  it('is rebuilt under a new device, everything comes again, live queries go on, lost edits are told (F32, DEV-5, FAQ-1.3)', async () => {
    const { world, sync } = await setUp()
    const device = await deviceOf(sync)
    const live = sync.city.live()
    live.subscribe(() => undefined)
    await vi.waitFor(() => expect(live.getSnapshot().rows).toHaveLength(CITIES))
    world.fault = (method) => (method === 'PUT' ? 'lost-request' : 'none')
    const edit = await sync.city.update(7, { name: 'mine' })
    await world.deleteDatabase()
    await vi.waitFor(() => expect(sync.status.getSnapshot()).toMatchObject({ error: { code: 'storage_closed' } }))
    expect(live.getSnapshot().state).toBe('ready')
    world.fault = () => 'none'
    await sync.now()
    expect(await deviceOf(sync)).not.toBe(device)
    expect(await sync.city.count()).toBe(CITIES)
    await vi.waitFor(() => expect(live.getSnapshot()).toMatchObject({ state: 'ready', rows: { length: CITIES } }))
    await vi.waitFor(() => expect(edit.state).toBe('discarded'))
  }, 30_000)

  it('is rebuilt once, whichever of two tabs is first (F32, R23)', async () => {
    const { world, sync } = await setUp()
    const other = world.start()
    await other.ready
    const device = await deviceOf(sync)
    await world.deleteDatabase()
    for (const tab of [sync, other])
      await vi.waitFor(() => expect(tab.status.getSnapshot()).toMatchObject({ error: { code: 'storage_closed' } }))
    await Promise.all([sync.now(), other.now()])
    expect(await deviceOf(sync)).toBe(await deviceOf(other))
    expect(await deviceOf(sync)).not.toBe(device)
    expect([await sync.city.count(), await other.city.count()]).toEqual([CITIES, CITIES])
  }, 30_000)

  it('by a sign-out that this tab did not hear of stays deleted (R28)', async () => {
    const { world, sync, disk } = await setUp()
    const other = world.start()
    await other.ready
    const live = sync.city.live()
    live.subscribe(() => undefined)
    world.workers[0]?.deafen()
    await other.logout()
    const gone = { phase: 'stopped', error: { code: 'signed_out' } }
    await vi.waitFor(() => expect(sync.status.getSnapshot()).toMatchObject(gone))
    // Longer than a restart would take.
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect(sync.status.getSnapshot()).toMatchObject(gone)
    expect([await disk.databases(), world.workers.length]).toEqual([[], 2])
  }, 30_000)
})
