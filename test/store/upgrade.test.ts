/** Schema steps (R30, R31, I19): what is stored is keyed, indexed and checked anew, and no build writes what it does not know. */
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { collection, defineSchema, type CollectionOptions, type Row, type Schema } from '../../src/schema.ts'
import type { StoreEvent } from '../../src/store/store.ts'
import { trackTransactions } from '../support/device.ts'
import {
  closeAll,
  createSmallDisk,
  del,
  item,
  openTest,
  page,
  put,
  readDisk,
  session,
  withDatabase,
} from './support.ts'

// Dexie warns of what is done to it here on purpose.
beforeEach(() => void vi.spyOn(console, 'warn').mockReturnValue(undefined))
afterEach(() => {
  vi.restoreAllMocks()
  closeAll()
})

const shape = (
  version: number,
  options: CollectionOptions<Row> = {},
  more: Readonly<Record<string, CollectionOptions<Row>>> = {},
): Schema =>
  defineSchema({
    version,
    collections: {
      thing: collection<Row>(options),
      ...Object.fromEntries(Object.entries(more).map(([name, one]) => [name, collection<Row>(one)])),
    },
  })
const positive: NonNullable<CollectionOptions<Row>['validate']> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => (((value as Row)['n'] as number) < 0 ? { issues: [{ message: 'negative' }] } : {}),
  },
}
const other = (id: number, rev: number, event = 'updated'): unknown =>
  item({ type: 'other', id, rev, event, data: { id, n: rev } })

/** A database of an older build: settled rows 1 to 3, unsettled 3 to 5, and things of a type it did not know. */
async function olderBuild(schema: Schema = shape(1)): Promise<IDBFactory> {
  const factory = new IDBFactory()
  const { store, receive, settleAll } = await openTest(factory, schema)
  await receive([put(1, 1, { n: 5 }), put(2, 1, { n: 5, code: 'b' }), put(3, 1, { n: 7 }), other(8, 1)])
  await settleAll()
  await receive([put(3, 2, { n: 5, code: 'c' }), put(4, 1, { n: -1 }), put(5, 1, { n: 5 }), other(9, 1)], [del(5, 2)])
  store.close()
  return factory
}

