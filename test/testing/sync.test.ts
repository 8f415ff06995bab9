/** The client of the kit: the real thing, against every fault of the kit's network, by real and by virtual time (F1 to F9, F16, F17, F53, I12). */
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Sync, SyncControl } from '../../src/client/api.ts'
import { collection, defineSchema, type Collections, type Schema } from '../../src/schema.ts'
import { createVirtualClock, type VirtualClock } from '../../src/testing/clock.ts'
import { holdingTime } from '../../src/testing/device.ts'
import { fault, type Fault } from '../../src/testing/fault.ts'
import type { Call } from '../../src/testing/network.ts'
import { randomFaults } from '../../src/testing/plan.ts'
import type { TestServer, TestServerOptions } from '../../src/testing/server.ts'
import { createTestSync, type TestSyncOptions } from '../../src/testing/sync.ts'
import { contacts, createServer, schema } from './support.ts'

const open = new Set<SyncControl>()
afterEach(async () => {
  await Promise.all([...open].map((sync) => sync.close()))
  open.clear()
})

function openTab<C extends Collections>(
  own: Schema<C>,
  server: TestServer,
  more: Partial<TestSyncOptions<C>> = {},
): Sync<C> {
  const sync = createTestSync<C>({ schema: own, server, indexedDB: new IDBFactory(), IDBKeyRange, ...more })
  open.add(sync)
  return sync
}

async function inVirtualTime(
  options: TestServerOptions,
  body: (clock: VirtualClock, server: TestServer, tab: typeof openTab) => Promise<void>,
): Promise<void> {
  const clock = createVirtualClock()
  const server = await createServer({ clock, ...options })
  const tabs = new Set<SyncControl>()
  try {
    await body(clock, server, (...args) => {
      const sync = createTestSync({ schema: args[0], server, indexedDB: new IDBFactory(), IDBKeyRange, ...args[2] })
      tabs.add(sync)
      return sync
    })
  } finally {
    for (const sync of tabs) await clock.until(sync.close())
  }
}

const realTime = (ms: number): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, ms))
const A_DAY = 24 * 3_600_000

