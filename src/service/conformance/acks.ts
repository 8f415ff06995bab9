/** Cases: what an acknowledgement does, and what it never does. */
import { holds, importCities, peer, range, remove, rename, same, told, write, type Case } from './kit.ts'

export const acks: readonly Case[] = [
  [
    'FAQ-1.0 ACK-6 the ledger is of the device: keys count after their session, and in any later one',
    async (bench) => {
      await importCities(bench, [1, 2])
      const device = peer(bench, 'd1')
      const items = await device.fetchAll()
      bench.advance(2 * 86_400_000)
      await device.ack(items)
      same(await device.start(), null, 'start')
    },
  ],

  [
    'FAQ-5.0 FAQ-5.1 S9 created means that no revision was ever acknowledged by this device',
    async (bench) => {
      await importCities(bench, [1])
      const device = peer(bench, 'd1')
      same(told(await device.fetchAll()), ['created 1'])
      same(told(await device.fetchAll()), ['created 1'], 'items of a second session')
      await rename(bench, '1', 'b')
      same(told(await device.drain()), ['created 1'], 'items after an unacknowledged change')
      await rename(bench, '1', 'c')
      same(told(await device.fetchAll()), ['updated 1'], 'items after an acknowledgement')
      await peer(bench, 'd2').drain()
      same(told(await device.fetchAll()), ['updated 1'], 'items after another device acknowledged')
    },
  ],

  [
    'ACK-4 S7 an acknowledgement of an older revision never covers a newer one',
    async (bench) => {
      await importCities(bench, [1])
      const device = peer(bench, 'd1')
      const old = await device.fetchAll()
      await rename(bench, '1', 'b')
      await device.ack(old)
      same(
        (await device.fetchAll()).map(({ event, revision }) => [event, revision]),
        [['updated', 2]],
      )
    },
  ],

  [
    'ACK-7 R33 S5 keys count in any order and any number: the highest revision stays',
    async (bench) => {
      await importCities(bench, [1])
      const device = peer(bench, 'd1')
      const first = await device.fetchAll()
      await rename(bench, '1', 'b')
      const second = await device.fetchAll()
      await device.ack([...second, ...first, ...second])
      await device.ack(first)
      same(await device.start(), null, 'start')
    },
  ],

  [
    'ACK-7 R33 S4 unknown, malformed, foreign and altered keys change nothing',
    async (bench) => {
      await importCities(bench, [1, 2])
      const [device, other] = [peer(bench, 'd1'), peer(bench, 'd2')]
      const [mine] = await device.fetchAll()
      const theirs = await other.fetchAll()
      const bob = await peer(bench, 'd1', { user: 'bob' }).fetchAll()
      const key = mine?.ackKey ?? ''
      const altered = key.split('').map((char, at) => key.slice(0, at) + (char === '1' ? '2' : '1') + key.slice(at + 1))
      const forged = [
        ...altered,
        '',
        'x',
        key.toUpperCase(),
        `${key} `,
        `${key}0`,
        '\u0000',
        'é'.repeat(300),
        'city-1-1',
      ]
      await bench.store.acceptAcks(device.ref, [
        ...forged.filter((text) => text !== key),
        ...[...theirs, ...bob].map((item) => item.ackKey),
      ])
      await bench.store.workOffAcks()
      same(told(await device.fetchAll()), ['created 1', 'created 2'])
      await bench.store.acceptAcks({ ...device.ref, device: 'never-seen' }, [key])
    },
  ],

  [
    'ACK-3 keys are unique for each object and revision, the same in every session, short and fit for a URL',
    async (bench) => {
      await importCities(bench, range(1, 20))
      const device = peer(bench, 'd1')
      const first = await device.fetchAll()
      const again = await device.fetchAll()
      same(
        again.map((item) => item.ackKey),
        first.map((item) => item.ackKey),
        'keys of a second session',
      )
      await rename(bench, '1', 'b')
      const keys = [...(await device.fetchAll()), ...first].map((item) => item.ackKey)
      same(new Set(keys).size, 21, 'number of different keys')
      holds(
        keys.every((key) => /^[A-Za-z0-9._~-]{1,200}$/.test(key)),
        'keys are at most 200 URL-safe characters',
      )
    },
  ],

  [
    'ACK-8 five thousand keys go in one call',
    async (bench) => {
      await importCities(bench, range(1, 5000))
      const device = peer(bench, 'd1', { limit: 1000 })
      await device.drain()
      same(await device.start(), null, 'start')
    },
  ],

  [
    'FAQ-6.0 FAQ-6.1 keys taken in and not worked off lose nothing: the items come again until then',
    async (bench) => {
      await importCities(bench, [1, 2])
      const device = peer(bench, 'd1')
      const items = await device.fetchAll()
      await bench.store.acceptAcks(
        device.ref,
        items.map((item) => item.ackKey),
      )
      await bench.store.workOffAcks({ minAgeMs: 1000 })
      same(told(await device.fetchAll()), ['created 1', 'created 2'], 'items before the keys are old enough')
      bench.advance(1000)
      await bench.store.workOffAcks({ minAgeMs: 1000 })
      same(await device.start(), null, 'start after the inbox was worked off')
    },
  ],

  [
    'FAQ-6.2 O-24 the keys of one device can be worked off alone, and in bounded portions',
    async (bench) => {
      await importCities(bench, range(1, 4))
      const [device, other] = [peer(bench, 'd1'), peer(bench, 'd2')]
      for (const one of [device, other]) {
        for (const item of await one.fetchAll()) await bench.store.acceptAcks(one.ref, [item.ackKey])
      }
      await bench.store.workOffAcks({ device: device.ref, limit: 3 })
      same(told(await device.fetchAll()), ['created 4'])
      same((await other.fetchAll()).length, 4, 'items of the other device')
      await bench.store.workOffAcks()
      same(await device.start(), null, 'start of the device')
      same(await other.start(), null, 'start of the other device')
    },
  ],

  [
    'ITEM-5 S8 a revision grows with every change, on deletion and re-creation too',
    async (bench) => {
      const revisions = []
      const create = { kind: 'create', type: 'city', data: { id: 1, name: 'a' } } as const
      for (const step of [
        () => write(bench, create),
        () => rename(bench, '1', 'b'),
        () => remove(bench, '1'),
        () => write(bench, create),
      ]) {
        const result = await step()
        revisions.push(result.kind === 'written' ? result.object.revision : result.kind)
      }
      same(revisions, [1, 2, 3, 4])
    },
  ],

  [
    'ITEM-5 FAQ-5.1 an object that died and came back is one object: told as updated to whom acknowledged it',
    async (bench) => {
      await importCities(bench, [1])
      const device = peer(bench, 'd1')
      await device.drain()
      await remove(bench, '1')
      await device.drain()
      await importCities(bench, [1], 'back')
      const items = await device.drain()
      same(
        items.map(({ event, revision, json }) => [event, revision, JSON.parse(json)]),
        [['updated', 3, { id: 1, name: 'back' }]],
      )
      same(told(await peer(bench, 'd2').drain()), ['created 1'])
    },
  ],

  [
    'FAQ-4.2 an object handed out after it came back is deleted again at the device, acknowledged or not',
    async (bench) => {
      await importCities(bench, [1])
      const device = peer(bench, 'd1')
      await device.drain()
      await remove(bench, '1')
      await device.drain()
      await importCities(bench, [1])
      await device.fetchAll()
      await remove(bench, '1')
      same(told(await device.drain()), ['deleted 1'])
    },
  ],
]
