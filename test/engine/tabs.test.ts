/** Two tabs on one machine (R24 to R27, promise 7): one leads, the other sees everything and takes over. */
import { describe, expect, it } from 'vitest'
import type { Hint } from '../../src/engine/channel.ts'
import { hintSchema } from '../../src/engine/channel.ts'
import { answer, inWorld, pageBody, scripted, sessionBody, wireItem } from './world.ts'

const START = 'POST /v2/sync/start'
const starts = (log: readonly string[]): number => log.filter((line) => line.startsWith(START)).length

describe('two tabs', () => {
  it('one talks to the network, both show the same data and the same facts (promise 7, R25, RATE-2)', () =>
    inWorld({ contacts: 300, delayMs: 30 }, async ({ open, log, until }) => {
      const [one, two] = [await open(), await open()]
      await until(async () => one.engine.status.current.phase === 'idle' && two.engine.status.current.phase === 'idle')
      expect(starts(log)).toBe(1)
      expect([one, two].map(({ engine }) => engine.status.current.role)).toEqual(['leader', 'follower'])
      expect(await two.ids()).toEqual(await one.ids())
      expect((await two.ids()).length).toBe(300)
      for (const fact of ['deviceId', 'lastSyncedAt', 'pendingAcks', 'stuck', 'quarantined', 'inbox'] as const)
        expect([fact, two.engine.status.current[fact]]).toEqual([fact, one.engine.status.current[fact]])
    }))

  it('the one that follows sees pages while they arrive, not only at the end (R25)', () =>
    inWorld({ contacts: 1_000, delayMs: 100 }, async ({ open, until }) => {
      const [one, two] = [await open(), await open()]
      await until(async () => (await two.ids()).length >= 300)
      expect(one.engine.status.current.phase).toBe('draining')
      await until(() => two.engine.status.current.phase === 'draining')
    }))

  it('the progress of the one that follows is as honest: never over 100 %, never backwards (FAQ-3.1)', () => {
    const left = [10, 2, 900, 40, 700, 0]
    const http = scripted(
      [answer(201, sessionBody('s', 20))],
      left.map((count_left, page) =>
        answer(200, pageBody([wireItem(2 * page), wireItem(2 * page + 1)], { count_left })),
      ),
    )
    return inWorld({ http, delayMs: 150 }, async ({ open }) => {
      const [one, two] = [await open(), await open()]
      const fractions: number[] = []
      two.engine.status.subscribe((status) => {
        if (status.phase === 'draining' && status.progress.fraction !== null) fractions.push(status.progress.fraction)
      })
      await one.engine.now(60_000)
      expect(new Set(fractions).size).toBeGreaterThan(1)
      expect(Math.max(...fractions)).toBeLessThanOrEqual(1)
      expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
    })
  })

  it('the one that follows shows a drain also when the server gives no numbers (FAQ-3.0)', () => {
    const http = scripted(
      [answer(201, sessionBody('s', null))],
      [1, 2, 3, 4].map((id) => answer(200, pageBody([wireItem(id)]))),
    )
    return inWorld({ http, delayMs: 150 }, async ({ open, until }) => {
      const [, two] = [await open(), await open()]
      await until(() => two.engine.status.current.phase === 'draining')
      expect(two.engine.status.current).toMatchObject({ progress: { estimate: null, fraction: null } })
    })
  })

  it('now() of the one that follows is proved by the one that leads (R10, R25)', () =>
    inWorld({ contacts: 30, delayMs: 30 }, async ({ open, write, log }) => {
      const [one, two] = [await open(), await open()]
      await one.engine.now(60_000)
      const before = starts(log)
      await write({ kind: 'update', type: 'contact', id: '1', patch: { n: 77 } })
      await two.engine.now(60_000)
      expect(await two.find({ where: { n: 77 } })).toHaveLength(1)
      expect(starts(log)).toBeGreaterThan(before)
      expect(two.engine.status.current.role).toBe('follower')
    }))

  it('a dead leader is replaced at once, and its half-done work is finished (promise 7, L2, F19, F21)', () =>
    inWorld({ contacts: 800, delayMs: 50 }, async ({ open, until, log }) => {
      const [one, two] = [await open(), await open()]
      await until(async () => (await two.ids()).length >= 300)
      one.kill()
      const { length } = log
      await until(() => two.engine.status.current.role === 'leader', 5_000)
      await two.engine.now(60_000)
      expect((await two.ids()).length).toBe(800)
      expect(log.length).toBeGreaterThan(length)
    }))

  it('a leader that closes hands over; the third tab is not disturbed (promise 7, R27)', () =>
    inWorld({ contacts: 30 }, async ({ open, until }) => {
      const [one, two, three] = [await open(), await open(), await open()]
      await one.engine.now(60_000)
      await one.engine.close()
      await until(() => two.engine.status.current.role === 'leader', 5_000)
      expect(three.engine.status.current.role).toBe('follower')
      await three.engine.now(60_000)
      expect((await three.ids()).length).toBe(30)
    }))

  it('a leader that was fenced off writes nothing more, and leads again when the lock is still its own (R24, I16, F26)', () =>
    inWorld({ contacts: 800, delayMs: 50 }, async ({ open, until }) => {
      const { engine, store, ids } = await open()
      await until(async () => (await ids()).length >= 300)
      const epoch = (await store.device.identity()).epoch
      await store.device.takeEpoch()
      await engine.now(60_000)
      expect((await ids()).length).toBe(800)
      expect((await store.device.identity()).epoch).toBe(epoch + 2)
    }))

  it('pause, resume and restart work from the tab that follows (R26, R23)', () =>
    inWorld({ contacts: 500, delayMs: 50 }, async ({ open, until, log, clock }) => {
      const [one, two] = [await open(), await open()]
      await until(async () => (await one.ids()).length >= 200)
      await two.engine.pause()
      await until(() => one.engine.status.current.phase === 'paused' && two.engine.status.current.phase === 'paused')
      const { length } = log
      await clock.sleep(300_000)
      expect(log.length).toBeLessThanOrEqual(length + 1)
      await two.engine.resume()
      await two.engine.now(60_000)
      const before = two.engine.status.current.deviceId
      await two.engine.restart()
      expect(await two.ids()).toEqual([])
      await two.engine.now(60_000)
      await one.store.follow()
      expect((await one.ids()).length).toBe(500)
      expect((await one.store.device.identity()).device).not.toBe(before)
      expect([one, two].map(({ engine }) => engine.status.current.role)).toEqual(['leader', 'follower'])
    }))

  it('a paused leader sees that another tab replaced the data (R23, R25)', () =>
    inWorld({ contacts: 30 }, async ({ open, until }) => {
      const [one, two] = [await open(), await open()]
      await one.engine.now(60_000)
      await until(() => one.engine.status.current.records.settled === 30)
      await one.engine.pause()
      const resets: string[] = []
      one.store.subscribe(({ kind }) => resets.push(kind))
      await two.engine.restart()
      await until(() => one.engine.status.current.records.settled === 0, 5_000)
      expect(resets).toContain('reset')
      expect(one.engine.status.current).toMatchObject({
        phase: 'paused',
        deviceId: two.engine.status.current.deviceId,
      })
    }))

  it('login is mended from either tab: resume() of the one that follows wakes the one that leads (AUTH-1, R26)', () => {
    let good = false
    return inWorld(
      { contacts: 30, authorize: () => (good ? { account: 'acme', user: 'ann', scopes: ['sync'] } : null) },
      async ({ open, until }) => {
        const [one, two] = [await open(), await open()]
        await until(() => one.engine.status.current.phase === 'needs-auth')
        good = true
        await two.engine.resume()
        await until(async () => (await two.ids()).length === 30)
      },
    )
  })

  it('correctness does not hang on messages: a deaf tab sees everything a little later (R25, F51)', () =>
    inWorld({ contacts: 300, delayMs: 30 }, async ({ open, machine, until, clock, write }) => {
      const one = await open()
      const two = await open()
      for (const channel of machine.channels) channel.listener = null
      await one.engine.now(60_000)
      const asked = clock.now()
      // Asked of memory: a query would catch up by itself.
      await until(() => two.store.counts().head === one.store.counts().head)
      expect(clock.now() - asked).toBeLessThan(6_000)
      expect((await two.ids()).length).toBe(300)
      await write({ kind: 'delete', type: 'contact', id: '7' })
      await one.engine.now(60_000)
      two.engine.pageEvent('visible')
      await until(() => two.store.counts().head === one.store.counts().head, 1_000)
      expect((await two.ids()).length).toBe(299)
    }))

  it('a hidden tab does not follow by itself, and looks when it is shown (R25)', () =>
    inWorld({ contacts: 30 }, async ({ open, machine, until, clock }) => {
      const one = await open()
      const two = await open()
      for (const channel of machine.channels) channel.listener = null
      two.engine.pageEvent('hidden')
      await one.engine.now(60_000)
      await clock.sleep(60_000)
      expect(two.store.counts().head).toBe(0)
      two.engine.pageEvent('visible')
      await until(() => two.store.counts().head > 0, 100)
    }))

  it('hints are never data: forged and broken ones change nothing (F49)', () =>
    inWorld({ contacts: 30 }, async ({ open, machine, clock }) => {
      const one = await open()
      await one.engine.now(60_000)
      for (const forged of [{ kind: 'log' }, { kind: 'sync' }, { kind: 'control' }, { kind: 'wake' }] as Hint[])
        for (const channel of machine.channels) for (let times = 0; times < 20; times++) channel.listener?.(forged)
      await clock.sleep(10_000)
      await one.engine.now(60_000)
      expect((await one.ids()).length).toBe(30)
      for (const broken of [null, 'log', 7, {}, { kind: 'evil' }, { kind: ['log'] }, []])
        expect(hintSchema.safeParse(broken).success).toBe(false)
    }))

  it('many tabs opened and killed in any order end with one leader and the same data (F25, promise 7)', () =>
    inWorld({ contacts: 200, delayMs: 20, seed: 11 }, async ({ open, clock, until }) => {
      const tabs = await Promise.all(Array.from({ length: 6 }, () => open()))
      for (const at of [0, 3, 1, 4]) {
        await clock.sleep(150)
        tabs[at]?.kill()
      }
      const [left, right] = [tabs[2], tabs[5]]
      if (left === undefined || right === undefined) throw new Error('no tabs left')
      await until(() => left.engine.status.current.role !== right.engine.status.current.role)
      await left.engine.now(60_000)
      await right.store.follow()
      expect([(await left.ids()).length, (await right.ids()).length]).toEqual([200, 200])
    }))
})

describe('without Web Locks', () => {
  const free = { exclusive: false, request: (_: string, __: AbortSignal, work: () => Promise<void>) => work() }

  it('the newest tab leads, the older one finds itself fenced; data stays whole (R24, I16)', () =>
    inWorld({ contacts: 300, delayMs: 30 }, async ({ open, machine, until }) => {
      const lockless = { ...machine, locks: { ...machine.locks, for: () => free } }
      const one = await open({ machine: lockless })
      await until(async () => (await one.ids()).length >= 100)
      const two = await open({ machine: lockless })
      await two.engine.now(60_000)
      await until(() => one.engine.status.current.role === 'follower')
      expect((await two.ids()).length).toBe(300)
      await one.store.follow()
      expect((await one.ids()).length).toBe(300)
    }))

  it('restart() leads on (R23)', () =>
    inWorld({ contacts: 30 }, async ({ open, machine }) => {
      const { engine, ids } = await open({ machine: { ...machine, locks: { ...machine.locks, for: () => free } } })
      await engine.now(60_000)
      await engine.restart()
      await engine.now(60_000)
      expect((await ids()).length).toBe(30)
    }))
})