describe('a test client', () => {
  it('needs nothing but a schema, a server and a disk, and everything on it is real', async () => {
    const server = await createServer()
    const sync = openTab(schema, server)
    await sync.now()
    expect(await sync.contact.orderBy('id').all()).toEqual(contacts(3))
    const live = sync.contact.where({ name: { startsWith: 'Ann' } }).live()
    live.subscribe(() => undefined)
    const ann = await sync.contact.insert({ name: 'Ann' })
    expect(await ann.synced()).toBe('synced')
    await vi.waitFor(() => expect(live.getSnapshot().rows).toEqual([{ id: ann.key, name: 'Ann' }]))
    expect(await server.records('contact')).toEqual([...contacts(3), { id: 4, name: 'Ann' }])
    await server.update('contact', 4, { name: 'Ann B.' })
    await sync.now()
    await vi.waitFor(() => expect(live.getSnapshot().rows).toEqual([{ id: 4, name: 'Ann B.' }]))
  })

  it('goes offline and online with the network, at once', async () => {
    const server = await createServer()
    server.network.offline()
    const sync = openTab(schema, server)
    await vi.waitFor(() => expect(sync.status.getSnapshot().phase).toBe('offline'))
    server.network.online()
    await vi.waitFor(() => expect(sync.status.getSnapshot().phase).toBe('idle'), 3_000)
    server.network.offline()
    const { length } = server.network.log
    await sync.contact.delete(1)
    await vi.waitFor(() => expect(sync.status.getSnapshot().outbox.pending).toBe(1))
    // A browser that says it is offline is believed: nothing was even tried.
    expect(server.network.log).toHaveLength(length)
    expect(await server.records('contact')).toHaveLength(3)
    server.network.online()
    await vi.waitFor(async () => expect(await server.records('contact')).toHaveLength(2), 3_000)
  })

  it('over the disk of another is a second tab; over that of a closed one, the next visit', async () => {
    const server = await createServer()
    const indexedDB = new IDBFactory()
    const [first, second] = [openTab(schema, server, { indexedDB }), openTab(schema, server, { indexedDB })]
    await Promise.all([first.now(), second.now()])
    expect([first, second].map((sync) => sync.status.getSnapshot().role).toSorted()).toEqual(['follower', 'leader'])
    await first.contact.update(1, { name: 'Ann' })
    await vi.waitFor(async () => expect(await second.contact.get(1)).toEqual({ id: 1, name: 'Ann' }))
    await first.close()
    await vi.waitFor(() => expect(second.status.getSnapshot().role).toBe('leader'))
    await second.close()
    server.network.offline()
    const later = openTab(schema, server, { indexedDB })
    await later.ready
    expect(await later.contact.get(1)).toEqual({ id: 1, name: 'Ann' })
    const elsewhere = openTab(schema, server)
    await elsewhere.ready
    expect(await elsewhere.contact.count()).toBe(0)
  })

  it('runs validators and policies of the schema (R19, R29)', async () => {
    const own = defineSchema({
      version: 1,
      collections: {
        contact: collection<{ id: number; name: string }>({
          conflict: ({ ours, theirs }) => `${String(theirs)} and ${String(ours)}`,
          validate: {
            '~standard': {
              version: 1,
              vendor: 'test',
              validate: (value: unknown) =>
                (value as { id: number }).id === 3 ? { issues: [{ message: 'no threes' }] } : { value },
            },
          } as never,
        }),
      },
    })
    const server = await createServer()
    const sync = openTab(own as typeof schema, server)
    await sync.now()
    expect(await sync.contact.count()).toBe(2)
    expect(sync.status.getSnapshot().quarantined).toBe(1)
    server.network.offline()
    const edit = await sync.contact.update(1, { name: 'ours' })
    await server.update('contact', 1, { name: 'theirs' })
    server.network.online()
    await edit.synced()
    expect(await server.record('contact', 1)).toEqual({ id: 1, name: 'theirs and ours' })
  })

  it('shows what the server’s rules say of a write', async () => {
    const server = await createServer({
      validate: ({ data }) => (data['name'] === '' ? [{ code: 'blank', field: '/name', message: 'No name.' }] : []),
    })
    const sync = openTab(schema, server)
    await sync.now()
    sync.outbox.subscribe(() => undefined)
    const edit = await sync.contact.update(1, { name: '' })
    expect(await edit.synced()).toBe('failed')
    await vi.waitFor(() =>
      expect(sync.outbox.getSnapshot().edits[0]?.problem).toMatchObject({
        status: 422,
        fields: [{ pointer: '/name', code: 'blank' }],
      }),
    )
  })

  it('needs a login when the token is refused, and goes on after it with nothing lost (F6)', async () => {
    const server = await createServer()
    let token = 'expired'
    const sync = openTab(schema, server, { token: () => token })
    await vi.waitFor(() => expect(sync.status.getSnapshot().phase).toBe('needs-auth'))
    const edit = await sync.contact.insert({ name: 'Ann' })
    token = server.token
    await sync.resume()
    expect(await edit.synced()).toBe('synced')
    expect(await server.records('contact')).toHaveLength(4)
  })

  it('says what it lacks', async () => {
    const server = await createServer()
    expect(() => createTestSync({ schema, server })).toThrow('needs indexedDB')
  })
})

