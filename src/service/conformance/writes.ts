/** Cases: writes and idempotency keys. */
import { create, importCities, outcome, peer, range, remove, rename, same, write, type Case } from './kit.ts'
import type { WriteOp } from '../store.ts'

export const writes: readonly Case[] = [
  [
    'WRITE-1 an update replaces the fields given and leaves the others',
    async (bench) => {
      await write(bench, create({ id: 1, name: 'a', tags: ['x'], at: { lon: 1 } }))
      const patch = { tags: ['y'], at: { lat: 2 }, extra: null }
      same(outcome(await write(bench, { kind: 'update', type: 'city', id: '1', patch })), [
        '1',
        2,
        { id: 1, name: 'a', tags: ['y'], at: { lat: 2 }, extra: null },
      ])
    },
  ],

  [
    'R37 a write that changes nothing changes no revision and tells nobody',
    async (bench) => {
      await write(bench, create({ id: 1, name: 'a', at: { lon: 1, lat: 2 } }))
      const device = peer(bench, 'd1')
      await device.drain()
      const patch = { at: { lat: 2, lon: 1 } }
      same(outcome(await write(bench, { kind: 'update', type: 'city', id: '1', patch })), [
        '1',
        1,
        { id: 1, name: 'a', at: { lon: 1, lat: 2 } },
      ])
      same(await device.start(), null, 'start')
    },
  ],

  [
    'WRITE-1 what is absent or deleted cannot be changed, what is there cannot be created',
    async (bench) => {
      await importCities(bench, [1, 2])
      await remove(bench, '2')
      same(outcome(await rename(bench, '9', 'x')), 'missing')
      same(outcome(await rename(bench, '2', 'x')), 'missing')
      same(outcome(await remove(bench, '2')), 'missing')
      same(outcome(await write(bench, create({ id: '1' }))), 'exists')
    },
  ],

  [
    'ITEM-7 ids are compared as text and keep their own form',
    async (bench) => {
      await importCities(bench, ['1', 'Ärger/#? %', 9007199254740991, -5])
      const read = async (id: string) => (await bench.store.read(bench.account, ['everyone'], 'city', id))?.data
      same(await read('1'), { id: '1', name: 'first' })
      same(await read('Ärger/#? %'), { id: 'Ärger/#? %', name: 'first' })
      same(await read('9007199254740991'), { id: 9007199254740991, name: 'first' })
      same(await read('-5'), { id: -5, name: 'first' })
      const items = await peer(bench, 'd1').fetchAll()
      same(
        items.map((item) => item.id),
        ['1', 'Ärger/#? %', '9007199254740991', '-5'],
      )
    },
  ],

  [
    'R13 a create without an id gets the next whole number, never one that was used',
    async (bench) => {
      await importCities(bench, [7, 'x', '12'])
      same(outcome(await write(bench, create({ name: 'n' }))), ['13', 1, { id: 13, name: 'n' }])
      await remove(bench, '13')
      same(outcome(await write(bench, create({}))), ['14', 1, { id: 14 }])
      same(outcome(await write(bench, { kind: 'create', type: 'river', data: {} })), ['1', 1, { id: 1 }])
    },
  ],

  [
    'R17 S16 the same idempotency key and operation take effect once and give the first answer',
    async (bench) => {
      const op = create({ name: 'once', at: { lon: 1, lat: 2 } })
      const first = outcome(await write(bench, op, 'k1'))
      const again = create({ at: { lat: 2, lon: 1 }, name: 'once' })
      same(
        [first, outcome(await write(bench, again, 'k1'))],
        [
          ['1', 1, { id: 1, name: 'once', at: { lon: 1, lat: 2 } }],
          ['1', 1, { id: 1, name: 'once', at: { lon: 1, lat: 2 } }],
        ],
      )
      same((await peer(bench, 'd1').fetchAll()).length, 1, 'number of objects')
    },
  ],

  [
    'R17 a replay gives the first answer whatever happened since, also for update and delete',
    async (bench) => {
      await importCities(bench, [1, 2])
      const update: WriteOp = { kind: 'update', type: 'city', id: '1', patch: { name: 'b' } }
      const removal: WriteOp = { kind: 'delete', type: 'city', id: '2' }
      await write(bench, update, 'u')
      await write(bench, removal, 'd')
      await rename(bench, '1', 'c')
      same(outcome(await write(bench, update, 'u')), ['1', 2, { id: 1, name: 'b' }])
      same(outcome(await write(bench, removal, 'd')), ['2', 2, null])
      same(
        (await bench.store.read(bench.account, ['everyone'], 'city', '1'))?.data,
        { id: 1, name: 'c' },
        'data after the replay',
      )
    },
  ],

  [
    'R17 a key used for another operation is refused; keys of other users do not meet',
    async (bench) => {
      await write(bench, create({ id: 1 }), 'k1')
      same(outcome(await write(bench, create({ id: 2 }), 'k1')), 'key_reused')
      same(outcome(await write(bench, { kind: 'delete', type: 'city', id: '1' }, 'k1')), 'key_reused')
      const bob = { account: bench.account, user: 'bob' }
      same(outcome(await bench.store.write(bob, create({ id: 2 }), 'k1')), ['2', 1, { id: 2 }])
    },
  ],

  [
    'R17 idempotency keys are kept as long as a silent device, and a failed write keeps none',
    async (bench) => {
      same(outcome(await write(bench, { kind: 'update', type: 'city', id: '1', patch: { name: 'b' } }, 'k')), 'missing')
      await importCities(bench, [1])
      same(outcome(await rename(bench, '1', 'b')), ['1', 2, { id: 1, name: 'b' }])
      await write(bench, create({ name: 'n' }), 'c')
      bench.advance(90 * 86_400_000)
      same(outcome(await write(bench, create({ name: 'n' }), 'c')), ['2', 1, { id: 2, name: 'n' }])
      bench.advance(1)
      same(outcome(await write(bench, create({ name: 'n' }), 'c')), ['3', 1, { id: 3, name: 'n' }])
    },
  ],

  [
    'R17 S16 the same keyed write sent many times at once takes effect once',
    async (bench) => {
      const results = await Promise.all(range(1, 8).map(() => write(bench, create({ name: 'n' }), 'k')))
      same(
        new Set(results.map((result) => (result.kind === 'written' ? result.object.id : result.kind))).size,
        1,
        'number of ids',
      )
      same(
        (await bench.store.list(bench.account, ['everyone'], 'city', { page: 1, perPage: 10 })).count,
        1,
        'number of objects',
      )
    },
  ],
]
