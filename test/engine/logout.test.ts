/** Signing out (R28, I14): nothing unsent is lost without the word for it, every tab stops, and no engine comes back by itself. */
import { describe, expect, it } from 'vitest'
import type { Channel } from '../../src/engine/channel.ts'
import { createMachine, type Machine } from '../support/device.ts'
import { inWorld, type Tab, type World } from './world.ts'

const insert = (tab: Tab, key = -1) => tab.edit({ op: 'insert', key, value: { name: 'Ann' } })
const databases = async ({ indexedDB }: Machine): Promise<number> => (await indexedDB.databases()).length
const signedOut = { phase: 'stopped', error: { code: 'signed_out' } }
const status = ({ engine }: Tab) => engine.status.current

/** Two tabs in sync, the first of which leads. */
async function twoTabs({ open, until }: World): Promise<[Tab, Tab]> {
  const [one, two] = [await open(), await open()]
  await two.engine.now(30_000)
  await until(() => [one, two].every((tab) => status(tab).phase === 'idle'))
  return [one, two]
}

/** A machine on which hints do not arrive, as in a tab that is frozen while they are sent. */
function deafMachine(): Machine {
  const machine = createMachine()
  const deaf = new Set<{ owner: object; listener: Parameters<Channel['onHint']>[0] | null }>()
  deaf.add = function add(entry) {
    Object.defineProperty(entry, 'listener', { get: () => null, set: () => {} })
    return Set.prototype.add.call(this, entry) as typeof deaf
  }
  return { ...machine, channels: deaf }
}

