/** Cases: what a user may see decides what his devices are told (AUTH-3, R34, S10). */
import { importCities, peer, remove, rename, same, told, write, type Bench, type Case } from './kit.ts'

function placed(bench: Bench, id: number, scopes: readonly string[]): Promise<unknown> {
  return bench.store.importRecords(bench.account, [{ type: 'city', data: { id, name: 'first' }, scopes }])
}

function move(bench: Bench, id: string, scopes: readonly string[]): Promise<unknown> {
  return write(bench, { kind: 'update', type: 'city', id, patch: {}, scopes })
}

export const sight: readonly Case[] = [
  [
    'AUTH-3 a device is told of what shares a scope with its user, and of nothing else',
    async (bench) => {
      await placed(bench, 1, ['east'])
      await placed(bench, 2, ['west', 'south'])
      await importCities(bench, [3])
      same(told(await peer(bench, 'd1', { sees: ['east', 'south'] }).drain()), ['created 1', 'created 2'])
      same(told(await peer(bench, 'd2', { sees: ['everyone'] }).drain()), ['created 3'])
      same(await peer(bench, 'd3', { sees: [] }).start(), null, 'start of a user who sees nothing')
      same(await bench.store.read(bench.account, ['east'], 'city', '2'), null, 'object out of sight')
      same(
        (await bench.store.list(bench.account, ['east'], 'city', { page: 1, perPage: 9 })).count,
        1,
        'number of objects in sight',
      )
    },
  ],

  [
    'AUTH-3 O-12 an object moved out of sight is told as deleted with a higher revision, moved back it comes again',
    async (bench) => {
      await placed(bench, 1, ['east'])
      const device = peer(bench, 'd1', { sees: ['east'] })
      const [first] = await device.drain()
      await move(bench, '1', ['west'])
      const [lost] = await device.drain()
      same([lost?.event, lost?.json, (lost?.revision ?? 0) > (first?.revision ?? 0)], ['deleted', '{"id":1}', true])
      await rename(bench, '1', 'unseen')
      same(await device.start(), null, 'start after a change out of sight')
      await move(bench, '1', ['east'])
      const [back] = await device.drain()
      same([back?.event, (back?.revision ?? 0) > (lost?.revision ?? 0)], ['updated', true])
    },
  ],

  [
    'AUTH-3 O-12 S10 a user who loses a scope is told that its objects are gone; given it back, they come again',
    async (bench) => {
      await placed(bench, 1, ['east'])
      await placed(bench, 2, ['west'])
      const both = peer(bench, 'd1', { sees: ['east', 'west'] })
      const east = peer(bench, 'd1', { sees: ['east'] })
      const before = await both.drain()
      const [lost] = await east.drain()
      const revisionBefore = before.find((item) => item.id === '2')?.revision ?? 0
      same([lost?.event, lost?.id, (lost?.revision ?? 0) > revisionBefore], ['deleted', '2', true])
      same(await east.start(), null, 'start after the loss was acknowledged')
      await rename(bench, '2', 'unseen')
      await placed(bench, 3, ['west'])
      await remove(bench, '3')
      same(await east.start(), null, 'start after changes in the lost scope')
      // Of 3, which lived and died out of sight, a delete may come (FAQ-4.2).
      const back = (await both.drain()).filter((item) => item.id !== '3')
      same(told(back), ['updated 2'])
      same((back[0]?.revision ?? 0) > (lost?.revision ?? 0), true, 'growth of the revision')
      same(await both.start(), null, 'start after that')
    },
  ],

  [
    'AUTH-3 a loss comes again until it is acknowledged, also of what was handed out and never acknowledged',
    async (bench) => {
      await placed(bench, 1, ['west'])
      await peer(bench, 'd1', { sees: ['west'] }).fetchAll()
      const blind = peer(bench, 'd1', { sees: [] })
      same(told(await blind.fetchAll()), ['deleted 1'])
      same(told(await blind.drain()), ['deleted 1'])
      same(await blind.start(), null, 'start after the loss was acknowledged')
    },
  ],

  [
    'AUTH-3 a user given a further scope is told of what is in it, however old',
    async (bench) => {
      await placed(bench, 1, ['east'])
      await placed(bench, 2, ['west'])
      const east = peer(bench, 'd1', { sees: ['east'] })
      await east.drain()
      same(told(await peer(bench, 'd1', { sees: ['east', 'west'] }).drain()), ['created 2'])
    },
  ],

  [
    'AUTH-3 an object deleted and a scope lost at the same time is told as deleted',
    async (bench) => {
      await placed(bench, 1, ['west'])
      await placed(bench, 2, ['west'])
      await remove(bench, '2')
      const device = peer(bench, 'd1', { sees: ['west'] })
      await device.drain()
      await remove(bench, '1')
      same(told(await peer(bench, 'd1', { sees: [] }).drain()), ['deleted 1'])
    },
  ],

  [
    'S10 what is out of sight at the moment of handing out is held back, and the next start says so',
    async (bench) => {
      await placed(bench, 1, ['west'])
      await placed(bench, 2, ['east'])
      const device = peer(bench, 'd1', { sees: ['east', 'west'] })
      const session = (await device.start()) ?? ''
      const taken = await bench.store.takePage(device.ref, session, { limit: 10, bytes: 1e6, sees: ['east'] })
      same(taken.kind === 'page' ? told(taken.items) : taken.kind, ['created 2'])
      same(told(await peer(bench, 'd1', { sees: ['east'] }).fetchAll()), ['created 2', 'deleted 1'])
    },
  ],

  [
    'AUTH-3 who does not see an object cannot change it',
    async (bench) => {
      await placed(bench, 1, ['west'])
      const stranger = { account: bench.account, user: 'bob', sees: ['east'] }
      const update = { kind: 'update', type: 'city', id: '1', patch: { name: 'x' } } as const
      same((await bench.store.write(stranger, update)).kind, 'missing')
      same((await bench.store.write(stranger, { kind: 'delete', type: 'city', id: '1' })).kind, 'missing')
      same((await bench.store.write({ ...stranger, sees: ['west'] }, update)).kind, 'written')
    },
  ],
]
