/**
 * Writing offline, in real windows of a real browser, with the built package against the real service over real HTTP
 * (promise 6): durable at once, seen at once, and exactly once at the server whatever fails on the way.
 */
import { expect, test, type BrowserContext, type Page } from '@playwright/test'
import type { LiveSnapshot } from '../src/index.ts'
import type { Contact } from './fixtures/writes/schema.ts'
import type { Helpers } from './fixtures/writes/page.ts'
import type { Fault } from './support/line.ts'
import { inSync, openWindow, reconnect, roleOf, unsent, whenOpen, whenSent } from './support/windows.ts'
import { buildPage, openWorld, type World, type WorldOptions } from './support/world.ts'

declare const sync: Helpers['sync']
declare const outbox: Helpers['outbox']
declare const follow: Helpers['follow']
declare const timeToShow: Helpers['timeToShow']
declare let seen: LiveSnapshot<Contact>[]

let page: { site: string; remove: () => void }
let opened: World[] = []

test.beforeAll(async () => {
  page = await buildPage()
})
test.afterAll(() => page?.remove())
test.afterEach(async () => {
  await Promise.all(opened.map((world) => world.close()))
  opened = []
})

async function start(options: Omit<WorldOptions, 'site'> = {}): Promise<World> {
  const world = await openWorld({ ...options, site: page.site })
  opened.push(world)
  return world
}

const WORDS: Readonly<Record<Fault, string>> = {
  away: 'away before the request',
  lost: 'lost after the effect',
  cut: 'cut in the middle of the answer',
  busy: 'busy',
  gateway: 'behind a gateway that gives up',
}

const contacts = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    type: 'contact',
    data: { id: n + 1, name: `Contact ${n + 1}`, phone: '0' },
  }))

const phoneOf = (at: Page, id: number): Promise<string | undefined> =>
  at.evaluate(async (key) => (await sync.contact.get(key))?.phone, id)

/** Starts to record every snapshot of the contacts with this name. */
const record = (at: Page, name: string): Promise<void> =>
  at.evaluate((given) => {
    Object.assign(window, { seen: follow(sync.contact.where({ name: given }).live()) })
  }, name)

test.describe('two windows on two devices', () => {
  test('an edit made without a network is nowhere else until the network is back, and then it is (R20), both ways', async ({
    browser,
  }) => {
    const world = await start({ records: contacts(3) })
    const contexts = [await browser.newContext(), await browser.newContext()] as const
    const [a, b] = [
      await openWindow(contexts[0], world, { token: 'ann-1', poll: 200 }),
      await openWindow(contexts[1], world, { token: 'ann-2', poll: 200 }),
    ]
    for (const [context, mine, theirs, id] of [
      [contexts[0], a, b, 1],
      [contexts[1], b, a, 2],
    ] as Array<[BrowserContext, Page, Page, number]>) {
      await Promise.all([inSync(mine), inSync(theirs)])
      await context.setOffline(true)
      await mine.evaluate((key) => sync.contact.update(key, { phone: 'offline' }).then(() => undefined), id)
      expect(await phoneOf(mine, id), 'seen at once where it was made').toBe('offline')
      await expect.poll(() => unsent(mine)).toBe(1)
      await inSync(theirs)
      expect(await phoneOf(theirs, id)).toBe('0')
      await context.setOffline(false)
      await expect.poll(() => phoneOf(theirs, id)).toBe('offline')
      await expect.poll(() => unsent(mine)).toBe(0)
    }
    expect(world.effects()).toBe(2)
    for (const context of contexts) await context.close()
  })

  test('a field changed in both is the one of the edit that comes later (client-wins), the value that lost is kept, and other fields do not conflict (R19)', async ({
    browser,
  }) => {
    const world = await start({ records: contacts(1) })
    const [mine, theirs] = [await browser.newContext(), await browser.newContext()]
    const a = await openWindow(mine, world, { token: 'ann-1' })
    const b = await openWindow(theirs, world, { token: 'ann-2' })
    await Promise.all([inSync(a), inSync(b)])
    world.line('ann-1').network = 'off'
    await a.evaluate(() => sync.contact.update(1, { phone: 'of A' }).then(() => undefined))
    await b.evaluate(async () => {
      const edit = await sync.contact.update(1, { phone: 'of B', name: 'Named by B' })
      await edit.synced()
    })
    await reconnect(a, world)
    await whenSent(a)
    expect(await world.records('contact')).toEqual([{ id: 1, name: 'Named by B', phone: 'of A' }])
    await Promise.all([inSync(a), inSync(b)])
    for (const window of [a, b])
      expect(await window.evaluate(() => sync.contact.get(1))).toEqual({ id: 1, name: 'Named by B', phone: 'of A' })
    const conflicts = await a.evaluate(() => outbox().conflicts)
    expect(conflicts).toMatchObject([
      {
        collection: 'contact',
        key: 1,
        deleted: null,
        fields: [{ field: 'phone', base: '0', ours: 'of A', theirs: 'of B', kept: 'ours' }],
      },
    ])
    // Kept over a reload, until somebody has seen it.
    await a.reload()
    await whenOpen(a)
    await expect.poll(() => a.evaluate(() => outbox().conflicts.length)).toBe(1)
    await a.evaluate((id) => sync.outbox.dismiss(id), conflicts[0]!.id)
    await expect.poll(() => a.evaluate(() => outbox().conflicts.length)).toBe(0)
    for (const context of [mine, theirs]) await context.close()
  })
})

