/** Cases: data of any shape, lists, and import. */
import { create, importCities, outcome, peer, remove, rename, same, told, write, type Case } from './kit.ts'

export const records: readonly Case[] = [
  [
    'R37 data keys named __proto__ stay data, everywhere',
    async (bench) => {
      const text = '{"id":1,"__proto__":{"admin":true},"constructor":{"prototype":1},"toString":"x"}'
      await bench.store.importRecords(bench.account, [{ type: 'city', data: JSON.parse(text) }])
      const device = peer(bench, 'd1')
      const [item] = await device.drain()
      same(JSON.parse(item?.json ?? 'null'), JSON.parse(text), 'item')
      await write(bench, { kind: 'update', type: 'city', id: '1', patch: JSON.parse('{"__proto__":7}') })
      const [changed] = await device.drain()
      same(
        JSON.parse(changed?.json ?? 'null'),
        JSON.parse('{"id":1,"__proto__":7,"constructor":{"prototype":1},"toString":"x"}'),
      )
      const stored = await bench.store.read(bench.account, ['everyone'], 'city', '1')
      same(
        stored?.data,
        JSON.parse('{"id":1,"__proto__":7,"constructor":{"prototype":1},"toString":"x"}'),
        'stored data',
      )
      same(({} as { admin?: unknown }).admin === undefined, true, 'cleanness of the prototype')
    },
  ],

  [
    'ITEM-6 S15 any JSON comes back as it went in: odd texts, numbers, depth, empty names',
    async (bench) => {
      const data = {
        id: 1,
        '': 0,
        nul: 'a\u0000b',
        line: 'a\nb\r\u2028',
        half: '\ud800',
        pair: '😀',
        quote: `'"\\;--`,
        big: 1e300,
        tiny: -0.1,
        deep: [[[{ a: [null, false] }]]],
      }
      await bench.store.importRecords(bench.account, [{ type: 'city', data }])
      const [item] = await peer(bench, 'd1').fetchAll()
      same(JSON.parse(item?.json ?? 'null'), data)
      await bench.store.importRecords(bench.account, [
        { type: 'city', data: { id: "x'); drop table objects; --", n: 1 } },
      ])
      same(
        (await bench.store.list(bench.account, ['everyone'], 'city', { page: 1, perPage: 10 })).count,
        2,
        'number of objects',
      )
    },
  ],

  [
    'R37 an import is an upsert: new ones come, changed ones change, equal ones keep their revision',
    async (bench) => {
      await importCities(bench, [1, 2, 3])
      await remove(bench, '3')
      const device = peer(bench, 'd1')
      await device.drain()
      const again = await bench.store.importRecords(bench.account, [
        { type: 'city', data: { name: 'first', id: 1 } },
        { type: 'city', data: { id: 2, name: 'second' } },
        { type: 'city', data: { id: 3, name: 'first' } },
        { type: 'city', data: { id: 4, name: 'a' } },
        { type: 'city', data: { id: '4', name: 'b' } },
      ])
      same(again, { changed: 3 })
      same(
        (await device.drain()).map(({ id, revision, json }) => [id, revision, JSON.parse(json)]),
        [
          ['2', 2, { id: 2, name: 'second' }],
          ['3', 3, { id: 3, name: 'first' }],
          ['4', 1, { id: '4', name: 'b' }],
        ],
      )
    },
  ],

  [
    'R37 an import is all or nothing',
    async (bench) => {
      const records = [
        { type: 'city', data: { id: 1 } },
        { type: 'city', data: { name: 'no id' } },
      ]
      same(
        await bench.store.importRecords(bench.account, records).then(
          () => 'stored',
          () => 'refused',
        ),
        'refused',
      )
      same(await peer(bench, 'd1').start(), null, 'start')
    },
  ],

  [
    'WRITE-1 lists are by page, by id, in the order asked for, and count everything that fits',
    async (bench) => {
      await bench.store.importRecords(bench.account, [
        { type: 'city', data: { id: 10, name: 'b' } },
        { type: 'city', data: { id: 9, name: 'c' } },
        { type: 'city', data: { id: 'x', name: null } },
        { type: 'city', data: { id: 11, name: 'a' } },
        { type: 'city', data: { id: 12, name: 5 } },
        { type: 'river', data: { id: 1 } },
      ])
      const ids = async (page: Parameters<typeof bench.store.list>[3]) => {
        const { objects, count } = await bench.store.list(bench.account, ['everyone'], 'city', page)
        return [count, objects.map((object) => object.id)]
      }
      same(await ids({ page: 1, perPage: 10 }), [5, ['9', '10', '11', '12', 'x']])
      same(await ids({ page: 2, perPage: 2 }), [5, ['11', '12']])
      same(await ids({ page: 1, perPage: 10, ids: ['11', 'x', 'none'] }), [2, ['11', 'x']])
      same(await ids({ page: 1, perPage: 10, match: [{ field: 'name', value: '5' }] }), [1, ['12']])
      const either = { ids: ['9', '10'], match: [{ field: 'name', value: 'c' }] }
      same(await ids({ page: 1, perPage: 1, ...either }), [1, ['9']])
      same(await ids({ page: 2, perPage: 1, ...either }), [1, []])
      same(await ids({ page: 1, perPage: 10, sortBy: { field: 'id', dir: 'desc' } }), [5, ['x', '12', '11', '10', '9']])
      same(await ids({ page: 1, perPage: 10, sortBy: { field: 'name', dir: 'asc' } }), [
        5,
        ['x', '12', '11', '10', '9'],
      ])
      same(await ids({ page: 9, perPage: 10 }), [5, []])
    },
  ],

  [
    'AUTH-1 accounts do not meet: neither reads, nor writes, nor ids',
    async (bench) => {
      await importCities(bench, [1])
      const other = { ...bench, account: `${bench.account}-b` }
      same(outcome(await rename(other, '1', 'x')), 'missing')
      same(await other.store.read(other.account, ['everyone'], 'city', '1'), null, 'object in another account')
      same(outcome(await write(other, create({ id: 1, name: 'theirs' }))), ['1', 1, { id: 1, name: 'theirs' }])
      same(told(await peer(other, 'd1').fetchAll()), ['created 1'])
    },
  ],
]
