/** Cases: upserts (O-25), and the reviewer of writes. */
import type { Draft, JsonObject, Match, Review, WriteOp, WriteResult } from '../store.ts'
import {
  create,
  holds,
  importCities,
  outcome,
  peer,
  range,
  remove,
  rename,
  same,
  write,
  type Bench,
  type Case,
} from './kit.ts'

/** An upsert of a city by fields of these values. */
function upsert(by: Readonly<Record<string, string>>, data: JsonObject): WriteOp {
  return { kind: 'upsert', type: 'city', match: Object.entries(by).map(([field, value]) => ({ field, value })), data }
}

async function count({ store, account }: Bench): Promise<number> {
  return (await store.list(account, ['everyone'], 'city', { page: 1, perPage: 1 })).count
}

function reviewed(bench: Bench, op: WriteOp, review: Review, key?: string): Promise<WriteResult> {
  return bench.store.write({ account: bench.account, user: 'ann' }, op, key, review)
}

const refuse: Review = () => ({ kind: 'refused', errors: [{ code: 'blank', message: 'no', field: '/name' }] })

export const upserts: readonly Case[] = [
  [
    'WRITE-3 an upsert creates what nothing matches, and changes the one that does',
    async (bench) => {
      same(outcome(await write(bench, upsert({ code: 'A' }, { code: 'A', name: 'a', size: 1 }))), [
        '1',
        1,
        { id: 1, code: 'A', name: 'a', size: 1 },
      ])
      const device = peer(bench, 'd1')
      await device.drain()
      same(outcome(await write(bench, upsert({ code: 'A' }, { name: 'b' }))), [
        '1',
        2,
        { id: 1, code: 'A', name: 'b', size: 1 },
      ])
      same((await device.drain()).length, 1, 'number of items')
      same(outcome(await write(bench, upsert({ code: 'B' }, { name: 'c' }))), ['2', 1, { id: 2, code: 'B', name: 'c' }])
    },
  ],

  [
    'WRITE-3 an upsert that several match changes nothing',
    async (bench) => {
      await importCities(bench, [1, 2], 'twin')
      same(outcome(await write(bench, upsert({ name: 'twin' }, { size: 1 }))), 'ambiguous')
      same(await count(bench), 2, 'number of objects')
      await remove(bench, '2')
      same(outcome(await write(bench, upsert({ name: 'twin' }, { size: 1 }))), [
        '1',
        2,
        { id: 1, name: 'twin', size: 1 },
      ])
    },
  ],

  [
    'WRITE-3 an upsert matches members, numbers and booleans by their text, whole and all of them',
    async (bench) => {
      const data = { id: 1, size: 12, hot: true, extra: { code: 'a"\\é', list: ['x'] }, none: null }
      await write(bench, create(data))
      const meets = async (...match: readonly Match[]): Promise<boolean> => {
        const answer = await reviewed(bench, { kind: 'upsert', type: 'city', match, data: { z: 1 } }, refuse)
        holds(answer.kind === 'refused', 'the reviewer was asked')
        let op = ''
        await reviewed(bench, { kind: 'upsert', type: 'city', match, data: { z: 1 } }, (draft) => {
          op = draft.op
          return refuse(draft)
        })
        return op === 'update'
      }
      same(
        [
          await meets({ field: 'size', value: '12' }),
          await meets({ field: 'hot', value: 'true' }),
          await meets({ field: 'extra', member: 'code', value: 'a"\\é' }),
          await meets({ field: 'size', value: '12' }, { field: 'hot', value: 'true' }),
        ],
        [true, true, true, true],
        'matches',
      )
      same(
        [
          await meets({ field: 'size', value: '1' }),
          await meets({ field: 'none', value: 'null' }),
          await meets({ field: 'extra', member: 'list', value: 'x' }),
          await meets({ field: 'toString', value: 'true' }),
          await meets({ field: 'size', value: '12' }, { field: 'hot', value: 'false' }),
        ],
        [false, false, false, false, false],
        'matches',
      )
    },
  ],

  [
    'R13 an upsert keeps an id of its own for a new object, and does not rename one that is there',
    async (bench) => {
      same(outcome(await write(bench, upsert({ code: 'A' }, { id: 'own', code: 'A' }))), [
        'own',
        1,
        { id: 'own', code: 'A' },
      ])
      same(outcome(await write(bench, upsert({ code: 'A' }, { id: 'own', n: 1 }))), [
        'own',
        2,
        { id: 'own', code: 'A', n: 1 },
      ])
      same(outcome(await write(bench, upsert({ code: 'A' }, { id: 'other' }))), 'exists')
      same(outcome(await write(bench, upsert({ code: 'B' }, { id: 'own' }))), 'exists')
    },
  ],

  [
    'AUTH-3 an upsert matches only what its writer sees',
    async (bench) => {
      const { store, account } = bench
      await store.importRecords(account, [{ type: 'city', data: { id: 1, code: 'A' }, scopes: ['west'] }])
      const east = { account, user: 'ann', sees: ['east'] }
      const op: WriteOp = { ...upsert({ code: 'A' }, {}), scopes: ['east'] } as WriteOp
      same(outcome(await store.write(east, op)), ['2', 1, { id: 2, code: 'A' }])
      same(outcome(await store.write(east, op)), ['2', 1, { id: 2, code: 'A' }])
    },
  ],

  [
    'WRITE-3 many upserts of one value at once make one object',
    async (bench) => {
      const slow: Review = async ({ data }) => {
        await Promise.resolve()
        return { kind: 'fine', data }
      }
      await Promise.all(range(1, 8).map((n) => write(bench, upsert({ code: 'A' }, { n }))))
      same(await count(bench), 1, 'number of objects')
      await Promise.all(range(1, 8).map((n) => reviewed(bench, upsert({ code: 'B' }, { n }), slow)))
      same(await count(bench), 2, 'number of objects')
    },
  ],

  [
    'R17 a repeated upsert with its key gives the first answer',
    async (bench) => {
      const op = upsert({ code: 'A' }, { name: 'a' })
      const first = outcome(await write(bench, op, 'k'))
      await rename(bench, '1', 'b')
      same(outcome(await write(bench, op, 'k')), first)
      same(outcome(await write(bench, upsert({ code: 'B' }, { name: 'a' }), 'k')), 'key_reused')
    },
  ],

  [
    'WRITE-2 a reviewer sees what is stored and what is to come, and gives the data to keep',
    async (bench) => {
      const drafts: Draft[] = []
      const review: Review = (draft) => {
        drafts.push(draft)
        return { kind: 'fine', data: { ...draft.data, id: 99, seen: draft.op } }
      }
      same(outcome(await reviewed(bench, create({ name: 'a' }), review)), [
        '1',
        1,
        { id: 1, name: 'a', seen: 'create' },
      ])
      same(outcome(await reviewed(bench, { kind: 'update', type: 'city', id: '1', patch: { name: 'b' } }, review)), [
        '1',
        2,
        { id: 1, name: 'b', seen: 'update' },
      ])
      await reviewed(bench, { kind: 'delete', type: 'city', id: '1' }, review)
      same(drafts, [
        { op: 'create', type: 'city', id: '1', data: { id: 1, name: 'a' }, current: null },
        { op: 'update', type: 'city', id: '1', data: { name: 'b' }, current: { id: 1, name: 'a', seen: 'create' } },
        { op: 'delete', type: 'city', id: '1', data: {}, current: { id: 1, name: 'b', seen: 'update' } },
      ])
    },
  ],

  [
    'R17 R37 a reviewer is not asked about what changes nothing, is not there, or was done before',
    async (bench) => {
      await importCities(bench, [1])
      await write(bench, create({ name: 'n' }), 'k')
      same(
        [
          outcome(await reviewed(bench, { kind: 'update', type: 'city', id: '1', patch: { name: 'first' } }, refuse)),
          outcome(await reviewed(bench, { kind: 'delete', type: 'city', id: '9' }, refuse)),
          outcome(await reviewed(bench, create({ id: 1 }), refuse)),
          outcome(await reviewed(bench, create({ name: 'n' }), refuse, 'k')),
        ],
        [['1', 1, { id: 1, name: 'first' }], 'missing', 'exists', ['2', 1, { id: 2, name: 'n' }]],
      )
    },
  ],

  [
    'R17 a refused or failed write changes nothing and keeps no key',
    async (bench) => {
      await importCities(bench, [1])
      const patch: WriteOp = { kind: 'update', type: 'city', id: '1', patch: { name: 'b' } }
      const refused = await reviewed(bench, patch, refuse, 'k')
      same(refused, { kind: 'refused', errors: [{ code: 'blank', message: 'no', field: '/name' }] })
      const fails: Review = () => Promise.reject(new Error('planned'))
      const failed = await reviewed(bench, patch, fails, 'k').catch((error: unknown) => String(error))
      same(failed, 'Error: planned')
      same(outcome(await reviewed(bench, { kind: 'delete', type: 'city', id: '1' }, refuse)), 'refused')
      same(outcome(await rename(bench, '1', 'c')), ['1', 2, { id: 1, name: 'c' }])
      same(outcome(await write(bench, patch, 'k')), ['1', 3, { id: 1, name: 'b' }])
    },
  ],

  [
    'WRITE-2 what a reviewer was shown is what is stored when the write is kept',
    async (bench) => {
      await write(bench, create({ id: 1, n: 0 }))
      const increment: Review = async ({ current }) => {
        const n = Number(current?.['n'])
        await Promise.resolve()
        return { kind: 'fine', data: { n: n + 1 } }
      }
      const op: WriteOp = { kind: 'update', type: 'city', id: '1', patch: { n: 'next' } }
      await Promise.all(range(1, 8).map(() => reviewed(bench, op, increment)))
      same((await bench.store.read(bench.account, ['everyone'], 'city', '1'))?.data, { id: 1, n: 8 })
    },
  ],
]
