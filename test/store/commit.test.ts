/** The page commit (promises 1, 4 and 5): one transaction for pages, ack keys and session, or nothing at all. */
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, describe, expect, it } from 'vitest'
import { collection, defineSchema } from '../../src/schema.ts'
import {
  closeAll,
  countTransactions,
  createSmallDisk,
  del,
  item,
  openTest,
  page,
  put,
  readDisk,
  schema,
  session,
  withDatabase,
} from './support.ts'
import { trackTransactions } from '../support/device.ts'

afterEach(closeAll)

describe('a commit', () => {
  it('puts pages, ack keys and session on the disk together (promise 1, I6)', async () => {
    const factory = new IDBFactory()
    const { store, lease, ids } = await openTest(factory)
    const committed = await store.commit(lease, [page(put(1, 1), put(2, 1)), page(put(3, 1))], {
      ...session,
      dirty: true,
      done: 3,
    })
    expect(committed).toMatchObject({ accepted: 3, unackable: 0, quarantined: 0, divergent: 0 })
    expect(committed.acks?.keys).toEqual(['thing-1-1', 'thing-2-1', 'thing-3-1'])
    expect(await readDisk(factory)).toMatchObject({
      inbox: [
        { seq: 1, count: 2 },
        { seq: 2, count: 1 },
      ],
      acks: committed.acks?.keys,
      rows: [],
    })
    expect(await store.device.session()).toEqual({ ...session, dirty: true, done: 3 })
    expect(await ids()).toEqual(['1', '2', '3'])
  })

  it('killed at any step leaves whole pages with their keys, or nothing (promise 4, I1, F19)', async () => {
    let whole = 0
    for (let step = 1; step <= 14; step++) {
      const factory = new IDBFactory()
      const { store: first } = await openTest(factory)
      first.close()
      const tracked = trackTransactions(factory)
      const { store, lease } = await openTest(tracked.factory)
      const commit = store.commit(lease, [page(put(1, 1), put(2, 1)), page(put(3, 1))], session).then(
        () => true,
        () => false,
      )
      for (let turn = 0; turn < step; turn++) await new Promise((resolve) => setImmediate(resolve))
      tracked.crash()
      const resolved = await Promise.race([commit, new Promise((resolve) => setImmediate(() => resolve(null)))])
      const { inbox, acks } = await readDisk(factory)
      expect([0, 2]).toContain(inbox.length)
      expect(acks).toHaveLength(inbox.length === 0 ? 0 : 3)
      if (resolved === true) expect(inbox).toHaveLength(2)
      whole += inbox.length === 2 ? 1 : 0
    }
    // Both outcomes were met, so the steps did fall on either side of the commit.
    expect(whole).toBeGreaterThan(0)
    expect(whole).toBeLessThan(14)
  })

  it('cuts a large page into rows of at most 100 records, committed together (R1, R3)', async () => {
    const factory = new IDBFactory()
    const { store, lease } = await openTest(factory)
    await store.commit(lease, [page(...Array.from({ length: 250 }, (_, at) => put(at + 1, 1)))], session)
    expect((await readDisk(factory)).inbox.map(({ count }) => count)).toEqual([100, 100, 50])
    expect(store.counts()).toMatchObject({ pages: 3, records: 250, head: 3, mark: 0, empty: false })
  })

  it('writes strictly what an ack depends on, and settles relaxed (R6)', async () => {
    const { factory, durabilities } = watchDurability(new IDBFactory())
    const { store, lease, receive } = await openTest(factory)
    durabilities.length = 0
    await receive([put(1, 1)])
    expect(durabilities).toEqual(['strict'])
    await store.settleNext(lease)
    expect(durabilities).toEqual(['strict', 'relaxed'])
    await store.device.setPaused(true)
    expect(durabilities).toEqual(['strict', 'relaxed', 'strict'])
  })

  it('does nothing on a full disk, says storage_full, and works again when there is room (F31, promise 4)', async () => {
    const disk = createSmallDisk(new IDBFactory())
    const { store, lease, receive, ids } = await openTest(disk.factory)
    await receive([put(1, 1)])
    disk.full = true
    await expect(store.commit(lease, [page(put(2, 1))], session)).rejects.toMatchObject({
      name: 'SyncError',
      code: 'storage_full',
    })
    expect(await ids()).toEqual(['1'])
    await expect(store.settleNext(lease)).rejects.toMatchObject({ code: 'storage_full' })
    expect(await ids()).toEqual(['1'])
    disk.full = false
    await receive([put(2, 1)])
    expect(await ids()).toEqual(['1', '2'])
    expect((await store.pendingAcks()).flatMap(({ keys }) => keys)).toEqual(['thing-1-1', 'thing-2-1'])
  })
})