test.describe('one device', () => {
  test('an edit in a tab that does not lead is shown in the other at once, without a network, outlives a reload of both, and is sent once, by the leader (promise 7, R25, I15)', async ({
    context,
  }) => {
    const world = await start({ records: contacts(2) })
    const first = await openWindow(context, world)
    await inSync(first)
    const second = await openWindow(context, world)
    expect([await roleOf(first), await roleOf(second)]).toEqual(['leader', 'follower'])
    await record(first, 'Contact 1')
    await expect.poll(() => first.evaluate(() => seen.at(-1)?.state)).toBe('ready')
    world.line('ann-1').network = 'off'
    const id = await second.evaluate(async () => (await sync.contact.update(1, { phone: 'second' })).id)
    await expect
      .poll(() => first.evaluate(() => [seen.at(-1)?.rows[0]?.phone, seen.at(-1)?.states[0]]), { timeout: 1_000 })
      .toEqual(['second', 'pending'])
    await Promise.all([first.reload(), second.reload()])
    for (const tab of [first, second]) {
      await whenOpen(tab)
      expect(await phoneOf(tab, 1)).toBe('second')
      await expect.poll(() => unsent(tab)).toBe(1)
    }
    await reconnect(first, world)
    for (const tab of [first, second]) {
      await whenSent(tab)
      expect(await tab.evaluate(async (edit) => (await sync.outbox.find(edit))?.state ?? 'synced', id)).toBe('synced')
    }
    expect([world.effects(), new Set(world.writes.map(({ key }) => key)).size]).toEqual([1, 1])
    expect(await world.records('contact')).toContainEqual({ id: 1, name: 'Contact 1', phone: 'second' })
  })

  test('1,000 edits made without a network are 1,000 changes at the server, no more and no fewer (I12, promise 6)', async ({
    context,
  }) => {
    const world = await start({ records: contacts(800) })
    const window = await openWindow(context, world)
    await inSync(window)
    world.line('ann-1').network = 'off'
    const written = await window.evaluate(async () => {
      const begun = performance.now()
      for (let n = 1; n <= 700; n++) await sync.contact.update(n, { phone: `new ${n}` })
      for (let n = 701; n <= 800; n++) await sync.contact.delete(n)
      for (let n = 1; n <= 200; n++) await sync.contact.insert({ name: `Added ${n}` })
      return performance.now() - begun
    })
    await expect.poll(() => unsent(window)).toBe(1_000)
    const begun = performance.now()
    await reconnect(window, world)
    await expect.poll(() => unsent(window), { timeout: 40_000 }).toBe(0)
    const sent = performance.now() - begun
    console.log(`1,000 edits: made in ${Math.round(written)} ms, one by one; sent in ${Math.round(sent)} ms`)
    test.info().annotations.push({ type: 'figures', description: JSON.stringify({ written, sent }) })
    expect(world.effects()).toBe(1_000)
    const there = await world.records('contact')
    expect(there.length).toBe(900)
    await inSync(window)
    const here = await window.evaluate(() => sync.contact.all())
    const byId = (a: { id: number }, b: { id: number }): number => a.id - b.id
    expect([...here].sort(byId)).toEqual([...there].sort(byId))
  })

  test('a record made offline and a deal that names it arrive after a reload, the deal with the real key; the old key finds the record in every tab, and no list is ever without it (R18, I13)', async ({
    context,
  }) => {
    const world = await start()
    const first = await openWindow(context, world)
    const second = await openWindow(context, world)
    await inSync(first)
    world.line('ann-1').network = 'off'
    const key = await first.evaluate(async () => {
      const [ann] = await sync.write((tx) => {
        const made = tx.contact.insert({ name: 'Ann' })
        tx.deal.insert({ name: 'Bridge', contact_id: made })
      })
      // One by itself: no group keeps it behind the contact.
      await sync.deal.insert({ name: 'Tower', contact_id: Number(ann!.key) })
      return Number(ann!.key)
    })
    expect(key).toBeLessThan(0)
    await Promise.all([first.reload(), second.reload()])
    for (const tab of [first, second]) {
      await whenOpen(tab)
      await record(tab, 'Ann')
      await expect.poll(() => tab.evaluate(() => seen.at(-1)?.rows.length)).toBe(1)
    }
    await reconnect(first, world)
    await whenSent(first)
    await inSync(first)
    const [ann] = await world.records('contact')
    const deals = await world.records('deal')
    expect(Object.fromEntries(deals.map(({ name, contact_id }) => [name, contact_id]))).toEqual({
      Bridge: ann!.id,
      Tower: ann!.id,
    })
    expect(world.effects()).toBe(3)
    for (const tab of [first, second]) {
      await expect.poll(() => tab.evaluate(() => seen.at(-1)?.rows.map(({ id }) => id))).toEqual([ann!.id])
      const moments = await tab.evaluate(() =>
        seen.map(({ state, rows }) => ({ state, names: rows.map(({ name }) => name) })),
      )
      const shown = moments.findIndex(({ names }) => names.length > 0)
      for (const moment of moments.slice(shown)) expect(moment).toEqual({ state: 'ready', names: ['Ann'] })
    }
    await Promise.all([first.reload(), second.reload()])
    for (const tab of [first, second]) {
      await whenOpen(tab)
      expect(await tab.evaluate((old) => sync.contact.get(old), key)).toEqual(ann)
      expect(await tab.evaluate((old) => sync.deal.where({ contact_id: old }).count(), key)).toBe(2)
    }
  })

  test('what the server refuses is listed with the field at fault, mended by the user, and arrives; others are not held up (I14, F54, L3)', async ({
    context,
  }) => {
    const world = await start({
      records: contacts(2),
      validate: ({ data }) =>
        data['email'] === 'nonsense'
          ? [{ code: 'incorrect_value', message: 'must be an e-mail address', field: '/email' }]
          : undefined,
    })
    const window = await openWindow(context, world)
    await inSync(window)
    const state = await window.evaluate(async () => {
      const bad = await sync.contact.update(1, { email: 'nonsense' })
      const good = await sync.contact.update(2, { email: 'two@example.com' })
      return [await bad.synced(), await good.synced()]
    })
    expect(state).toEqual(['failed', 'synced'])
    await expect.poll(() => window.evaluate(() => outbox().failed)).toBe(1)
    const [failed] = await window.evaluate(() => outbox().edits)
    expect(failed).toMatchObject({
      state: 'failed',
      key: 1,
      value: { email: 'nonsense' },
      problem: { code: 'refused', status: 422, fields: [{ pointer: '/email', code: 'incorrect_value' }] },
    })
    // The user still sees what he wrote, also after a reload.
    await window.reload()
    await whenOpen(window)
    expect(await window.evaluate(() => sync.contact.get(1))).toMatchObject({ email: 'nonsense' })
    const mended = await window.evaluate(async (id) => {
      await sync.outbox.edit(id, { email: 'one@example.com' })
      return (await sync.outbox.find(id))?.synced() ?? 'synced'
    }, failed!.id)
    expect(mended).toBe('synced')
    expect(await world.records('contact')).toMatchObject([{ email: 'one@example.com' }, { email: 'two@example.com' }])
    expect(world.effects()).toBe(2)
    await expect.poll(() => unsent(window)).toBe(0)
  })

  test('a token that expires in the middle of a push loses nothing, asks for a login, and after it each edit takes effect once (I12, R26)', async ({
    context,
  }) => {
    const world = await start({ records: contacts(40) })
    const window = await openWindow(context, world)
    await inSync(window)
    world.line('ann-1').network = 'off'
    await window.evaluate(async () => {
      for (let n = 1; n <= 40; n++) await sync.contact.update(n, { phone: `new ${n}` })
    })
    let left = 20
    world.line('ann-1').fault = () => {
      if (--left === 0) world.expired.add('ann-1')
      return null
    }
    await reconnect(window, world)
    await expect.poll(() => window.evaluate(() => sync.status.getSnapshot().phase)).toBe('needs-auth')
    const done = world.effects()
    expect(done).toBeGreaterThan(10)
    expect(done).toBeLessThan(40)
    expect(await unsent(window)).toBeGreaterThanOrEqual(40 - done)
    expect((await window.evaluate(() => sync.contact.all())).every(({ phone }) => phone?.startsWith('new '))).toBe(true)
    world.expired.clear()
    await window.evaluate(() => sync.resume())
    await expect.poll(() => unsent(window)).toBe(0)
    expect(world.effects()).toBe(40)
    expect((await world.records('contact')).every(({ id, phone }) => phone === `new ${id}`)).toBe(true)
  })

  for (const fault of ['away', 'lost', 'cut', 'busy', 'gateway'] satisfies Fault[])
    test(`a server that is ${WORDS[fault]} three times: each insert, update and delete takes effect once (F53, I12, S16)`, async ({
      context,
    }) => {
      const world = await start({ records: contacts(2) })
      const window = await openWindow(context, world)
      await inSync(window)
      const failures = new Map<string, number>()
      world.line('ann-1').fault = ({ key }) => {
        const times = (failures.get(key ?? '') ?? 0) + 1
        failures.set(key ?? '', times)
        return times <= 3 ? fault : null
      }
      await window.evaluate(async () => {
        await sync.contact.insert({ name: 'New' })
        await sync.contact.update(1, { phone: '1' })
        await sync.contact.delete(2)
      })
      await whenSent(window)
      expect(world.effects()).toBe(3)
      const there = await world.records('contact')
      expect(there.map(({ name, phone }) => [name, phone])).toEqual([
        ['Contact 1', '1'],
        ['New', undefined],
      ])
      expect([...failures.values()].every((times) => times >= 4)).toBe(true)
      expect([...failures.keys()].length, 'each edit keeps its key').toBe(3)
      await inSync(window)
      expect(await window.evaluate(() => sync.contact.where({}).orderBy('id').all())).toEqual(there)
    })

  test('an edit is in a live query of its tab within a frame or so (I15)', async ({ context }) => {
    const world = await start({ records: contacts(1_000) })
    const window = await openWindow(context, world)
    await inSync(window)
    world.line('ann-1').network = 'off'
    const times = await window.evaluate(async () => {
      const live = sync.contact.where({ id: 500 }).live()
      const stop = live.subscribe(() => undefined)
      const all: Array<{ shown: number; resolved: number }> = []
      for (let n = 1; n <= 30; n++) {
        // A person's next edit is never in the same frame.
        await new Promise((resolve) => setTimeout(resolve, 40))
        all.push(
          await timeToShow(
            live,
            () => sync.contact.update(500, { phone: String(n) }),
            ({ phone }) => phone === String(n),
          ),
        )
      }
      stop()
      return all
    })
    const medianOf = (what: 'shown' | 'resolved'): number => times.map((one) => one[what]).sort((a, b) => a - b)[15]!
    const [shown, resolved] = [medianOf('shown'), medianOf('resolved')]
    console.log(
      `a write resolves after ${resolved.toFixed(1)} ms and is shown after ${shown.toFixed(1)} (medians of 30)`,
    )
    test.info().annotations.push({ type: 'figures', description: JSON.stringify({ shown, resolved }) })
    expect(shown).toBeLessThan(100)
  })
})

