/** Cases: how long sessions and devices live, how large pages are, how many sessions a user may have. */
import { holds, importCities, peer, range, same, told, type Case } from './kit.ts'

export const sessions: readonly Case[] = [
  [
    'R32 O-5 TAB-1 a new start leaves the older session alive',
    async (bench) => {
      await importCities(bench, range(1, 4))
      const device = peer(bench, 'd1', { limit: 2 })
      const older = (await device.start()) ?? ''
      const newer = (await device.start()) ?? ''
      holds(older !== newer, 'two starts give two sessions')
      same((await device.page(older))?.length, 2, 'items of the older session')
      same((await device.page(newer))?.length, 2, 'items of the newer session')
    },
  ],

  [
    'DEV-4 FETCH-5 S3 a session belongs to its device; to any other it does not exist',
    async (bench) => {
      await importCities(bench, [1])
      const session = (await peer(bench, 'd1').start()) ?? ''
      const limits = { limit: 10, bytes: 1000, sees: ['everyone'] }
      for (const other of [{ device: 'd2' }, { user: 'bob' }, { account: `${bench.account}-x` }]) {
        const ref = { ...peer(bench, 'd1').ref, ...other }
        same((await bench.store.takePage(ref, session, limits)).kind, 'gone')
      }
      same((await bench.store.takePage(peer(bench, 'd1').ref, 'no-such-session', limits)).kind, 'gone')
      same((await peer(bench, 'd1').page(session))?.length, 1, 'items for the owner')
    },
  ],

  [
    'O-2 a session ends an hour after its last use, and a day after its start',
    async (bench) => {
      await importCities(bench, range(1, 60))
      const device = peer(bench, 'd1', { limit: 1 })
      const limits = { limit: 1, bytes: 1000, sees: ['everyone'] }
      const kind = async (session: string) => (await bench.store.takePage(device.ref, session, limits)).kind
      const idle = (await device.start()) ?? ''
      bench.advance(3_600_000)
      same(await kind(idle), 'page', 'kind after exactly an hour')
      bench.advance(3_600_001)
      same(await kind(idle), 'gone', 'kind after more than an hour')
      const long = (await device.start()) ?? ''
      for (let half = 0; half < 48; half++) {
        bench.advance(1_800_000)
        same(await kind(long), 'page', `kind after ${half / 2} hours`)
      }
      bench.advance(1)
      same(await kind(long), 'gone', 'kind after a day')
    },
  ],

  [
    'O-22 a device silent for more than 90 days is forgotten',
    async (bench) => {
      await importCities(bench, [1])
      const device = peer(bench, 'd1')
      await device.drain()
      bench.advance(90 * 86_400_000)
      same(await device.startIsNew(), false, 'newness after 90 days')
      bench.advance(90 * 86_400_000 + 1)
      same(await device.startIsNew(), true, 'newness after more than 90 days')
      same(told(await device.fetchAll()), ['created 1'])
    },
  ],

  [
    'R14 a forgotten device starts as a new one, and the keys of its earlier life count no more',
    async (bench) => {
      await importCities(bench, [1])
      const device = peer(bench, 'd1')
      const before = await device.drain()
      await bench.store.forget(device.ref)
      same(await device.startIsNew(), true, 'newness')
      await device.ack(before)
      same(told(await device.fetchAll()), ['created 1'])
    },
  ],

  [
    'R11 a page is closed before it outgrows its bytes; a larger item makes a page of its own',
    async (bench) => {
      const sized = (id: number, length: number) => ({ type: 'city', data: { id, text: 'é'.repeat(length / 2) } })
      await bench.store.importRecords(bench.account, [
        sized(1, 3000),
        sized(2, 3000),
        sized(3, 3000),
        sized(4, 30_000),
        sized(5, 1000),
      ])
      const device = peer(bench, 'd1', { bytes: 8000 })
      const session = (await device.start()) ?? ''
      const pages = []
      for (let items = await device.page(session); items !== null; items = await device.page(session))
        pages.push(items.map((item) => item.id))
      same(pages, [['1', '2'], ['3'], ['4'], ['5']])
    },
  ],

  [
    'RATE-2 S13 the sessions of a user are counted: drained, expired and replaced ones are not',
    async (bench) => {
      await importCities(bench, [1])
      const open = (device: string, user = 'ann') =>
        bench.store.openSession({ account: bench.account, user, device }, ['everyone'], 3)
      const kinds = await Promise.all(range(1, 8).map(async (number) => (await open(`d${number}`)).kind))
      same(kinds.filter((kind) => kind === 'opened').length, 3, 'sessions of eight starts at once')
      const held = `d${kinds.indexOf('opened') + 1}`
      same((await open(held)).kind, 'opened', 'kind for a device that replaces its own')
      same((await open('d9')).kind, 'too_many')
      same((await open('d9', 'bob')).kind, 'opened', 'kind for another user')
      const drained = await open(held)
      const ref = { account: bench.account, user: 'ann', device: held }
      const limits = { limit: 10, bytes: 1000, sees: ['everyone'] }
      if (drained.kind === 'opened')
        for (let at = 0; at < 2; at++) await bench.store.takePage(ref, drained.session, limits)
      same((await open('d9')).kind, 'opened', 'kind once another session was drained')
      same((await open('d10')).kind, 'too_many')
      bench.advance(3_600_001)
      same((await open('d10')).kind, 'opened', 'kind once the others have expired')
    },
  ],
]