describe('revisions in a commit', () => {
  it('the higher one wins, whatever comes later; every key is acknowledged all the same (ITEM-5, I4, F14, R7)', async () => {
    const { store, lease, receive, find, settleAll } = await openTest()
    await receive([put(1, 5, { n: 5 })])
    for (const settled of [false, true]) {
      if (settled) await settleAll()
      const committed = await store.commit(lease, [page(put(1, 4, { n: 4 }), put(1, 5, { n: 5 }), del(1, 3))], session)
      expect(committed).toMatchObject({ accepted: 0, divergent: 0, rows: [] })
      expect(committed.acks?.keys).toHaveLength(3)
      expect(await find()).toEqual([{ id: 1, n: 5 }])
    }
  })

  it('what is settled between looking a page up and storing it still counts (R7, I4)', async () => {
    const { store, lease, receive, settleAll, find } = await openTest()
    await receive([put(1, 5, { n: 5 })])
    const late = page(put(1, 4, { n: 4 }))
    store.prepare(late)
    await settleAll()
    expect(await store.commit(lease, [late], session)).toMatchObject({ accepted: 0 })
    expect(await find()).toEqual([{ id: 1, n: 5 }])
  })

  it('an equal revision with another body changes nothing and is counted (R7, F14)', async () => {
    const { store, lease, receive, find, settleAll } = await openTest()
    await receive([put(1, 5, { n: 5 })])
    for (const settled of [false, true]) {
      if (settled) await settleAll()
      expect(await store.commit(lease, [page(put(1, 5, { n: 6 }))], session)).toMatchObject({
        accepted: 0,
        divergent: 1,
      })
      expect(await find()).toEqual([{ id: 1, n: 5 }])
    }
  })

  it('only another body is divergent: not another order of fields, nor another ack key (R7, F14)', async () => {
    const { store, lease, settleAll } = await openTest()
    const key = (ackKey: string) => [
      item({
        id: 1,
        rev: 1,
        ackKey,
        data: ackKey === 'a' ? { id: 1, n: [{ a: 1, b: 2 }] } : { n: [{ b: 2, a: 1 }], id: 1 },
      }),
      item({ id: 2, rev: 1, ackKey, event: 'deleted', data: ackKey === 'a' ? { id: 2, n: 1 } : { id: 2 } }),
      item({ id: 3, rev: 1, ackKey, type: 'unknown' }),
    ]
    const commit = (...raw: unknown[]) => store.commit(lease, [page(...raw)], session)
    expect(await commit(...key('a'))).toMatchObject({ accepted: 3, divergent: 0 })
    const others = [
      put(1, 1, { n: [{ a: 1, b: 3 }] }),
      put(2, 1),
      item({ id: 3, rev: 1, type: 'unknown', data: { id: 3, n: 1 } }),
    ]
    for (const settled of [false, true]) {
      if (settled) await settleAll()
      expect(await commit(...key('b'))).toMatchObject({ accepted: 0, divergent: 0 })
      expect(await commit(...others)).toMatchObject({ accepted: 0, divergent: 3 })
      expect(await commit(del(1, 1))).toMatchObject({ accepted: 0, divergent: 1 })
    }
    expect(await commit(put(9, 1), put(9, 1), put(9, 1, { n: 1 }))).toMatchObject({ accepted: 1, divergent: 1 })
  })

  it('a newer version replaces the whole record, fields and all (ITEM-1, ITEM-2)', async () => {
    const { receive, find, settleAll } = await openTest()
    await receive([put(1, 1, { name: 'a', n: 1 })], [put(1, 2, { name: 'b' })])
    expect(await find()).toEqual([{ id: 1, name: 'b' }])
    await settleAll()
    expect(await find()).toEqual([{ id: 1, name: 'b' }])
  })

  it('created for a known record and updated for an unknown one are both upserts (FAQ-5.0, FAQ-5.1, F15)', async () => {
    const { receive, find, settleAll } = await openTest()
    await receive(
      [item({ id: 1, rev: 1, event: 'updated', data: { id: 1, n: 1 } })],
      [item({ id: 1, rev: 2, event: 'created', data: { id: 1, n: 2 } })],
    )
    await settleAll()
    await receive([item({ id: '1', rev: 3, event: 'created', data: { id: '1', n: 3 } })])
    expect(await find()).toEqual([{ id: '1', n: 3 }])
  })

  it('a delete of the unknown changes no record and is acknowledged, once as well as twice (FAQ-4.2, FAQ-4.4, I7, F15)', async () => {
    const { store, receive, ids, settleAll } = await openTest()
    await receive([put(1, 1)], [del(9, 4)], [del(9, 4), del(9, 5)])
    await settleAll()
    await receive([del(9, 5)])
    expect(await ids()).toEqual(['1'])
    expect((await store.pendingAcks()).flatMap(({ keys }) => keys)).toEqual([
      'thing-1-1',
      'thing-9-4',
      'thing-9-4',
      'thing-9-5',
      'thing-9-5',
    ])
  })

  it('1 and "1" are one record, in every store (ITEM-7)', async () => {
    const { store, receive, find, settleAll } = await openTest()
    await receive([put('1', 1, { n: 1 })])
    await settleAll()
    await receive([put(1, 2, { n: 2 })])
    expect(await find()).toEqual([{ id: 1, n: 2 }])
    await receive([del('1', 3)])
    expect(await store.get('thing', ['1'])).toEqual([undefined])
  })
})

