/** What a tab sees while it catches up, and of databases and fields with odd names (R2, R4, R25). */
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, describe, expect, it } from 'vitest'
import { compileQuery } from '../../src/query.ts'
import { collection, compileSchema, defineSchema, type Row } from '../../src/schema.ts'
import { createEdits } from '../../src/store/edits.ts'
import { createOverlay, type Overlay } from '../../src/store/overlay.ts'
import { createQueryRunner } from '../../src/store/run-query.ts'
import { tableRow } from '../../src/store/shadow.ts'
import { closeAll, countTransactions, openTest, put, schema, withDatabase } from './support.ts'

afterEach(closeAll)

describe('catching up', () => {
  it('a query that read too early reads again, also when the missing page comes in right behind its merge (R2)', async () => {
    const thing = compileSchema(schema).get('thing')
    if (thing === undefined) throw new Error('no spec')
    const query = compileQuery({ collection: 'thing', where: {} }, thing)
    // Page 1 held the records 1 and 2; page 2 holds 1 again, so settling page 1 wrote 2 alone.
    const page2 = [
      { seq: 2, bytes: 2, items: [{ type: 'thing', id: '1', rev: 2, kind: 'put' as const, data: { id: 1 } }] },
    ]
    await withDatabase(new IDBFactory(), schema, async (database) => {
      await database.meta.put({ key: 'log', head: 2, mark: 1, seen: 2, base: 0 })
      await database.dexie.table('t_thing').put(tableRow('2', 1, { id: 2 }, thing))
      const overlay = createOverlay()
      overlay.skipTo(1)
      const late: Overlay = Object.create(overlay, {
        entries: {
          value: (type: string) => {
            const entries = new Map(overlay.entries(type))
            queueMicrotask(() => overlay.add(page2, 0))
            return entries
          },
        },
      }) as Overlay
      const catchUp = async (): Promise<void> => overlay.add(page2, 0)
      const runner = createQueryRunner({
        database,
        overlay: late,
        edits: createEdits(database.specs),
        catchUp,
        isCurrent: () => false,
        onScan: () => undefined,
      })
      expect((await runner.find(query, thing)).map(({ id }) => id)).toEqual(['1', '2'])
    })
  })

  it('every call of follow() looks at the disk after it was made, in whichever moment that is (R25)', async () => {
    const factory = new IDBFactory()
    const leader = await openTest(factory)
    const counted = countTransactions(factory)
    const { store } = await openTest(counted.factory, schema, false)
    for (let turns = 0; turns < 16; turns++) {
      await leader.receive([put(1, turns + 1)])
      const asked = new Promise<number>((resolve) => {
        const stop = store.subscribe(() => {
          stop()
          void (async () => {
            for (let turn = 0; turn < turns; turn++) await null
            const before = counted.begun()
            await store.follow()
            resolve(counted.begun() - before)
          })()
        })
      })
      await store.follow()
      expect(await asked, `${turns} turns after the change`).toBeGreaterThan(0)
    }
  })

  it('a log that does not say how far settling had read gets it with the next settling (R2)', async () => {
    const factory = new IDBFactory()
    const { receive, settleAll, ids } = await openTest(factory)
    await receive([put(1, 1)])
    await withDatabase(factory, schema, async ({ meta }) => {
      await meta.put({ key: 'log', head: 1, mark: 0, base: 0 })
    })
    await settleAll()
    await withDatabase(factory, schema, async ({ meta }) => {
      expect(await meta.get('log')).toEqual({ key: 'log', head: 1, mark: 1, seen: 1, base: 0 })
    })
    expect(await ids()).toEqual(['1'])
  })
})

describe('an indexed field', () => {
  it('may be called like what every object inherits (R4, F44)', async () => {
    for (const field of ['toString', 'valueOf', 'hasOwnProperty']) {
      const shape = defineSchema({ version: 1, collections: { thing: collection<Row>({ indexes: [field] }) } })
      const { receive, settleAll, ids } = await openTest(new IDBFactory(), shape)
      await receive([put(1, 1, { [field]: 'a' }), put(2, 1, { [field]: 'b' }), put(3, 1)])
      for (const settled of [false, true]) {
        if (settled) await settleAll()
        expect(await ids({ where: { [field]: 'a' } })).toEqual(['1'])
        expect(await ids({ where: { [field]: null } })).toEqual(['3'])
      }
    }
  })
})
