/**
 * R4 and R5: every query answered through an index equals the same query by scan and by the plain definition,
 * over rows of every kind, with any share of them unsettled, changed or deleted in the overlay.
 */
import fc from 'fast-check'
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock, systemRandom } from '../../src/clock.ts'
import { IDBKeyRange } from 'fake-indexeddb'
import { positionOrder } from '../../src/keys.ts'
import { compileQuery, type Condition, type Query } from '../../src/query.ts'
import { collection, defineSchema, type Row, type Schema } from '../../src/schema.ts'
import { openStore } from '../../src/store/store.ts'
import { closeAll, del, openTest, page, put, session } from './support.ts'

afterEach(closeAll)

const indexed = defineSchema({
  version: 1,
  collections: {
    thing: collection<Row>({ indexes: ['a', { field: 's', fold: true }, ['a', 'b'], ['a', 'b', 's'], ['b', 's']] }),
  },
})
// The fold option must stay, since it changes what a query means; nothing else is indexed.
const scanned = defineSchema({
  version: 1,
  collections: { thing: collection<Row>({ indexes: [{ field: 's', fold: true }] }) },
})

const missing = Symbol('missing')
const texts = ['', 'a', 'A', 'á', 'ab', 'Åb', 'b', '\uffff', 'ß']
const value = fc.oneof(
  fc.constantFrom<unknown>(missing, 1, 2),
  fc.constantFrom<unknown>(missing, null, false, true, -1, 0, 1, 1.5, '0', ...texts, { a: 1 }, [1]),
)
const row = fc
  .record({ a: value, b: value, s: fc.constantFrom<unknown>(missing, null, 0, ...texts) })
  .map((fields) => Object.fromEntries(Object.entries(fields).filter(([, one]) => one !== missing)))

/** Lives of records: versions, the last of which may be a delete. How many of them are settled: all, none, or any. */
const lives = fc.constantFrom([4], [0], [0, 1, 2, 3, 4], [0, 4, 4, 4, 4, 4]).chain((settled) =>
  fc.array(
    fc.record({
      versions: fc.array(row, { minLength: 1, maxLength: 3 }),
      deleted: fc.integer({ min: 0, max: 3 }).map((lot) => lot === 0),
      settled: fc.constantFrom(...settled),
    }),
    {
      minLength: 3,
      maxLength: 16,
      size: 'max',
    },
  ),
)

const scalar = fc.constantFrom<string | number | boolean | null>(null, false, true, -1, 0, 1, 1.5, '0', ...texts)
const range = fc.oneof(
  ...[fc.constantFrom(-1, 0, 1, 1.5), fc.constantFrom(...texts), fc.boolean()].map((end: fc.Arbitrary<unknown>) =>
    fc.record({
      lower: fc.option(fc.tuple(fc.constantFrom('gt', 'gte'), end)),
      upper: fc.option(fc.tuple(fc.constantFrom('lt', 'lte'), end)),
    }),
  ),
)
const condition: fc.Arbitrary<Condition> = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(null, 1, 2) },
  { weight: 2, arbitrary: scalar },
  {
    weight: 3,
    arbitrary: range
      .filter(({ lower, upper }) => lower !== null || upper !== null)
      .map(({ lower, upper }) => Object.fromEntries([lower, upper].filter((end) => end !== null)) as Condition),
  },
  { weight: 1, arbitrary: fc.constantFrom(...texts).map((startsWith) => ({ startsWith })) },
  { weight: 2, arbitrary: fc.array(scalar, { maxLength: 4 }).map((list) => ({ in: list })) },
)
const fields = fc.constantFrom(
  ...[[], [], [], [], ['a'], ['b'], ['s'], ['a', 'b'], ['a', 's'], ['b', 's'], ['a', 'b', 's']],
)
const where = fc
  .tuple(fields, condition, condition, condition)
  .map(([names, ...conditions]) => Object.fromEntries(names.map((name, at) => [name, conditions[at] ?? null])))
const half = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(one, { nil: undefined, freq: 2 })
const query = fc.record({
  where,
  order: half(
    fc.record({
      field: fc.constantFrom('a', 'b', 'b', 's', 'id'),
      dir: fc.constantFrom('asc' as const, 'desc' as const),
    }),
  ),
  limit: half(fc.constantFrom(0, 1, 2, 3, 6)),
  /** Page on after the row at this place of the whole answer. */
  after: half(fc.integer({ min: 0, max: 8 })),
})

async function load(
  shape: Schema,
  lives: ReadonlyArray<{ versions: readonly Row[]; deleted: boolean; settled: number }>,
) {
  const opened = await openTest(new IDBFactory(), shape)
  const history = lives.map(({ versions, deleted }, at) => {
    const puts = versions.map((fields, rev) => put(at, rev + 1, fields))
    return deleted ? [...puts, del(at, puts.length + 1)] : puts
  })
  for (let rev = 0; rev < 4; rev++) {
    const settledOnes = history.flatMap((items, at) =>
      (lives[at]?.settled ?? 0) > rev && items[rev] !== undefined ? [items[rev]] : [],
    )
    if (settledOnes.length > 0) await opened.store.commit(opened.lease, [page(...settledOnes)], session)
  }
  await opened.settleAll()
  for (let rev = 0; rev < 4; rev++) {
    const fresh = history.flatMap((items, at) =>
      (lives[at]?.settled ?? 0) <= rev && items[rev] !== undefined ? [items[rev]] : [],
    )
    if (fresh.length > 0) await opened.store.commit(opened.lease, [page(...fresh)], session)
  }
  return opened
}