describe('a test client in virtual time', () => {
  it('loses none to real work: opening, the disk, the service', async () => {
    const { digest } = crypto.subtle
    vi.spyOn(crypto.subtle, 'digest').mockImplementationOnce(async (...args) => {
      await realTime(40)
      return digest.apply(crypto.subtle, args)
    })
    const validate = (): Promise<[]> => realTime(40).then(() => [])
    await inVirtualTime({ validate }, async (clock, server, tab) => {
      const sync = tab(schema, server)
      await clock.until(sync.contact.count())
      expect(clock.monotonic()).toBe(0)
      await clock.until(sync.now())
      const before = clock.monotonic()
      const edit = await sync.contact.update(1, { name: 'Ann' })
      await clock.until(edit.synced())
      expect(clock.monotonic() - before).toBeLessThan(1_000)
      server.network.offline()
      const hold = vi.spyOn(clock, 'hold')
      await sync.contact.update(1, { name: 'Ann B.' })
      expect(hold).toHaveBeenCalled()
    })

    const clock = createVirtualClock()
    const disk = holdingTime(new IDBFactory(), clock)
    const opening = disk.open('any')
    opening.addEventListener('upgradeneeded', () => void opening.result.createObjectStore('rows'))
    const passing = clock.advance(100)
    await new Promise((resolve) => opening.addEventListener('success', resolve))
    const transaction = opening.result.transaction('rows')
    const over = new Promise((resolve) => transaction.addEventListener('complete', resolve))
    const until = performance.now() + 40
    const again = (): void => {
      expect(clock.monotonic()).toBe(0)
      if (performance.now() < until) transaction.objectStore('rows').count().addEventListener('success', again)
    }
    again()
    await over
    await passing
    expect(clock.monotonic()).toBe(100)
    opening.result.close()
  })

  const faults: ReadonlyArray<readonly [string, Fault]> = [
    ['drop-request', fault.dropRequest()],
    ['drop-answer', fault.dropAnswer()],
    ['hang', fault.hang()],
    ['delay', fault.delay(20_000)],
    ['cut', fault.cut(-5)],
    ['cut behind its back', fault.cut(-5, { silent: true })],
    ['duplicate', fault.duplicate(1_000)],
    ['status 503', fault.status(503)],
    ['status 429', fault.tooManyRequests(90)],
    ['status 401', fault.unauthorized()],
    ['empty 200', fault.emptyAnswer()],
  ]
  const calls: readonly Call[] = ['start', 'page', 'ack', 'write']
  it.each(calls.flatMap((call) => faults.map(([name, what]) => [name, call, what] as const)))(
    'gets over %s of a call of kind %s, and the edit is at the server once (I12)',
    async (_, call, what) => {
      await inVirtualTime({ pageSize: 2 }, async (clock, server, tab) => {
        server.network.fail({ call, times: 1 }, what)
        const sync = tab(schema, server)
        const edit = await sync.contact.insert({ name: 'Ann' })
        expect(await clock.until(edit.synced({ timeout: A_DAY }))).toBe('synced')
        await clock.until(sync.now({ timeout: A_DAY }))
        expect(server.network.log.some((entry) => entry.call === call && entry.fault === what.kind)).toBe(true)
        const all = await server.records('contact')
        expect(all).toMatchObject([...contacts(3), { name: 'Ann' }])
        expect(await clock.until(sync.contact.orderBy('id').all())).toEqual(all)
      })
    },
  )

  it('waits as long as a server asks, not longer than an hour of it takes in a test (F5, R12)', async () => {
    await inVirtualTime({}, async (clock, server, tab) => {
      server.network.fail({ call: 'start', times: 1 }, fault.tooManyRequests(1_800))
      const sync = tab(schema, server)
      await clock.until(() => sync.status.getSnapshot().phase === 'waiting')
      expect(sync.status.getSnapshot()).toMatchObject({ error: { code: 'rate_limited' } })
      await clock.advance(1_799_000)
      expect(await clock.until(sync.contact.count())).toBe(0)
      await clock.until(async () => (await sync.contact.count()) === 3, 1_900_000)
      expect(clock.monotonic()).toBeGreaterThanOrEqual(1_800_000)
    })
  })

  const seeds = Array.from({ length: 12 }, (_, at) => at + 1)
  it.each(seeds)('converges after a bad day drawn from seed %i, and places each edit once (I12)', async (seed) => {
    await inVirtualTime({ pageSize: 2, records: { contact: contacts(9) } }, async (clock, server, tab) => {
      server.network.plan = randomFaults(seed, { share: 0.4 })
      const sync = tab(schema, server, { seed })
      const edits = await sync.write((tx) => {
        for (const name of ['a', 'b', 'c']) tx.contact.insert({ name })
      })
      const states = await clock.until(Promise.all(edits.map((edit) => edit.synced({ timeout: A_DAY }))), A_DAY)
      expect(states).toEqual(['synced', 'synced', 'synced'])
      expect(server.network.log.some((entry) => entry.fault !== null)).toBe(true)
      server.network.heal()
      await clock.until(sync.now({ timeout: A_DAY }))
      const all = await server.records('contact')
      expect(all.map(({ name }) => name)).toEqual([...contacts(9).map(({ name }) => name), 'a', 'b', 'c'])
      expect(await clock.until(sync.contact.orderBy('id').all())).toEqual(all)
    })
  })
})