describe('a new schema version', () => {
  it('a new index finds rows that were settled before it, and unsettled ones (R30)', async () => {
    const factory = await olderBuild()
    const before = await readDisk(factory, shape(1))
    const upgraded = await openTest(factory, shape(2, { indexes: ['n'] }))
    expect(await upgraded.ids({ where: { n: 5 }, order: { field: 'n', dir: 'asc' } })).toEqual(['1', '2', '3'])
    await upgraded.settleAll()
    expect(await upgraded.ids({ where: { n: 5 }, order: { field: 'n', dir: 'asc' } })).toEqual(['1', '2', '3'])
    expect((await upgraded.store.pendingAcks()).flatMap(({ keys }) => keys)).toEqual(before.acks)
    expect((await upgraded.store.device.identity()).device).toBeTruthy()
  })

  it('keeps device, session, proof and history: nothing is downloaded again (R23, R30)', async () => {
    const factory = await olderBuild()
    const first = await openTest(factory, shape(1))
    await first.store.device.updateSync(first.lease, { lastSyncedAt: 7, clean: 3, started: 4 })
    const [identity, sync, kept] = [
      await first.store.device.identity(),
      await first.store.device.sync(),
      await first.store.device.session(),
    ]
    first.store.close()
    const { store } = await openTest(factory, shape(2, { indexes: ['n'] }), false)
    expect(await store.device.identity()).toMatchObject({
      device: identity.device,
      epoch: identity.epoch,
      schemaVersion: 2,
    })
    expect([await store.device.sync(), await store.device.session()]).toEqual([sync, kept])
  })

  it('a new collection is filled from quarantine, since the server will not send its objects again (R30, R31, ITEM-6)', async () => {
    const factory = await olderBuild()
    const upgraded = await openTest(factory, shape(2, {}, { other: { indexes: ['n'] } }))
    const find = () => upgraded.ids({ collection: 'other', where: { n: 1 } })
    expect(await find()).toEqual(['8', '9'])
    expect(await upgraded.store.quarantine.count()).toBe(0)
    await upgraded.settleAll()
    expect(await find()).toEqual(['8', '9'])
    expect(await upgraded.store.quarantine.list(9)).toEqual({ count: 0, items: [] })
  })

  it('a collection that is gone goes to quarantine, and is there again when it comes back (R30)', async () => {
    const factory = new IDBFactory()
    const first = await openTest(factory, shape(1, {}, { other: {} }))
    await first.receive([other(8, 3), put(1, 1)])
    await first.settleAll()
    first.store.close()
    const without = await openTest(factory, shape(2))
    expect(await without.ids()).toEqual(['1'])
    expect((await without.store.quarantine.list(9)).items).toMatchObject([{ type: 'other', id: '8', revision: 3 }])
    without.store.close()
    const again = await openTest(factory, shape(3, {}, { other: {} }))
    expect(await again.find({ collection: 'other' })).toEqual([{ id: 8, n: 3 }])
    expect(await again.store.quarantine.count()).toBe(0)
    await again.receive([other(8, 2)])
    expect(await again.find({ collection: 'other' })).toEqual([{ id: 8, n: 3 }])
  })

  it('a stricter validator moves settled and unsettled rows to quarantine, a laxer one brings them back (R30, R31)', async () => {
    const factory = await olderBuild()
    const strict = await openTest(factory, shape(2, { validate: positive }))
    await strict.receive([put(6, 1, { n: -6 })])
    await strict.settleAll()
    expect(await strict.ids()).toEqual(['1', '2', '3'])
    expect((await strict.store.quarantine.list(9)).items.map(({ id }) => id).sort()).toEqual(['4', '6', '8', '9'])
    strict.store.close()
    const lax = await openTest(factory, shape(3))
    expect(await lax.ids()).toEqual(['1', '2', '3', '4', '6'])
    expect((await lax.store.quarantine.list(9)).items.map(({ type }) => type)).toEqual(['other', 'other'])
  })

  it('another key names rows anew; what has no such key goes to quarantine (R30)', async () => {
    const factory = await olderBuild()
    const upgraded = await openTest(factory, shape(2, { key: 'code' }))
    expect((await upgraded.find()).map((row) => row['code'])).toEqual(['b', 'c'])
    expect(await upgraded.store.get('thing', ['c'])).toEqual([{ id: 3, n: 5, code: 'c' }])
    expect((await upgraded.store.quarantine.list(9)).items.map(({ id }) => id).sort()).toEqual([
      '1',
      '3',
      '4',
      '8',
      '9',
    ])
  })

  it('a deletion that waited in quarantine deletes: nothing comes back (R30, R31, F14)', async () => {
    const link = (rev: number, event: string) =>
      item({ type: 'link', rev, event, data: { a: 1, b: 2 }, ackKey: `k${rev}` })
    const younger = shape(2, {}, { link: { key: ['a', 'b'] } })
    for (const settled of [1, 2, 3]) {
      const factory = new IDBFactory()
      const first = await openTest(factory, shape(1))
      for (const one of [link(1, 'created'), link(2, 'updated'), link(3, 'deleted')].slice(0, settled))
        await first.receive([one])
      await first.settleAll()
      for (const one of [link(1, 'created'), link(2, 'updated'), link(3, 'deleted')].slice(settled))
        await first.receive([one])
      first.store.close()
      const { store, find, lease, settleAll } = await openTest(factory, younger)
      expect(await find({ collection: 'link' })).toEqual([])
      await settleAll()
      expect(await find({ collection: 'link' })).toEqual([])
      expect(await store.quarantine.count()).toBe(0)
      expect(await store.commit(lease, [page(link(2, 'updated'))], session)).toMatchObject({ accepted: 0 })
    }
  })

  it('an unsettled deletion deletes the record under its new key; without one, under its old name (R30)', async () => {
    const factory = new IDBFactory()
    const first = await openTest(factory, shape(1))
    await first.receive([put(1, 1, { code: 'x' }), put(2, 1, { code: 'y' }), put(3, 1)])
    await first.settleAll()
    await first.receive([item({ id: 1, rev: 2, event: 'deleted', data: { id: 1, code: 'x' } }), del(3, 2)])
    first.store.close()
    const { store, find, settleAll } = await openTest(factory, shape(2, { key: 'code' }))
    for (const settled of [false, true]) {
      if (settled) await settleAll()
      expect(await find()).toEqual([{ id: 2, code: 'y' }])
      expect(await store.quarantine.count()).toBe(0)
    }
  })

  it('keeps what is known of deleted records, and when an item went to quarantine (R5, R31)', async () => {
    const factory = new IDBFactory()
    const first = await openTest(factory, shape(1))
    await first.store.device.updateSync(first.lease, { started: 7 })
    await first.receive([put(1, 1), other(8, 1)], [del(1, 2)])
    await first.settleAll()
    first.store.close()
    const before = await readDisk(factory, shape(1))
    expect(before.tombstones).toEqual([{ type: 'thing', id: '1', rev: 2, run: 7 }])
    const { store, lease } = await openTest(factory, shape(2, { indexes: ['n'] }))
    expect(await readDisk(factory, shape(2, { indexes: ['n'] }))).toMatchObject({
      tombstones: before.tombstones,
      quarantine: before.quarantine,
    })
    expect(await store.commit(lease, [page(put(1, 1))], session)).toMatchObject({ accepted: 0 })
  })

  it('carries every row over, however many slices it writes (R30)', async () => {
    const factory = new IDBFactory()
    const first = await openTest(factory, shape(1))
    const count = 1_201
    await first.receive(Array.from({ length: count }, (_, at) => put(at + 1, 1, { n: at })))
    await first.settleAll()
    first.store.close()
    const { ids, store } = await openTest(factory, shape(2, { indexes: ['n'] }))
    expect(await ids({ where: { n: { gte: count - 2 } } })).toEqual(['1200', '1201'])
    expect(await store.settledCount()).toBe(count)
  })

  it('killed half-way leaves the old version as it was (F36, promise 4)', async () => {
    for (const turns of [6, 12, 18, 24]) {
      const factory = await olderBuild()
      const before = await readDisk(factory, shape(1))
      const tracked = trackTransactions(factory)
      const opening = openTest(tracked.factory, shape(2, { indexes: ['n'] })).catch(() => undefined)
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
      tracked.crash()
      await Promise.race([opening, new Promise((resolve) => setImmediate(resolve))])
      const again = await openTest(factory, shape(2, { indexes: ['n'] }))
      expect(await again.ids({ where: { n: 5 } })).toEqual(['1', '2', '3'])
      expect((await again.store.pendingAcks()).flatMap(({ keys }) => keys)).toEqual(before.acks)
      closeAll()
    }
  })

  it('on a full disk is storage_full, and works when there is room again (F31, F36)', async () => {
    const disk = createSmallDisk(await olderBuild())
    disk.full = true
    await expect(openTest(disk.factory, shape(2, { indexes: ['n'] }))).rejects.toMatchObject({ code: 'storage_full' })
    disk.full = false
    const again = await openTest(disk.factory, shape(2, { indexes: ['n'] }))
    expect(await again.ids({ where: { n: 5 } })).toEqual(['1', '2', '3'])
  })

  it('takes the database from an open tab of the old build, which says so (F35, R6)', async () => {
    const factory = new IDBFactory()
    const old = await openTest(factory, shape(1))
    const events: StoreEvent[] = []
    old.store.subscribe((event) => void events.push(event))
    const young = await openTest(factory, shape(2, { indexes: ['n'] }))
    expect(events).toMatchObject([{ kind: 'closed', error: { code: 'storage_closed' } }])
    await expect(old.store.commit(old.lease, [page(put(1, 1))], session)).rejects.toMatchObject({
      code: 'storage_closed',
    })
    await young.receive([put(1, 1)])
    expect(await young.ids()).toEqual(['1'])
  })
})