describe('queries', () => {
  it('through an index, by scan and by the definition give the same rows in the same order, and the same count (R4, R5)', async () => {
    await fc.assert(
      fc.asyncProperty(lives, fc.array(query, { minLength: 25, maxLength: 25 }), async (all, queries) => {
        const [fast, slow] = [await load(indexed, all), await load(scanned, all)]
        const alive = all.flatMap(({ versions, deleted }, id) =>
          deleted ? [] : [{ id, ...versions.at(-1) } as Row & { id: number }],
        )
        for (const { after: at, ...rest } of queries) {
          const spec = fast.store.specOf('thing')
          const whole = compileQuery({ collection: 'thing', where: rest.where, order: rest.order }, spec)
          const defined = alive
            .filter((one) => whole.matches(one))
            .map((one) => ({ id: String(one.id), key: whole.sortKey(one), row: one }))
            .sort(positionOrder(rest.order?.dir ?? 'asc'))
          const before = at === undefined ? undefined : defined[at]
          const asked: Query = {
            collection: 'thing',
            ...rest,
            ...(before !== undefined && { after: { id: before.id, key: before.key } }),
          }
          const want = defined
            .slice(before === undefined ? 0 : defined.indexOf(before) + 1)
            .slice(0, rest.limit ?? Infinity)
          for (const { store } of [fast, slow]) {
            const found = await store.find(compileQuery(asked, store.specOf('thing')))
            expect(found.map(({ id, key, row: one }) => ({ id, key, row: one }))).toEqual(want)
            expect(await store.count(compileQuery(asked, store.specOf('thing')))).toBe(defined.length)
          }
        }
        const ids = all.map((_, id) => String(id))
        const byId = new Map(alive.map((one) => [String(one.id), one]))
        expect(await fast.store.get('thing', [...ids, 'x'])).toEqual([...ids.map((id) => byId.get(id)), undefined])
        closeAll()
      }),
      { numRuns: 50 },
    )
  })

  it('rows of equal sort key come by id, also through an index with further fields (R4)', async () => {
    const { receive, settleAll, ids } = await openTest(new IDBFactory(), indexed)
    await receive(['z', 'a', 'm', 'b'].map((s, id) => put(id, 1, { a: id % 2, b: 1, s })))
    for (const settled of [false, true]) {
      if (settled) await settleAll()
      expect(await ids({ order: { field: 'b', dir: 'asc' }, limit: 3 })).toEqual(['0', '1', '2'])
      expect(await ids({ order: { field: 'b', dir: 'desc' }, limit: 3 })).toEqual(['3', '2', '1'])
      expect(await ids({ where: { b: { gt: 0 } }, order: { field: 'b', dir: 'asc' } })).toEqual(['0', '1', '2', '3'])
      expect(await ids({ where: { a: 0 }, order: { field: 'b', dir: 'asc' }, limit: 2 })).toEqual(['0', '2'])
      expect(await ids({ where: { a: 1, b: 1 }, order: { field: 'a', dir: 'desc' }, limit: 2 })).toEqual(['3', '1'])
    }
  })

  it('a window stays full although unsettled changes and deletes hide its rows (R5)', async () => {
    const { store, receive, settleAll, ids } = await openTest(new IDBFactory(), indexed)
    const many = Array.from({ length: 300 }, (_, id) => put(id, 1, { a: id }))
    await receive(many)
    await settleAll()
    await receive(Array.from({ length: 250 }, (_, id) => (id % 2 === 0 ? del(id, 2) : put(id, 2, { a: 1_000 + id }))))
    expect(await ids({ order: { field: 'a', dir: 'asc' }, limit: 5 })).toEqual(['250', '251', '252', '253', '254'])
    expect(await ids({ order: { field: 'a', dir: 'desc' }, limit: 2 })).toEqual(['249', '247'])
    expect(
      await store.count(compileQuery({ collection: 'thing', where: { a: { lt: 1_000 } } }, store.specOf('thing'))),
    ).toBe(50)
  })

  it('reads through the index what the index holds, and says once per query which field has none (R38)', async () => {
    const scans: string[] = []
    const factory = new IDBFactory()
    const store = await openStore('test', indexed, {
      indexedDB: factory,
      IDBKeyRange,
      clock: systemClock,
      random: systemRandom,
      onScan: (_, field) => void scans.push(field),
    })
    const run = async (asked: Omit<Query, 'collection'>): Promise<string[]> => {
      scans.length = 0
      await store.find(compileQuery({ collection: 'thing', ...asked }, store.specOf('thing')))
      return [...scans]
    }
    expect(await run({ where: { a: 1 } })).toEqual([])
    expect(await run({ where: { b: 1, a: { gt: 2 } } })).toEqual([])
    expect(await run({ where: { other: 1 } })).toEqual(['other'])
    expect(await run({ where: {}, order: { field: 'other', dir: 'asc' }, limit: 3 })).toEqual(['other'])
    expect(await run({ where: {}, order: { field: 'a', dir: 'asc' }, limit: 3 })).toEqual([])
    expect(() => store.specOf('nothing')).toThrow(expect.objectContaining({ code: 'invalid_argument' }))
    store.close()
  })
})
