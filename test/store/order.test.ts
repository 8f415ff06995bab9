/**
 * Promise 5: any order, repetition and split of pages, commits and sessions, interleaved with settling and
 * reopening, gives the same tables. The model is one line: of all versions of a record, the highest counts.
 */
import fc from 'fast-check'
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, describe, expect, it } from 'vitest'
import { collection, defineSchema } from '../../src/schema.ts'
import { closeAll, item, openTest, page, readDisk, session, type Opened, type Thing } from './support.ts'

afterEach(closeAll)

const shape = defineSchema({
  version: 1,
  collections: {
    thing: collection<Thing>({
      indexes: ['n'],
      validate: {
        '~standard': {
          version: 1,
          vendor: 'test',
          validate: (value) => ((value as Thing).n === -1 ? { issues: [{ message: 'bad' }] } : {}),
        },
      },
    }),
  },
})

/** One version of one record; the event and the body follow from id and revision, as they do at a server. */
interface Version {
  readonly id: number
  readonly rev: number
}
type Kind = 'put' | 'del' | 'bad'

const kindOf = ({ id, rev }: Version): Kind =>
  (['put', 'put', 'del', 'put', 'bad', 'del'] as const)[(id * 7 + rev * 5) % 6] ?? 'put'
const dataOf = (version: Version): Thing => ({
  id: version.id,
  n: kindOf(version) === 'bad' ? -1 : version.rev % 3,
  name: `${version.id}@${version.rev}`,
})
const rawOf = (version: Version): unknown =>
  item({
    ...version,
    event: kindOf(version) === 'del' ? 'deleted' : 'updated',
    data: kindOf(version) === 'del' ? { id: version.id } : dataOf(version),
  })

type Step =
  | { readonly do: 'commit'; readonly pages: ReadonlyArray<readonly Version[]> }
  | { readonly do: 'settle'; readonly rows: number }
  | { readonly do: 'reopen' }

const version = fc.record({ id: fc.integer({ min: 1, max: 4 }), rev: fc.integer({ min: 1, max: 7 }) })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      pages: fc.array(fc.array(version, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('settle' as const), rows: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
)

/** What must be seen: the newest version if it can be shown, else the newest valid one that arrived before it, as stale. */
interface Model {
  readonly rows: ReadonlyMap<number, number>
  readonly bad: ReadonlyMap<number, number>
}

function model(versions: readonly Version[]): { readonly newest: ReadonlyMap<number, number> } {
  const newest = new Map<number, number>()
  for (const { id, rev } of versions) newest.set(id, Math.max(newest.get(id) ?? 0, rev))
  return { newest }
}

/** The last valid row is what arrived before the quarantined version, so it depends on the order; the rest does not. */
function expected(newest: ReadonlyMap<number, number>): Model {
  const rows = new Map<number, number>()
  const bad = new Map<number, number>()
  for (const [id, rev] of newest) {
    const kind = kindOf({ id, rev })
    if (kind === 'put') rows.set(id, rev)
    if (kind === 'bad') bad.set(id, rev)
  }
  return { rows, bad }
}

async function check({ store, find }: Opened, seen: readonly Version[]): Promise<void> {
  const { rows, bad } = expected(model(seen).newest)
  const found = (await find({ order: { field: 'n', dir: 'asc' } })).filter(
    ({ id }) => store.stateOf('thing', String(id)) !== 'stale',
  )
  const texts = (list: readonly unknown[]): string[] => list.map((row) => JSON.stringify(row)).sort()
  expect(texts(found)).toEqual(texts([...rows].map(([id, rev]) => dataOf({ id, rev }))))
  const held = await store.quarantine.list(100)
  expect(held.items.map(({ id, revision }) => `${id}@${revision}`).sort()).toEqual(
    [...bad].map(([id, rev]) => `${id}@${rev}`).sort(),
  )
  expect(held.count).toBe(bad.size)
  expect(await store.quarantine.count()).toBe(bad.size)
}

describe('promise 5', () => {
  it('any order, repetition and split of pages, commits and sessions, with settling and reopening between, gives the same view and tables (promise 5, I5, R7, ITEM-4, F14, F15)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), async (steps) => {
        const factory = new IDBFactory()
        let opened = await openTest(factory, shape)
        const seen: Version[] = []
        for (const [at, one] of steps.entries()) {
          if (one.do === 'commit') {
            await opened.store.commit(
              opened.lease,
              one.pages.map((versions) => page(...versions.map(rawOf))),
              { ...session, id: `session-${at}` },
            )
            seen.push(...one.pages.flat())
          } else if (one.do === 'settle') {
            for (let rows = 0; rows < one.rows; rows++) await opened.store.settleNext(opened.lease)
          } else {
            opened.store.close()
            opened = await openTest(factory, shape)
          }
          await check(opened, seen)
        }
        await opened.settleAll()
        await check(opened, seen)
        const disk = await readDisk(factory, shape)
        expect(disk.inbox).toEqual([])
        // Every key of every arrival is kept until the server has taken it.
        expect(disk.acks).toHaveLength(seen.length)
        const newest = model(seen).newest
        for (const { id, rev } of disk.tombstones) expect(rev).toBeLessThanOrEqual(newest.get(Number(id)) ?? 0)
        for (const [id, rev] of newest)
          if (kindOf({ id, rev }) === 'del')
            expect(disk.tombstones).toContainEqual(expect.objectContaining({ id: String(id), rev }))
        closeAll()
      }),
      { numRuns: 120 },
    )
  })

  it('one page that deletes a record and brings it back leaves the newest word, either way round (F15, R7)', async () => {
    for (const [first, second] of [
      ['del', 'put'],
      ['put', 'del'],
    ] as const) {
      const { receive, settleAll, ids } = await openTest()
      const make = (kind: 'put' | 'del', rev: number): unknown =>
        item({ rev, event: kind === 'del' ? 'deleted' : 'updated' })
      await receive([make(first, 1), make(second, 2)])
      const want = second === 'put' ? ['1'] : []
      expect(await ids()).toEqual(want)
      await settleAll()
      expect(await ids()).toEqual(want)
    }
  })

  it('all sixteen pairs of events end as their revisions say (F15)', async () => {
    const events = ['created', 'updated', 'deleted', 'exploded'] as const
    for (const a of events)
      for (const b of events) {
        const { receive, settleAll, ids, store } = await openTest()
        await receive([item({ rev: 1, event: a })], [item({ rev: 2, event: b })])
        const shown = b === 'exploded' ? a === 'created' || a === 'updated' : b !== 'deleted'
        for (const settled of [false, true]) {
          if (settled) await settleAll()
          expect([a, b, settled, await ids()]).toEqual([a, b, settled, shown ? ['1'] : []])
          expect((await store.quarantine.list(9)).items.map(({ revision }) => revision)).toEqual(
            b === 'exploded' ? [2] : [],
          )
        }
        closeAll()
      }
  })
})