describe('a build that does not fit the data', () => {
  it('an older one is told to reload and changes nothing (I19, F35)', async () => {
    const factory = await olderBuild(shape(2, { indexes: ['n'] }))
    const before = await readDisk(factory, shape(2, { indexes: ['n'] }))
    await expect(openTest(factory, shape(1))).rejects.toMatchObject({ name: 'SyncError', code: 'schema_outdated' })
    expect(await readDisk(factory, shape(2, { indexes: ['n'] }))).toEqual(before)
  })

  it('one of the same version with other indexes, keys or collections is a conflict, and changes nothing (R30)', async () => {
    for (const wrong of [shape(1, { indexes: ['n'] }), shape(1, {}, { other: {} }), shape(1, { key: 'code' })]) {
      const factory = await olderBuild()
      const before = await readDisk(factory, shape(1))
      await expect(openTest(factory, wrong)).rejects.toMatchObject({ name: 'SyncError', code: 'schema_conflict' })
      const { store, ids } = await openTest(factory, shape(1))
      expect(await ids()).toEqual(['1', '2', '3', '4'])
      store.close()
      expect(await readDisk(factory, shape(1))).toEqual(before)
    }
  })

  it('does not close the tabs of the right build (R30)', async () => {
    const factory = new IDBFactory()
    const right = await openTest(factory, shape(1))
    const events: StoreEvent[] = []
    right.store.subscribe((event) => void events.push(event))
    await expect(openTest(factory, shape(1, { indexes: ['n'] }))).rejects.toMatchObject({ code: 'schema_conflict' })
    await right.receive([put(1, 1)])
    expect(events.map(({ kind }) => kind)).toEqual(['changes'])
  })

  it('refuses to take the lead when the schema changed under it (R24, R30)', async () => {
    const factory = new IDBFactory()
    const { store } = await openTest(factory, shape(1))
    await withDatabase(factory, shape(1), async ({ meta }) => {
      await meta.update('identity', { schemaVersion: 2, schemaHash: '2:x' } as object)
    })
    await expect(store.device.takeEpoch()).rejects.toMatchObject({ code: 'schema_outdated' })
  })
})