describe('a commit is refused', () => {
  it('after another tab took over, and nothing of it is stored (R24, I16)', async () => {
    const factory = new IDBFactory()
    const { store, lease, ids } = await openTest(factory)
    await openTest(factory)
    const before = await readDisk(factory)
    const fenced = { name: 'SyncError', code: 'fenced' }
    await expect(store.commit(lease, [page(put(1, 1))], session)).rejects.toMatchObject(fenced)
    await expect(store.dropAcks(lease, 1, [])).rejects.toMatchObject(fenced)
    await expect(
      store.addHistory(lease, {
        startedAt: 1,
        endedAt: 2,
        outcome: 'clean',
        pages: 0,
        items: 0,
        acked: 0,
        error: null,
      }),
    ).rejects.toMatchObject(fenced)
    await expect(store.proved(lease, 1)).rejects.toMatchObject(fenced)
    await expect(store.device.setSession(lease, session)).rejects.toMatchObject(fenced)
    await expect(store.device.updateSync(lease, { clean: 1 })).rejects.toMatchObject(fenced)
    await expect(store.device.setServer(lease, { account: 'a' })).rejects.toMatchObject(fenced)
    await expect(store.wipe(lease)).rejects.toMatchObject(fenced)
    expect(await readDisk(factory)).toEqual(before)
    expect(await ids()).toEqual([])
  })

  it('a settle of a fenced leader moves nothing (R24, I16)', async () => {
    const factory = new IDBFactory()
    const { store, lease, receive } = await openTest(factory)
    await receive([put(1, 1)])
    await openTest(factory)
    await expect(store.settleNext(lease)).rejects.toMatchObject({ code: 'fenced' })
    expect(await readDisk(factory)).toMatchObject({ inbox: [{ seq: 1 }], rows: [] })
  })

  it('after the data was replaced, so that nothing old gets in and no old key goes out (R23)', async () => {
    const factory = new IDBFactory()
    const { store, lease, receive } = await openTest(factory)
    await receive([put(1, 1)])
    const other = await openTest(factory)
    const fresh = await other.store.wipe(other.lease)
    await expect(store.commit({ ...lease, epoch: fresh.epoch }, [page(put(2, 1))], session)).rejects.toMatchObject({
      code: 'generation_changed',
    })
    expect(await readDisk(factory)).toMatchObject({ inbox: [], acks: [] })
  })

  it('when the stored schema is newer, or another of the same version (R30, I19, F35)', async () => {
    const factory = new IDBFactory()
    const { store, lease } = await openTest(factory)
    const change = (schemaVersion: number, schemaHash: string): Promise<void> =>
      withDatabase(factory, schema, async ({ meta }) => {
        await meta.update('identity', { schemaVersion, schemaHash } as object)
      })
    await change(2, '2:x')
    await expect(store.commit(lease, [page(put(1, 1))], session)).rejects.toMatchObject({ code: 'schema_outdated' })
    await change(1, '1:other')
    await expect(store.commit(lease, [page(put(1, 1))], session)).rejects.toMatchObject({ code: 'schema_conflict' })
    expect((await readDisk(factory)).inbox).toEqual([])
  })

  it('when the database vanished, as a state with a code (F32, F33, I20)', async () => {
    const factory = new IDBFactory()
    const { store, lease } = await openTest(factory)
    await withDatabase(factory, schema, ({ meta }) => meta.clear())
    await expect(store.commit(lease, [page(put(1, 1))], session)).rejects.toMatchObject({ code: 'storage_closed' })
  })
})