test.describe('signing out with edits that are not sent (R28)', () => {
  async function withUnsent(context: BrowserContext): Promise<{ world: World; window: Page }> {
    const world = await start({ records: contacts(2) })
    const window = await openWindow(context, world)
    await inSync(window)
    world.line('ann-1').network = 'off'
    await window.evaluate(async () => {
      await sync.contact.update(1, { phone: 'unsent' })
      await sync.contact.insert({ name: 'Unsent' })
    })
    return { world, window }
  }
  const databases = (window: Page): Promise<number> => window.evaluate(async () => (await indexedDB.databases()).length)

  test('is refused, and everything goes on', async ({ context }) => {
    const { world, window } = await withUnsent(context)
    const code = await window.evaluate(() =>
      sync.logout().then(
        () => 'signed out',
        (error: { code: string }) => error.code,
      ),
    )
    expect(code).toBe('unsent_edits')
    await reconnect(window, world)
    await whenSent(window)
    expect(world.effects()).toBe(2)
    // With nothing unsent it is no question.
    await inSync(window)
    await window.evaluate(() => sync.logout())
    expect(await databases(window)).toBe(0)
  })

  test('"keep" stops every tab, takes the data away, and leaves the edits for the next login, which sends each once', async ({
    context,
  }) => {
    const { world, window } = await withUnsent(context)
    const other = await openWindow(context, world)
    await window.evaluate(() => sync.logout({ ifUnsent: 'keep' }))
    await expect
      .poll(() =>
        other.evaluate(() => {
          const status = sync.status.getSnapshot()
          return [status.phase, 'error' in status ? status.error.code : null]
        }),
      )
      .toEqual(['stopped', 'signed_out'])
    await other.close()
    expect(world.effects()).toBe(0)
    // Another user of this browser sees nothing of it.
    const bob = await openWindow(context, world, { token: 'bob-1', account: 'bob' })
    await inSync(bob)
    expect(await unsent(bob)).toBe(0)
    await bob.close()
    expect(world.effects()).toBe(0)
    world.line('ann-1').network = 'on'
    await window.reload()
    await whenOpen(window)
    await whenSent(window)
    await inSync(window)
    expect(world.effects()).toBe(2)
    expect(await world.records('contact')).toMatchObject([{ id: 1, phone: 'unsent' }, { id: 2 }, { name: 'Unsent' }])
    expect(await window.evaluate(() => sync.contact.count())).toBe(3)
  })

  test('"discard" leaves no database behind, and nothing is ever sent', async ({ context }) => {
    const { world, window } = await withUnsent(context)
    const other = await openWindow(context, world)
    world.line('ann-1').network = 'on'
    world.line('ann-1').network = 'off'
    await window.evaluate(() => sync.logout({ ifUnsent: 'discard' }))
    await expect.poll(() => databases(window)).toBe(0)
    await other.close()
    world.line('ann-1').network = 'on'
    await window.reload()
    await whenOpen(window)
    await inSync(window)
    expect(await unsent(window)).toBe(0)
    expect([world.effects(), world.writes.length]).toEqual([0, 0])
    expect(await phoneOf(window, 1)).toBe('0')
  })
})

