/** Settling, quarantine, tombstones, overlay, wipe, following and closing: what happens to pages after their commit. */
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { afterEach, describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import { systemClock, systemRandom } from '../../src/clock.ts'
import { compileQuery } from '../../src/query.ts'
import { collection, defineSchema } from '../../src/schema.ts'
import { openDatabase } from '../../src/store/database.ts'
import { createOverlay, type LoadedRow } from '../../src/store/overlay.ts'
import { openStore, type StoreEvent } from '../../src/store/store.ts'
import { parseJson } from '../../src/protocol/json.ts'
import { readPage } from '../../src/protocol/queue.ts'
import { trackTransactions } from '../support/device.ts'
import {
  closeAll,
  del,
  item,
  openTest,
  page,
  put,
  readDisk,
  schema,
  session,
  withDatabase,
  type Thing,
} from './support.ts'

afterEach(closeAll)

const checked = defineSchema({
  version: 1,
  collections: {
    thing: collection({ indexes: ['n'], validate: z.object({ id: z.number(), n: z.optional(z.number()) }) }),
  },
})
const whole = { collection: 'thing', where: {} }

describe('settling', () => {
  it('moves one inbox row at a time into the tables, oldest first, and the mark with it (R1, R2, R6)', async () => {
    const factory = new IDBFactory()
    const { store, lease, receive } = await openTest(factory)
    await receive([put(1, 1), put(2, 1)], [put(3, 1)])
    expect(await store.settleNext(lease)).toBe(2)
    expect(store.counts()).toMatchObject({ pages: 1, records: 1, head: 2, mark: 1 })
    expect(await readDisk(factory)).toMatchObject({
      inbox: [{ seq: 2 }],
      rows: [
        { id: '1', rev: 1 },
        { id: '2', rev: 1 },
      ],
    })
    expect(await store.settleNext(lease)).toBe(1)
    expect(await store.settleNext(lease)).toBeNull()
    expect(store.counts()).toMatchObject({ pages: 0, records: 0, bytes: 0, mark: 2 })
    expect(await store.settledCount()).toBe(3)
  })

  it('killed at any step changes nothing that is seen (promise 4, I6, F19)', async () => {
    for (let step = 1; step <= 12; step++) {
      const factory = new IDBFactory()
      const first = await openTest(factory)
      await first.receive([put(1, 1, { n: 1 }), put(2, 1)], [put(1, 2, { n: 2 }), del(2, 2), put(3, 1)])
      first.store.close()
      const tracked = trackTransactions(factory)
      const { store, lease } = await openTest(tracked.factory)
      const settling = (async () => {
        while ((await store.settleNext(lease)) !== null);
      })().catch(() => undefined)
      for (let turn = 0; turn < step * 2; turn++) await new Promise((resolve) => setImmediate(resolve))
      tracked.crash()
      await Promise.race([settling, new Promise((resolve) => setImmediate(resolve))])
      const again = await openTest(factory)
      expect(await again.find()).toEqual([{ id: 1, n: 2 }, { id: 3 }])
      await again.settleAll()
      expect(await again.find({ where: { n: 2 } })).toEqual([{ id: 1, n: 2 }])
      expect((await readDisk(factory)).inbox).toEqual([])
      closeAll()
    }
  })

  it('does not write what a newer unsettled page overtakes (R1)', async () => {
    const factory = new IDBFactory()
    const { store, lease, receive, find } = await openTest(factory)
    await receive([put(1, 1, { n: 1 }), put(2, 1)], [put(1, 2, { n: 2 })])
    await store.settleNext(lease)
    expect((await readDisk(factory)).rows.map(({ id }) => id)).toEqual(['2'])
    expect(await find({ where: { n: 2 } })).toEqual([{ id: 1, n: 2 }])
  })

  it('leaves a tombstone per deleted record, of unknown types too, until a later clean session (R5, I4)', async () => {
    const factory = new IDBFactory()
    const { store, lease, receive, settleAll, ids } = await openTest(factory)
    await store.device.updateSync(lease, { started: 3 })
    await receive([put(1, 1)], [del(1, 2), item({ type: 'other', id: 5, rev: 4, event: 'deleted' })])
    await settleAll()
    expect((await readDisk(factory)).tombstones).toEqual([
      { type: 'other', id: '5', rev: 4, run: 3 },
      { type: 'thing', id: '1', rev: 2, run: 3 },
    ])
    await receive([put(1, 1)])
    expect(await ids()).toEqual([])
    await store.proved(lease, 3)
    expect((await readDisk(factory)).tombstones).toHaveLength(2)
    await store.proved(lease, 4)
    expect((await readDisk(factory)).tombstones).toEqual([])
    await receive([put(1, 3)])
    await settleAll()
    expect(await ids()).toEqual(['1'])
  })

  it('a record that comes back ends its tombstone (ITEM-5)', async () => {
    const factory = new IDBFactory()
    const { receive, settleAll, ids } = await openTest(factory)
    await receive([put(1, 1), del(1, 2)])
    await settleAll()
    await receive([put(1, 3)])
    await settleAll()
    expect(await ids()).toEqual(['1'])
    expect((await readDisk(factory)).tombstones).toEqual([])
  })
})

describe('the overlay', () => {
  const row = (seq: number, id: string, rev: number): LoadedRow => ({
    seq,
    bytes: 10,
    items: [{ type: 'thing', id, rev, kind: 'put', data: { id, rev } }],
  })

  it('keeps a settled record until every read that began before has ended, and no longer (R2)', () => {
    const overlay = createOverlay()
    overlay.add([row(1, 'a', 1), row(2, 'b', 1)], 0)
    const early = overlay.ticket()
    overlay.settled(1)
    const late = overlay.ticket()
    overlay.settled(2)
    expect([...overlay.entries('thing').keys()]).toEqual(['a', 'b'])
    early()
    expect([...overlay.entries('thing').keys()]).toEqual(['b'])
    late()
    expect(overlay.entries('thing').size).toBe(0)
    expect(overlay.unsettled()).toEqual({ pages: 0, records: 0, bytes: 0 })
  })

  it('a record overtaken by a newer page stays when the older page leaves (R2)', () => {
    const overlay = createOverlay()
    overlay.add([row(1, 'a', 1), row(2, 'a', 2)], 0)
    overlay.settled(1)
    expect(overlay.entry('thing', 'a')).toMatchObject({ seq: 2, rev: 2 })
    expect(overlay.unsettled()).toEqual({ pages: 1, records: 1, bytes: 10 })
  })

  it('takes no row twice, and counts only what lies above a mark', () => {
    const overlay = createOverlay()
    const release = overlay.ticket()
    overlay.add([row(1, 'a', 1), row(2, 'b', 1)], 0)
    overlay.add([row(2, 'b', 1), row(3, 'c', 1)], 0)
    overlay.settled(2)
    expect(overlay.head).toBe(3)
    expect(overlay.unsettled()).toEqual({ pages: 1, records: 1, bytes: 10 })
    expect(overlay.oldest()?.seq).toBe(3)
    release()
    expect(overlay.unsettled()).toEqual({ pages: 1, records: 1, bytes: 10 })
  })
})

describe('quarantine', () => {
  it('holds what cannot be shown, with the reason, and blocks nothing (R31, I8, ITEM-3, ITEM-6, F12)', async () => {
    const { store, lease, ids, settleAll } = await openTest(new IDBFactory(), checked)
    const odd = [
      item({ type: 'unheard_of', id: 1, rev: 2 }),
      item({ id: 2, rev: 1, event: 'exploded' }),
      item({ id: 3, rev: 1, data: { id: 3, n: 'x' } }),
      item({ id: 4, rev: null }),
      item({ type: null, id: 5 }),
      item({ id: 6, data: null }),
      item({ id: null, data: { n: 1 }, ackKey: 'lonely' }),
      'no item at all',
    ]
    const committed = await store.commit(lease, [page(...odd, put(9, 1))], session)
    expect(committed).toMatchObject({ accepted: 9, quarantined: 8, unackable: 1 })
    expect(committed.acks?.keys).toHaveLength(8)
    for (const settled of [false, true]) {
      if (settled) await settleAll()
      const { count, items } = await store.quarantine.list(100)
      expect(count).toBe(8)
      expect(items.map(({ reason }) => reason).sort()).toEqual([
        'does not fit the schema: n: Invalid input',
        'has no data',
        'has no revision',
        'has no usable key',
        'has the unknown event type "exploded"',
        'is of a type this app does not know',
        'names no type',
        'names no type',
      ])
      expect(items.find(({ type }) => type === 'unheard_of')).toMatchObject({ id: '1', revision: 2, raw: odd[0] })
      expect((await store.quarantine.list(3)).items).toHaveLength(3)
      expect((await store.quarantine.list(3)).count).toBe(8)
      expect(await ids()).toEqual(['9'])
    }
  })

  it('shows the last valid row as stale until a newer valid version or a delete (R31)', async () => {
    const { store, receive, find, ids, settleAll } = await openTest(new IDBFactory(), checked)
    const events: StoreEvent[] = []
    store.subscribe((event) => void events.push(event))
    for (const settled of [false, true]) {
      const rev = settled ? 10 : 1
      await receive([put(1, rev, { n: rev })])
      if (settled) await settleAll()
      events.length = 0
      await receive([put(1, rev + 1, { n: 'bad' })])
      expect(events[0]).toMatchObject({
        kind: 'changes',
        changes: [{ type: 'thing', id: '1', row: settled ? undefined : { id: 1, n: 1 } }],
      })
      if (settled) await settleAll()
      expect(await find()).toEqual([{ id: 1, n: rev }])
      expect(store.stateOf('thing', '1')).toBe('stale')
      expect(await store.quarantine.count()).toBe(1)
      await receive([put(1, rev + 2, { n: rev + 2 })])
      expect(store.stateOf('thing', '1')).toBe('synced')
      expect(await store.quarantine.count()).toBe(0)
      await receive([put(1, rev + 3, { n: 'bad' })])
      await receive([del(1, rev + 4)])
      expect(await ids()).toEqual([])
      expect(await store.quarantine.count()).toBe(0)
      if (settled) await settleAll()
    }
    expect(await store.quarantine.list(9)).toEqual({ count: 0, items: [] })
  })

  it('staleness is known again after a restart, settled or not (R31)', async () => {
    const factory = new IDBFactory()
    const first = await openTest(factory, checked)
    await first.receive([put(1, 1), put(2, 1), put(3, 1)], [put(1, 2, { n: 'bad' }), put(3, 2, { n: 'bad' })])
    await first.settleAll()
    await first.receive([put(2, 2, { n: 'bad' })], [put(3, 3)])
    first.store.close()
    const { store } = await openTest(factory, checked)
    expect(['1', '2', '3'].map((id) => store.stateOf('thing', id))).toEqual(['stale', 'stale', 'synced'])
    expect(await store.quarantine.count()).toBe(2)
  })

  it('an item that can be neither named nor acknowledged is kept once, however often it comes (R11, I23)', async () => {
    const { store, lease, settleAll } = await openTest()
    const nameless = [
      item({ type: null, id: null, data: { a: 1 }, ackKey: null }),
      'x',
      item({ type: null, id: null, data: { a: 2 }, ackKey: null }),
    ]
    for (let session_ = 1; session_ <= 3; session_++) {
      const committed = await store.commit(lease, [page(nameless[0]), page(nameless[1], nameless[2])], {
        ...session,
        id: `session-${session_}`,
      })
      expect(committed).toMatchObject({ unackable: 3, accepted: session_ === 1 ? 3 : 0 })
      expect(await store.quarantine.count()).toBe(3)
      if (session_ === 2) await settleAll()
    }
  })

  it('a whole number that JavaScript would round puts its item into quarantine with all its digits (R8, F11)', async () => {
    const { store, lease, find } = await openTest()
    const text = `{"items":[${JSON.stringify(put(1, 1))},{"data":{"id":9007199254740993},"meta":{"type":"thing","sync":{"event_type":"created","ack_key":"big","revision":1}}},
      {"data":{"id":3,"deep":[{"n":-12345678901234567890}]},"meta":{"type":"thing","sync":{"event_type":"created","ack_key":"deep","revision":1}}},
      {"data":{"id":4,"lat":0.30000000000000004},"meta":{"type":"thing","sync":{"event_type":"created","ack_key":"fine","revision":1}}}]}`
    const { value, suspect } = parseJson(text)
    const read = readPage(value)
    const committed = await store.commit(lease, [{ items: read?.items ?? [], suspect }], session)
    expect(committed.acks?.keys).toEqual(['thing-1-1', 'big', 'deep', 'fine'])
    expect(await find()).toEqual([{ id: 1 }, { id: 4, lat: 0.30000000000000004 }])
    const { items } = await store.quarantine.list(9)
    expect(JSON.stringify(items)).toContain('9007199254740993')
    expect(JSON.stringify(items)).toContain('-12345678901234567890')
  })

  it("an asynchronous validator is the app's mistake, not the item's (R29)", async () => {
    const shape = defineSchema({
      version: 1,
      collections: {
        thing: collection<Thing>({
          validate: { '~standard': { version: 1, vendor: 't', validate: async () => ({}) } },
        }),
      },
    })
    const { store, lease } = await openTest(new IDBFactory(), shape)
    await expect(store.commit(lease, [page(put(1, 1))], session)).rejects.toMatchObject({ code: 'schema_async' })
  })

  it('a validator or key function that throws costs its item, not the page (I8)', async () => {
    const fail = (): never => {
      throw new Error('bug in the app')
    }
    const shape = defineSchema({
      version: 1,
      collections: {
        thing: collection<Thing>({ validate: { '~standard': { version: 1, vendor: 't', validate: fail } } }),
        other: collection<Thing>({ key: fail }),
      },
    })
    const { store, receive } = await openTest(new IDBFactory(), shape)
    await receive([put(1, 1), item({ type: 'other', id: 2 })])
    expect((await store.quarantine.list(9)).items.map(({ reason }) => reason).sort()).toEqual([
      'has no usable key',
      'made the validator throw: bug in the app',
    ])
  })

  it('rows are stored as received, whatever the validator would make of them (R29)', async () => {
    const { receive, find } = await openTest(new IDBFactory(), checked)
    await receive([put(1, 1, { n: 1, unknown: { to: 'zod' } })])
    expect(await find()).toEqual([{ id: 1, n: 1, unknown: { to: 'zod' } }])
  })
})

describe('acks and history', () => {
  it('ack keys wait on the disk until they are dropped, over restarts (ACK-6, I9)', async () => {
    const factory = new IDBFactory()
    const first = await openTest(factory)
    await first.receive([put(1, 1)], [put(2, 1)])
    first.store.close()
    const { store, lease } = await openTest(factory)
    const [one, two] = await store.pendingAcks()
    expect([one?.keys, two?.keys]).toEqual([['thing-1-1'], ['thing-2-1']])
    await store.dropAcks(lease, one?.n ?? -1, [])
    expect((await store.pendingAcks()).map(({ keys }) => keys)).toEqual([['thing-2-1']])
  })

  it('keys of another device are never handed out for sending (R23)', async () => {
    const factory = new IDBFactory()
    const { store, receive } = await openTest(factory)
    await receive([put(1, 1)])
    await withDatabase(factory, schema, async ({ acks }) => {
      await acks.add({ device: 'somebody else', keys: ['theirs'] })
    })
    expect((await store.pendingAcks()).flatMap(({ keys }) => keys)).toEqual(['thing-1-1'])
  })

  it('the history keeps the last hundred sessions, newest first (I23)', async () => {
    const { store, lease } = await openTest()
    for (let at = 1; at <= 103; at++)
      await store.addHistory(lease, {
        startedAt: at,
        endedAt: at,
        outcome: 'clean',
        pages: 0,
        items: 0,
        acked: 0,
        error: null,
      })
    const history = await store.history()
    expect(history).toHaveLength(100)
    expect([history[0]?.startedAt, history[99]?.startedAt]).toEqual([103, 4])
  })
})

describe('the device', () => {
  it('gets its UUID once, with the data, and keeps it over restarts (FAQ-1.2, FAQ-1.3, DEV-3, I17)', async () => {
    const factory = new IDBFactory()
    const first = await openTest(factory)
    const { device } = await first.store.device.identity()
    expect(device).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    first.store.close()
    expect((await (await openTest(factory)).store.device.identity()).device).toBe(device)
    expect((await (await openTest()).store.device.identity()).device).not.toBe(device)
  })

  it('is one however many tabs open first at once (I17, F25)', async () => {
    const factory = new IDBFactory()
    const tabs = await Promise.all(Array.from({ length: 8 }, () => openTest(factory, schema, false)))
    const devices = await Promise.all(tabs.map(async ({ store }) => (await store.device.identity()).device))
    expect(new Set(devices).size).toBe(1)
  })

  it('has a new UUID when its database was deleted (FAQ-1.3, DEV-5)', async () => {
    const factory = new IDBFactory()
    const first = await openTest(factory)
    const { device } = await first.store.device.identity()
    first.store.close()
    await new Promise((resolve) => {
      factory.deleteDatabase('test').onsuccess = resolve
    })
    expect((await (await openTest(factory)).store.device.identity()).device).not.toBe(device)
  })
})

describe('a wipe', () => {
  it('clears every store but the outbox in one transaction and begins a new generation; the sequence goes on (R23, DEV-2)', async () => {
    const factory = new IDBFactory()
    const { store, lease, receive, settleAll, ids } = await openTest(factory, checked)
    await receive([put(1, 1), put(2, 1, { n: 'bad' })], [del(3, 1)])
    await settleAll()
    await receive([put(4, 1)])
    await store.device.updateSync(lease, { started: 7, clean: 7, lastSyncedAt: 5, stuck: 1 })
    await store.device.setServer(lease, { account: 'acme', serverEpoch: 'one' })
    await store.device.setPaused(true)
    const before = await store.device.identity()
    const events: StoreEvent[] = []
    store.subscribe((event) => void events.push(event))
    const next = await store.wipe(lease)
    const after = await store.device.identity()
    expect(after.device).not.toBe(before.device)
    expect(next).toEqual({ device: after.device, epoch: lease.epoch })
    expect(after).toMatchObject({ account: null, serverEpoch: null })
    expect(await store.device.session()).toBeNull()
    expect(await store.device.sync()).toMatchObject({ lastSyncedAt: null, clean: 0, stuck: 0, paused: true })
    expect(events).toEqual([{ kind: 'reset' }, { kind: 'outbox' }])
    expect(await readDisk(factory, checked)).toEqual({ inbox: [], tombstones: [], quarantine: [], rows: [], acks: [] })
    expect(store.counts()).toMatchObject({ pages: 0, empty: true, head: 3, mark: 3 })
    expect(await ids()).toEqual([])
    await store.commit(next, [page(put(1, 1))], session)
    expect(store.counts()).toMatchObject({ head: 4, empty: false })
    expect(await ids()).toEqual(['1'])
  })

  it('on a full disk changes nothing (F31, promise 4)', async () => {
    const factory = new IDBFactory()
    const tracked = trackTransactions(factory)
    const { store, lease, receive } = await openTest(tracked.factory)
    await receive([put(1, 1)])
    const wiping = store.wipe(lease).catch((error: unknown) => error)
    for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
    tracked.crash()
    await Promise.race([wiping, new Promise((resolve) => setImmediate(resolve))])
    const again = await openTest(factory)
    expect(await again.ids()).toEqual(['1'])
    expect((await again.store.device.identity()).device).toBe(lease.device)
  })
})

describe('two tabs on one database', () => {
  it('the one that follows sees pages after follow(), is told what changed, and no settling wakes it (R25)', async () => {
    const factory = new IDBFactory()
    const leader = await openTest(factory)
    const follower = await openTest(factory, schema, false)
    const events: StoreEvent[] = []
    follower.store.subscribe((event) => void events.push(event))
    await leader.receive([put(1, 1), item({ type: 'other', id: 7 })])
    await follower.store.follow()
    expect(events).toMatchObject([{ kind: 'changes', changes: [{ type: 'thing', id: '1', row: { id: 1 } }] }])
    expect(await follower.ids()).toEqual(['1'])
    await leader.settleAll()
    events.length = 0
    await follower.store.follow()
    expect(events).toEqual([{ kind: 'settled' }])
    expect(follower.store.counts()).toMatchObject({ pages: 0, mark: 1 })
    events.length = 0
    await follower.store.follow()
    expect(events).toEqual([])
  })

  it('pages settled unseen make the follower look at everything again (R25)', async () => {
    const factory = new IDBFactory()
    const leader = await openTest(factory)
    const follower = await openTest(factory, schema, false)
    const events: StoreEvent[] = []
    follower.store.subscribe((event) => void events.push(event))
    await leader.receive([put(1, 1)])
    await leader.settleAll()
    await leader.receive([put(2, 1)])
    await follower.store.follow()
    expect(events.map(({ kind }) => kind)).toEqual(['reset', 'settled'])
    expect(await follower.ids()).toEqual(['1', '2'])
  })

  it('a query of a tab that fell behind catches up first, in every form (R2)', async () => {
    const factory = new IDBFactory()
    const leader = await openTest(factory)
    const tabs = await Promise.all([1, 2, 3].map(() => openTest(factory, schema, false)))
    await leader.receive([put(1, 1, { n: 1 }), put(2, 1, { n: 1 })])
    for (const { store } of tabs) await store.follow()
    await leader.receive([put(1, 2, { n: 2 }), put(2, 2, { n: 2 })], [put(1, 3, { n: 3 })])
    await leader.store.settleNext(leader.lease)
    await leader.store.settleNext(leader.lease)
    const [one, two, three] = tabs.map(({ store }) => store)
    expect((await one?.find(compileQuery(whole, one.specOf('thing'))))?.map(({ row }) => row['n'])).toEqual([3, 2])
    expect(await two?.get('thing', ['1', '2'])).toEqual([
      { id: 1, n: 3 },
      { id: 2, n: 2 },
    ])
    expect(await three?.count(compileQuery({ ...whole, where: { n: { gte: 2 } } }, three.specOf('thing')))).toBe(2)
  })

  it('a wipe by one tab is a reset for the other, whose old pages count for nothing (R23, R25)', async () => {
    const factory = new IDBFactory()
    const leader = await openTest(factory)
    const follower = await openTest(factory, schema, false)
    await leader.receive([put(1, 1)], [put(2, 1)])
    await follower.store.follow()
    const next = await leader.store.wipe(leader.lease)
    expect(await follower.ids()).toEqual([])
    await leader.store.commit(next, [page(put(3, 1))], session)
    await follower.store.follow()
    expect(await follower.ids()).toEqual(['3'])
    expect(follower.store.counts()).toMatchObject({ pages: 1, records: 1 })
  })

  it('follow() called at any time, by many at once, ends in the same state', async () => {
    const factory = new IDBFactory()
    const leader = await openTest(factory)
    const follower = await openTest(factory, schema, false)
    const follows: Array<Promise<void>> = []
    for (let at = 1; at <= 10; at++) {
      follows.push(follower.store.follow())
      await leader.receive([put(at, 1)])
      if (at % 3 === 0) await leader.store.settleNext(leader.lease)
      follows.push(follower.store.follow(), follower.store.follow())
    }
    await Promise.all([...follows, follower.store.follow()])
    expect(await follower.ids()).toEqual(await leader.ids())
    const { oldestAt: _mine, ...counts } = follower.store.counts()
    expect(leader.store.counts()).toMatchObject(counts)
  })
})

describe('storage that goes away', () => {
  it('a database deleted by another tab closes the store with a code, and nothing hangs (F32, I20, R6)', async () => {
    const factory = new IDBFactory()
    const { store, lease, receive } = await openTest(factory)
    await receive([put(1, 1)])
    const events: StoreEvent[] = []
    store.subscribe((event) => void events.push(event))
    await new Promise((resolve) => {
      factory.deleteDatabase('test').onsuccess = resolve
    })
    expect(events).toMatchObject([{ kind: 'closed', error: { code: 'storage_closed' } }])
    const gone = { name: 'SyncError', code: 'storage_closed' }
    await expect(store.commit(lease, [page(put(2, 1))], session)).rejects.toMatchObject(gone)
    await expect(store.find(compileQuery(whole, store.specOf('thing')))).rejects.toMatchObject(gone)
    await expect(store.get('thing', ['1'])).rejects.toMatchObject(gone)
    await expect(store.follow()).rejects.toMatchObject(gone)
    await expect(store.device.identity()).rejects.toMatchObject(gone)
    expect(await factory.databases()).toEqual([])
  })

  it('close() is quiet, and what is asked afterwards is storage_closed (I20)', async () => {
    const { store } = await openTest()
    const events: StoreEvent[] = []
    store.subscribe((event) => void events.push(event))
    store.close()
    expect(events).toEqual([])
    await expect(store.get('thing', ['1'])).rejects.toMatchObject({ code: 'storage_closed' })
  })

  it('no IndexedDB at all is storage_unavailable (R41)', async () => {
    const deps = { clock: systemClock, random: systemRandom, indexedDB: undefined, IDBKeyRange }
    await expect(openStore('test', schema, deps)).rejects.toMatchObject({
      name: 'SyncError',
      code: 'storage_unavailable',
    })
  })

  it('a failing open is an error with a code, and leaves nothing open (F37, I20)', async () => {
    const factory = new IDBFactory()
    const failing = new Proxy(factory, {
      get: (_, name) => {
        if (name === 'open')
          return () => {
            throw new DOMException('not here', 'SecurityError')
          }
        const value: unknown = Reflect.get(factory, name)
        return value
      },
    })
    await expect(
      openDatabase('test', schema, { indexedDB: failing, IDBKeyRange }, () => undefined),
    ).rejects.toMatchObject({ code: 'storage_unavailable' })
  })
})
