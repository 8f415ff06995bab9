/** Cases: writes, idempotency keys, reads, lists, import. */
import { importCities, peer, range, remove, rename, same, told, write, type Case } from './kit.ts'
import type { WriteOp, WriteResult } from '../store.ts'

const create = (data: Readonly<Record<string, unknown>>): WriteOp => ({ kind: 'create', type: 'city', data })

function outcome(result: WriteResult): unknown {
  return result.kind === 'written' ? [result.object.id, result.object.revision, result.object.data] : result.kind
}

export const writes: readonly Case[] = [
  ['WRITE-1 an update replaces the fields given and leaves the others', async (bench) => {
    await write(bench, create({ id: 1, name: 'a', tags: ['x'], at: { lon: 1 } }))
    const patch = { tags: ['y'], at: { lat: 2 }, extra: null }
    same(outcome(await write(bench, { kind: 'update', type: 'city', id: '1', patch })), [
      '1', 2, { id: 1, name: 'a', tags: ['y'], at: { lat: 2 }, extra: null },
    ])
  }],

  ['R37 a write that changes nothing changes no revision and tells nobody', async (bench) => {
    await write(bench, create({ id: 1, name: 'a', at: { lon: 1, lat: 2 } }))
    const device = peer(bench, 'd1')
    await device.drain()
    const patch = { at: { lat: 2, lon: 1 } }
    same(outcome(await write(bench, { kind: 'update', type: 'city', id: '1', patch })), [
      '1', 1, { id: 1, name: 'a', at: { lon: 1, lat: 2 } },
    ])
    same(await device.start(), null, 'start')
  }],

  ['WRITE-1 what is absent or deleted cannot be changed, what is there cannot be created', async (bench) => {
    await importCities(bench, [1, 2])
    await remove(bench, '2')
    same(outcome(await rename(bench, '9', 'x')), 'missing')
    same(outcome(await rename(bench, '2', 'x')), 'missing')
    same(outcome(await remove(bench, '2')), 'missing')
    same(outcome(await write(bench, create({ id: '1' }))), 'exists')
  }],

  ['ITEM-7 ids are compared as text and keep their own form', async (bench) => {
    await importCities(bench, ['1', 'Ärger/#? %', 9007199254740991, -5])
    const read = async (id: string) => (await bench.store.read(bench.account, ['everyone'], 'city', id))?.data
    same(await read('1'), { id: '1', name: 'first' })
    same(await read('Ärger/#? %'), { id: 'Ärger/#? %', name: 'first' })
    same(await read('9007199254740991'), { id: 9007199254740991, name: 'first' })
    same(await read('-5'), { id: -5, name: 'first' })
    const items = await peer(bench, 'd1').fetchAll()
    same(items.map((item) => item.id), ['1', 'Ärger/#? %', '9007199254740991', '-5'])
  }],

  ['R13 a create without an id gets the next whole number, never one that was used', async (bench) => {
    await importCities(bench, [7, 'x', '12'])
    same(outcome(await write(bench, create({ name: 'n' }))), ['13', 1, { id: 13, name: 'n' }])
    await remove(bench, '13')
    same(outcome(await write(bench, create({}))), ['14', 1, { id: 14 }])
    same(outcome(await write(bench, { kind: 'create', type: 'river', data: {} })), ['1', 1, { id: 1 }])
  }],

  ['R17 S16 the same idempotency key and operation take effect once and give the first answer', async (bench) => {
    const op = create({ name: 'once', at: { lon: 1, lat: 2 } })
    const first = outcome(await write(bench, op, 'k1'))
    const again = create({ at: { lat: 2, lon: 1 }, name: 'once' })
    same([first, outcome(await write(bench, again, 'k1'))], [
      ['1', 1, { id: 1, name: 'once', at: { lon: 1, lat: 2 } }],
      ['1', 1, { id: 1, name: 'once', at: { lon: 1, lat: 2 } }],
    ])
    same((await peer(bench, 'd1').fetchAll()).length, 1, 'number of objects')
  }],

  ['R17 a replay gives the first answer whatever happened since, also for update and delete', async (bench) => {
    await importCities(bench, [1, 2])
    const update: WriteOp = { kind: 'update', type: 'city', id: '1', patch: { name: 'b' } }
    const removal: WriteOp = { kind: 'delete', type: 'city', id: '2' }
    await write(bench, update, 'u')
    await write(bench, removal, 'd')
    await rename(bench, '1', 'c')
    same(outcome(await write(bench, update, 'u')), ['1', 2, { id: 1, name: 'b' }])
    same(outcome(await write(bench, removal, 'd')), ['2', 2, null])
    same((await bench.store.read(bench.account, ['everyone'], 'city', '1'))?.data, { id: 1, name: 'c' }, 'data after the replay')
  }],

  ['R17 a key used for another operation is refused; keys of other users do not meet', async (bench) => {
    await write(bench, create({ id: 1 }), 'k1')
    same(outcome(await write(bench, create({ id: 2 }), 'k1')), 'key_reused')
    same(outcome(await write(bench, { kind: 'delete', type: 'city', id: '1' }, 'k1')), 'key_reused')
    const bob = { account: bench.account, user: 'bob' }
    same(outcome(await bench.store.write(bob, create({ id: 2 }), 'k1')), ['2', 1, { id: 2 }])
  }],

  ['R17 idempotency keys are kept as long as a silent device, and a failed write keeps none', async (bench) => {
    same(outcome(await write(bench, { kind: 'update', type: 'city', id: '1', patch: { name: 'b' } }, 'k')), 'missing')
    await importCities(bench, [1])
    same(outcome(await rename(bench, '1', 'b')), ['1', 2, { id: 1, name: 'b' }])
    await write(bench, create({ name: 'n' }), 'c')
    bench.advance(90 * 86_400_000)
    same(outcome(await write(bench, create({ name: 'n' }), 'c')), ['2', 1, { id: 2, name: 'n' }])
    bench.advance(1)
    same(outcome(await write(bench, create({ name: 'n' }), 'c')), ['3', 1, { id: 3, name: 'n' }])
  }],

  ['R17 S16 the same keyed write sent many times at once takes effect once', async (bench) => {
    const results = await Promise.all(range(1, 8).map(() => write(bench, create({ name: 'n' }), 'k')))
    same(new Set(results.map((result) => (result.kind === 'written' ? result.object.id : result.kind))).size, 1, 'number of ids')
    same((await bench.store.list(bench.account, ['everyone'], 'city', { page: 1, perPage: 10 })).count, 1, 'number of objects')
  }],

  ['R37 data keys named __proto__ stay data, everywhere', async (bench) => {
    const text = '{"id":1,"__proto__":{"admin":true},"constructor":{"prototype":1},"toString":"x"}'
    await bench.store.importRecords(bench.account, [{ type: 'city', data: JSON.parse(text) }])
    const device = peer(bench, 'd1')
    const [item] = await device.drain()
    same(JSON.parse(item?.json ?? 'null'), JSON.parse(text), 'item')
    await write(bench, { kind: 'update', type: 'city', id: '1', patch: JSON.parse('{"__proto__":7}') })
    const [changed] = await device.drain()
    same(JSON.parse(changed?.json ?? 'null'), JSON.parse('{"id":1,"__proto__":7,"constructor":{"prototype":1},"toString":"x"}'))
    const stored = await bench.store.read(bench.account, ['everyone'], 'city', '1')
    same(stored?.data, JSON.parse('{"id":1,"__proto__":7,"constructor":{"prototype":1},"toString":"x"}'), 'stored data')
    same(({} as { admin?: unknown }).admin === undefined, true, 'cleanness of the prototype')
  }],

  ['ITEM-6 S15 any JSON comes back as it went in: odd texts, numbers, depth, empty names', async (bench) => {
    const data = { id: 1, '': 0, nul: 'a\u0000b', line: 'a\nb\r\u2028', half: '\ud800', pair: '😀', quote: `'"\\;--`, big: 1e300, tiny: -0.1, deep: [[[{ a: [null, false] }]]] }
    await bench.store.importRecords(bench.account, [{ type: 'city', data }])
    const [item] = await peer(bench, 'd1').fetchAll()
    same(JSON.parse(item?.json ?? 'null'), data)
    await bench.store.importRecords(bench.account, [{ type: 'city', data: { id: "x'); drop table objects; --", n: 1 } }])
    same((await bench.store.list(bench.account, ['everyone'], 'city', { page: 1, perPage: 10 })).count, 2, 'number of objects')
  }],

  ['R37 an import is an upsert: new ones come, changed ones change, equal ones keep their revision', async (bench) => {
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
    same((await device.drain()).map(({ id, revision, json }) => [id, revision, JSON.parse(json)]), [
      ['2', 2, { id: 2, name: 'second' }], ['3', 3, { id: 3, name: 'first' }], ['4', 1, { id: '4', name: 'b' }],
    ])
  }],

  ['R37 an import is all or nothing', async (bench) => {
    const records = [{ type: 'city', data: { id: 1 } }, { type: 'city', data: { name: 'no id' } }]
    same(await bench.store.importRecords(bench.account, records).then(() => 'stored', () => 'refused'), 'refused')
    same(await peer(bench, 'd1').start(), null, 'start')
  }],

  ['WRITE-1 lists are by page, by id, in the order asked for, and count everything that fits', async (bench) => {
    await bench.store.importRecords(bench.account, [
      { type: 'city', data: { id: 10, name: 'b' } }, { type: 'city', data: { id: 9, name: 'c' } },
      { type: 'city', data: { id: 'x', name: null } }, { type: 'city', data: { id: 11, name: 'a' } },
      { type: 'city', data: { id: 12, name: 5 } }, { type: 'river', data: { id: 1 } },
    ])
    const ids = async (page: Parameters<typeof bench.store.list>[3]) => {
      const { objects, count } = await bench.store.list(bench.account, ['everyone'], 'city', page)
      return [count, objects.map((object) => object.id)]
    }
    same(await ids({ page: 1, perPage: 10 }), [5, ['9', '10', '11', '12', 'x']])
    same(await ids({ page: 2, perPage: 2 }), [5, ['11', '12']])
    same(await ids({ page: 1, perPage: 10, ids: ['11', 'x', 'none'] }), [2, ['11', 'x']])
    same(await ids({ page: 1, perPage: 10, sortBy: { field: 'id', dir: 'desc' } }), [5, ['x', '12', '11', '10', '9']])
    same(await ids({ page: 1, perPage: 10, sortBy: { field: 'name', dir: 'asc' } }), [5, ['x', '12', '11', '10', '9']])
    same(await ids({ page: 9, perPage: 10 }), [5, []])
  }],

  ['AUTH-1 accounts do not meet: neither reads, nor writes, nor ids', async (bench) => {
    await importCities(bench, [1])
    const other = { ...bench, account: `${bench.account}-b` }
    same(outcome(await rename(other, '1', 'x')), 'missing')
    same(await other.store.read(other.account, ['everyone'], 'city', '1'), null, 'object in another account')
    same(outcome(await write(other, create({ id: 1, name: 'theirs' }))), ['1', 1, { id: 1, name: 'theirs' }])
    same(told(await peer(other, 'd1').fetchAll()), ['created 1'])
  }],
]