describe('logout()', () => {
  it('leaves the database to whoever signs in again before it is deleted (R28, I14)', () =>
    inWorld({ contacts: 3 }, async (world) => {
      const [one] = await twoTabs(world)
      const leaving = one.engine.logout('refuse')
      await world.until(async () => (await one.store.device.sync().catch(() => null))?.signedOut === true, 5_000)
      const next = await world.open()
      await insert(next)
      await leaving
      expect(await databases(world.machine)).toBe(1)
      await world.until(async () => (await world.contacts()).length === 4)
    }))

  it('from either tab stops both, removes the data, and nothing is sent any more (R28, promise 8)', async () => {
    for (const who of [0, 1])
      await inWorld({ contacts: 30 }, async (world) => {
        const tabs = await twoTabs(world)
        const seen: number[] = []
        const other = tabs[1 - who]!
        other.store.subscribe(({ kind }) => {
          if (kind === 'reset') void other.ids().then((ids) => seen.push(ids.length))
        })
        await tabs[who]!.engine.logout('refuse')
        for (const tab of tabs) {
          await world.until(() => status(tab).phase === 'stopped', 5_000)
          expect(status(tab)).toMatchObject(signedOut)
        }
        // The other tab's screen was told before the database went.
        expect(seen.at(-1)).toBe(0)
        expect(await databases(world.machine)).toBe(0)
        const { length } = world.log
        for (const { engine } of tabs) {
          for (const call of [
            () => engine.now(1_000),
            () => engine.resume(),
            () => engine.pause(),
            () => engine.restart(),
          ])
            await expect(call()).rejects.toMatchObject({ code: 'signed_out' })
          engine.pageEvent('online')
          engine.pageEvent('visible')
          engine.edited()
          await engine.logout('discard')
        }
        await world.clock.sleep(600_000)
        expect(world.log.length).toBe(length)
        for (const tab of tabs) {
          expect(status(tab)).toMatchObject(signedOut)
          await tab.engine.close()
          expect(status(tab).phase).toBe('closed')
        }
      })
  })

  it('is refused while an edit is unsent, pending or failed, of whichever tab, and then changes nothing (R28, I14)', () =>
    inWorld({ contacts: 3 }, async (world) => {
      const [one, two] = await twoTabs(world)
      await one.engine.pause()
      await insert(one, -2)
      // Its hint is lost.
      await two.store.outbox.write([
        { op: 'insert', collection: 'contact', key: -1, value: { name: 'Ann' }, temporary: true },
      ])
      await expect(one.engine.logout('refuse')).rejects.toMatchObject({
        code: 'unsent_edits',
        message: expect.stringContaining('2') as string,
      })
      expect(await one.ids()).toHaveLength(5)
      await one.engine.resume()
      await world.until(async () => (await world.contacts()).length === 5)
      await world.until(() => one.store.outbox.snapshot().edits.length === 0)
      await two.engine.logout('refuse')
      expect(await databases(world.machine)).toBe(0)
    }))

  it('keeps the edits for the next login, which sends them once (R28, I12, I14)', () =>
    inWorld({ contacts: 3 }, async (world) => {
      const [one, two] = await twoTabs(world)
      await two.engine.pause()
      const [edit] = await insert(one)
      await two.engine.logout('keep')
      for (const tab of [one, two]) {
        await world.until(() => status(tab).phase === 'stopped', 5_000)
        expect(status(tab)).toMatchObject(signedOut)
      }
      await world.clock.sleep(200_000)
      expect(await world.contacts()).toHaveLength(3)
      for (const tab of [one, two]) await tab.engine.close()
      const next = await world.open()
      expect(next.store.outbox.snapshot().edits).toMatchObject([{ id: edit!.id }])
      await next.engine.resume()
      await world.until(() => next.store.outbox.snapshot().edits.length === 0)
      expect(await world.contacts()).toHaveLength(4)
      await world.until(async () => (await next.ids()).length === 4)
    }))

  it('discards the edits at the word of the user (R28, I14)', () =>
    inWorld({ contacts: 3 }, async (world) => {
      const [one, two] = await twoTabs(world)
      await two.engine.pause()
      await insert(one)
      await two.engine.logout('discard')
      expect(await databases(world.machine)).toBe(0)
      await world.until(() => status(one).phase === 'stopped', 5_000)
      const next = await world.open()
      await next.engine.now(30_000)
      expect(next.store.outbox.snapshot().edits).toEqual([])
      expect([await next.ids(), await world.contacts()].map(({ length }) => length)).toEqual([3, 3])
    }))

  it('while the leader drains in another tab wins over it (R24, R28)', () =>
    inWorld({ contacts: 1_000, delayMs: 5 }, async (world) => {
      const [one, two] = [await world.open(), await world.open()]
      await world.until(async () => (await two.ids()).length >= 300)
      await two.engine.logout('refuse')
      await world.until(() => status(one).phase === 'stopped', 5_000)
      expect(status(one)).toMatchObject(signedOut)
      const { length } = world.log
      await world.clock.sleep(120_000)
      expect(world.log.length).toBeLessThanOrEqual(length + 1)
      expect(await databases(world.machine)).toBe(0)
    }))

  it('tells whoever waits in now() (R28, promise 9)', () =>
    inWorld({ contacts: 1_000, delayMs: 200 }, async (world) => {
      const [one, two] = [await world.open(), await world.open()]
      const waiting = [one, two].map(({ engine }) => engine.now(60_000).catch((error: { code: string }) => error.code))
      await world.clock.sleep(1_000)
      await one.engine.logout('refuse')
      expect(await Promise.all(waiting)).toEqual(['signed_out', 'signed_out'])
    }))

  it('is seen by a tab that heard nothing of it, and resume() brings none back (R24, R28)', () => {
    const machine = deafMachine()
    return inWorld({ contacts: 3 }, async (world) => {
      const [one, two] = [await world.open({ machine }), await world.open({ machine })]
      await one.engine.now(30_000)
      await world.until(() => status(one).phase === 'idle')
      await insert(two)
      await two.engine.pause()
      await two.engine.logout('keep')
      const { length } = world.log
      // The leader finds out with its next run, before it asks for anything.
      await world.until(() => status(one).phase === 'stopped', 70_000)
      expect(status(one)).toMatchObject(signedOut)
      expect(world.log.slice(length)).toEqual([])
      await expect(one.engine.resume()).rejects.toMatchObject({ code: 'signed_out' })
    })
  })

  it('of a follower that heard nothing: it looks every few seconds (R25, R28)', () => {
    const machine = deafMachine()
    return inWorld({ contacts: 3 }, async (world) => {
      const [one, two, three] = [
        await world.open({ machine }),
        await world.open({ machine }),
        await world.open({ machine }),
      ]
      await one.engine.now(30_000)
      // It leads on, at rest, with nothing to settle.
      await one.engine.pause()
      await world.clock.sleep(10_000)
      await insert(two)
      await two.engine.logout('keep')
      await world.until(() => status(three).phase === 'stopped', 6_000)
      expect(status(three)).toMatchObject(signedOut)
    })
  })
})