test.describe("at the vendor's service, where a repeated create is a second record (R17)", () => {
  /** A contact whose answer did not come. */
  async function create(context: BrowserContext, via: string, fault: Fault): Promise<{ world: World; window: Page }> {
    // Chromium itself repeats any request, a POST too, that gets no answer on a connection used before.
    const world = await start({ profile: 'vendor', reuse: false })
    const window = await openWindow(context, world, { via })
    await inSync(window)
    let spoiled = false
    world.line('ann-1').fault = () => {
      if (spoiled && fault !== 'away') return null
      spoiled = true
      return fault
    }
    await window.evaluate(() => sync.contact.insert({ name: 'Ann' }).then(() => undefined))
    return { world, window }
  }
  const names = async (world: World): Promise<string[]> => (await world.records('contact')).map(({ name }) => name)
  const state = (window: Page): Promise<unknown> => window.evaluate(() => outbox().edits.map((edit) => edit.state))

  for (const fault of ['lost', 'cut', 'gateway'] satisfies Fault[])
    test(`with upsert it is sent again and stays one record (${WORDS[fault]})`, async ({ context }) => {
      const { world, window } = await create(context, 'upsert:external_id', fault)
      await whenSent(window)
      expect(world.writes.length).toBeGreaterThan(1)
      expect(world.writes.every(({ key }) => key === null)).toBe(true)
      expect(await names(world)).toEqual(['Ann'])
      await inSync(window)
      expect(await window.evaluate(() => sync.contact.all())).toEqual(await world.records('contact'))
    })

  test('with ask it waits for the user, who says that it did not arrive: it is sent again, once', async ({
    context,
  }) => {
    const { world, window } = await create(context, 'ask', 'away')
    await expect.poll(() => state(window)).toEqual(['unknown'])
    // It stays parked, whatever else is synced.
    world.line('ann-1').fault = null
    await inSync(window)
    expect([await state(window), await names(world)]).toEqual([['unknown'], []])
    await window.evaluate(async () => sync.outbox.resend(outbox().edits[0]!.id))
    await whenSent(window)
    await inSync(window)
    expect(await names(world)).toEqual(['Ann'])
    expect(await window.evaluate(() => sync.contact.all())).toEqual(await world.records('contact'))
  })

  for (const fault of ['lost', 'cut', 'gateway'] satisfies Fault[])
    test(`with ask it waits for the user, who says that it arrived, and which record it is (${WORDS[fault]})`, async ({
      context,
    }) => {
      const { world, window } = await create(context, 'ask', fault)
      await expect.poll(() => state(window)).toEqual(['unknown'])
      await inSync(window)
      const [there] = await world.records('contact')
      expect(await state(window)).toEqual(['unknown'])
      expect(await window.evaluate(() => sync.contact.where({ name: 'Ann' }).count()), 'both are shown').toBe(2)
      await window.evaluate((id) => sync.outbox.arrived(outbox().edits[0]!.id, id), there!.id)
      await expect.poll(() => unsent(window)).toBe(0)
      await inSync(window)
      expect(await names(world)).toEqual(['Ann'])
      expect(world.writes.length, 'never sent twice').toBe(1)
      expect(await window.evaluate(() => sync.contact.all())).toEqual([there])
    })
})