describe('hostile and odd data', () => {
  it('names such as __proto__ are data, in memory, in the inbox and in the tables (R37, I22, F44)', async () => {
    const factory = new IDBFactory()
    const raw = JSON.parse(
      '{"id":"__proto__","name":"x","__proto__":{"polluted":true},"constructor":1,"n":{"__proto__":2}}',
    ) as Record<string, unknown>
    const { receive, find, store, settleAll } = await openTest(factory)
    await receive([
      item({ id: '__proto__', data: raw, ackKey: '__proto__' }),
      item({ type: 'constructor', id: 'prototype', data: raw }),
      item({ type: '__proto__', id: 1 }),
    ])
    const text = JSON.stringify(raw)
    expect(JSON.stringify(await find())).toBe(`[${text}]`)
    await settleAll()
    expect(JSON.stringify(await find())).toBe(`[${text}]`)
    expect(JSON.stringify(await store.get('thing', ['__proto__', 'constructor']))).toBe(`[${text},null]`)
    expect((await store.quarantine.list(9)).items.map(({ type }) => type).sort()).toEqual(['__proto__', 'constructor'])
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  it('strings of every kind come back as they were (F45)', async () => {
    const { receive, find, settleAll } = await openTest()
    const name = '<script>\u202e\u0000\ud800 "\\\n 💥'
    await receive([put('a\nb', 1, { name })])
    expect(await find()).toEqual([{ id: 'a\nb', name }])
    await settleAll()
    expect(await find()).toEqual([{ id: 'a\nb', name }])
  })

  it('a type with a line break in its name is not mistaken for another record (F45, I22)', async () => {
    const { receive, ids } = await openTest()
    await receive([item({ type: 'thing\nx', id: 'y', rev: 9 })], [put('x\ny', 1)])
    expect(await ids()).toEqual(['x\ny'])
  })

  it('a record nested too deeply to be written down is quarantined, the others are stored (I8, F11)', async () => {
    const { store, lease, ids } = await openTest()
    let deep: unknown = 1
    for (let level = 0; level < 20_000; level++) deep = [deep]
    const committed = await store.commit(lease, [page(put(1, 1), put(2, 1, { deep }))], session)
    expect(committed).toMatchObject({ accepted: 2, quarantined: 1, unackable: 0 })
    expect(await ids()).toEqual(['1'])
  })

  it('one that could be written down but never copied is a stub in quarantine too, and settling goes on (I8, F11)', async () => {
    const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth))
    const factory = new IDBFactory()
    const { store, receive, ids, settleAll } = await openTest(factory)
    const deep = { x: nested(4_000) }
    await receive([
      put(1, 1, deep),
      put(2, 1, { x: nested(400) }),
      item({ id: 3, event: 'moved', data: { id: 3, ...deep } }),
    ])
    await receive([
      put(4, 1),
      item({ id: 4, rev: 2, event: 'deleted', data: { id: 4, ...deep } }),
      item({ data: nested(4_000) }),
    ])
    for (const settled of [false, true]) {
      if (settled) await settleAll()
      expect(await ids()).toEqual(['2'])
      expect((await store.quarantine.list(9)).items.map(({ raw, reason }) => [raw, reason])).toEqual(
        Array.from({ length: 3 }, () => [null, 'is nested too deeply to be stored']),
      )
    }
    store.close()
    const younger = defineSchema({ version: 2, collections: { thing: collection() } })
    const again = await openTest(factory, younger)
    expect((await again.store.quarantine.list(9)).items).toMatchObject([
      { type: 'thing', revision: 1 },
      { type: 'thing', revision: 1 },
      { type: 'thing', revision: 1 },
    ])
  })
})

describe('what a commit compares with', () => {
  it('a new leader keeps to what an earlier one settled (R7, R24, I4)', async () => {
    const factory = new IDBFactory()
    const [first, second] = [await openTest(factory), await openTest(factory, schema, false)]
    await first.receive([put(1, 2, { n: 2 })])
    await first.settleAll()
    const lease = await second.store.device.takeEpoch()
    await second.store.follow()
    expect(await second.store.commit(lease, [page(put(1, 1, { n: 1 }))], session)).toMatchObject({ accepted: 0 })
    expect(await second.find()).toEqual([{ id: 1, n: 2 }])
  })

  it('reads the tables only once something was settled (R1)', async () => {
    const counted = countTransactions(new IDBFactory())
    const { receive, settleAll } = await openTest(counted.factory)
    const count = async (rev: number): Promise<number> => {
      const before = counted.begun()
      await receive([put(1, rev)])
      return counted.begun() - before
    }
    expect(await count(1)).toBe(1)
    await settleAll()
    expect(await count(2)).toBe(2)
  })
})

/** Notes with which durability each write transaction begins. */
function watchDurability(real: IDBFactory): { factory: IDBFactory; durabilities: string[] } {
  const durabilities: string[] = []
  const open = real.open.bind(real)
  real.open = (...args) => {
    const request = open(...args)
    request.addEventListener('success', () => {
      const database = request.result
      const begin = database.transaction.bind(database)
      database.transaction = (stores, mode, options) => {
        const transaction = begin(stores, mode, options)
        if (mode === 'readwrite') durabilities.push(transaction.durability)
        return transaction
      }
    })
    return request
  }
  return { factory: real, durabilities }
}
