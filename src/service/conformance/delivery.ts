/** Cases: what is handed out, once, to whom, and when it comes again. */
import { importCities, peer, range, remove, rename, same, told, write, type Case } from './kit.ts'

export const delivery: readonly Case[] = [
  [
    'FAQ-1.1 a session hands out everything pending, then ends for good',
    async (bench) => {
      await importCities(bench, range(1, 7))
      const device = peer(bench, 'd1', { limit: 3 })
      const session = (await device.start()) ?? ''
      const sizes = []
      for (let items = await device.page(session); items !== null; items = await device.page(session))
        sizes.push(items.length)
      same(sizes, [3, 3, 1], 'page sizes')
      same(await device.page(session), null, 'page after the end')
    },
  ],

  [
    'FAQ-1.2 FAQ-1.3 each device is told everything once, and is known again by its name',
    async (bench) => {
      await importCities(bench, [1, 2])
      const [one, other] = [peer(bench, 'd1'), peer(bench, 'd2')]
      same(await one.startIsNew(), true, 'newness of the first device')
      same(told(await one.drain()), ['created 1', 'created 2'])
      same(told(await other.drain()), ['created 1', 'created 2'])
      same(await one.startIsNew(), false, 'newness of a known device')
      same(await one.start(), null, 'start after everything was acknowledged')
    },
  ],

  [
    'DEV-2 O-21 another name, another user and another account are each another device',
    async (bench) => {
      await importCities(bench, [1])
      await peer(bench, 'd1').drain()
      same(told(await peer(bench, 'D1').fetchAll()), ['created 1'], 'items for a name that differs in case')
      same(told(await peer(bench, 'd1', { user: 'bob' }).fetchAll()), ['created 1'], 'items for another user')
      const elsewhere = peer({ ...bench, account: `${bench.account}-other` }, 'd1')
      same(await elsewhere.start(), null, 'start in an account without data')
    },
  ],

  [
    'FAQ-1.4 FAQ-2.1 S6 what was handed out and not acknowledged comes again in the next session',
    async (bench) => {
      await importCities(bench, range(1, 6))
      const device = peer(bench, 'd1', { limit: 2 })
      const session = (await device.start()) ?? ''
      await device.ack((await device.page(session)) ?? [])
      await device.page(session)
      await device.ack((await device.page(session)) ?? [])
      same(told(await device.fetchAll()), ['created 3', 'created 4'])
    },
  ],

  [
    'FETCH-3 nothing is offered twice in one session, acknowledged or not',
    async (bench) => {
      await importCities(bench, range(1, 5))
      const device = peer(bench, 'd1', { limit: 2 })
      const items = await device.fetchAll()
      same(items.length, 5, 'number of items')
      same(new Set(items.map((item) => item.id)).size, 5, 'number of different items')
    },
  ],

  [
    'FETCH-4 S14 several callers of one session get each item exactly once',
    async (bench) => {
      await importCities(bench, range(1, 60))
      const device = peer(bench, 'd1', { limit: 7 })
      const session = (await device.start()) ?? ''
      const lanes = await Promise.all(
        range(1, 4).map(async () => {
          const ids: string[] = []
          for (let items = await device.page(session); items !== null; items = await device.page(session)) {
            ids.push(...items.map((item) => item.id))
          }
          return ids
        }),
      )
      same(
        lanes.flat().sort((a, b) => Number(a) - Number(b)),
        range(1, 60).map(String),
      )
    },
  ],

  [
    'ITEM-1 an object comes once, in its newest state',
    async (bench) => {
      await importCities(bench, [1])
      const device = peer(bench, 'd1')
      for (const name of ['b', 'c', 'd']) await rename(bench, '1', name)
      const items = await device.fetchAll()
      same(
        items.map(({ id, revision, json }) => [id, revision, JSON.parse(json)]),
        [['1', 4, { id: 1, name: 'd' }]],
      )
    },
  ],

  [
    'R32 what was pending at the start is handed out in that session with its newest data, later changes in the next',
    async (bench) => {
      await importCities(bench, range(1, 4))
      const device = peer(bench, 'd1', { limit: 2 })
      const session = (await device.start()) ?? ''
      const first = (await device.page(session)) ?? []
      await rename(bench, '1', 'late')
      await rename(bench, '4', 'newest')
      await importCities(bench, [5])
      const second = (await device.page(session)) ?? []
      same(
        second.map((item) => JSON.parse(item.json)),
        [
          { id: 3, name: 'first' },
          { id: 4, name: 'newest' },
        ],
      )
      same(await device.page(session), null, 'end of the session')
      await device.ack([...first, ...second])
      same(told(await device.fetchAll()), ['created 5', 'updated 1'])
    },
  ],

  [
    'FAQ-3.2 nothing that changes during a drain is lost',
    async (bench) => {
      await importCities(bench, range(1, 10))
      const device = peer(bench, 'd1', { limit: 3 })
      const session = (await device.start()) ?? ''
      const seen = new Map<string, number>()
      let next = 11
      for (let items = await device.page(session); items !== null; items = await device.page(session)) {
        for (const item of items) seen.set(item.id, item.revision)
        await device.ack(items)
        await importCities(bench, [next++])
        await rename(bench, '1', `change ${next}`)
        await remove(bench, '2')
      }
      for (const item of await device.drain()) seen.set(item.id, item.revision)
      same(seen.size, next - 1, 'number of objects told of')
      same(seen.get('1'), 5, 'newest revision of 1')
      same(await device.start(), null, 'start after that')
    },
  ],

  [
    'S9 FAQ-4.0 FAQ-4.1 what lived and died before a device is never told to it',
    async (bench) => {
      await importCities(bench, [1, 2])
      await remove(bench, '1')
      same(told(await peer(bench, 'd1').drain()), ['created 2'])
      await remove(bench, '2')
      same(await peer(bench, 'd2').start(), null, 'start of a device born after all have died')
    },
  ],

  [
    'FAQ-4.2 FAQ-4.3 a delete is told to whom the object was handed out, acknowledged or not',
    async (bench) => {
      await importCities(bench, [1, 2])
      const [acking, silent] = [peer(bench, 'd1'), peer(bench, 'd2')]
      await acking.drain()
      await silent.fetchAll()
      await remove(bench, '1')
      same(told(await acking.drain()), ['deleted 1'])
      same(told(await silent.drain()), ['created 2', 'deleted 1'])
      same(await acking.start(), null, 'start after the delete was acknowledged')
    },
  ],

  [
    'FAQ-4.4 ITEM-2 a delete carries the key fields alone, ids as they were',
    async (bench) => {
      await bench.store.importRecords(bench.account, [
        { type: 'city', data: { id: 7, name: 'x' } },
        { type: 'city', data: { id: 'seven', name: 'y' } },
        { type: 'associated_contact', data: { id: '5:6', deal_id: 5, contact_id: 6, role: 'involved' } },
      ])
      const device = peer(bench, 'd1')
      await device.drain()
      for (const id of ['7', 'seven']) await remove(bench, id)
      await write(bench, { kind: 'delete', type: 'associated_contact', id: '5:6' })
      const data = (await device.drain()).map((item) => JSON.parse(item.json))
      same(data, [{ id: 7 }, { id: 'seven' }, { id: '5:6', deal_id: 5, contact_id: 6 }])
    },
  ],
]
