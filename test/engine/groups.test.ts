/** How pages are gathered into commits and keys into calls (R3, R12, FAQ-6.2). */
import { describe, expect, it, vi } from 'vitest'
import { inWorld } from './world.ts'

describe('commits', () => {
  it('gather pages by a thousand records, one at a time, never splitting a page (R3)', () =>
    inWorld({ contacts: 5_000, delayMs: 1 }, async ({ open }) => {
      const { engine, store } = await open()
      const sizes: number[][] = []
      let inFlight = 0
      let most = 0
      const commit = store.commit
      vi.spyOn(store, 'commit').mockImplementation(async (lease, pages, session) => {
        sizes.push(pages.map(({ items }) => items.length))
        most = Math.max(most, ++inFlight)
        try {
          return await commit(lease, pages, session)
        } finally {
          inFlight--
        }
      })
      await engine.now(60_000)
      const sums = sizes.map((pages) => pages.reduce((sum, size) => sum + size, 0))
      expect(sums.reduce((sum, size) => sum + size, 0)).toBe(5_000)
      expect(sizes.flat().every((size) => size === 100)).toBe(true)
      expect(Math.max(...sums)).toBeLessThanOrEqual(1_000)
      expect(sums.length).toBeLessThan(15)
      expect(most).toBe(1)
    }))

  it('happen soon after a page when the next one takes its time, and at once at the end (R3, FAQ-6.2)', () =>
    inWorld({ contacts: 300, delayMs: 1_000 }, async ({ open, clock, until }) => {
      const { engine, store, ids } = await open()
      await until(async () => (await ids()).length === 100)
      const first = clock.now()
      await until(() => store.counts().records === 200)
      expect(clock.now() - first).toBeLessThan(2_100)
      await engine.now(60_000)
    }))

  it('of a lone change come within a moment of the change (R3)', () =>
    inWorld({ contacts: 3, delayMs: 5 }, async ({ open, write, clock }) => {
      const { engine, find } = await open()
      await engine.now(60_000)
      await write({ kind: 'update', type: 'contact', id: '1', patch: { n: 9 } })
      const asked = clock.now()
      await engine.now(60_000)
      expect(clock.now() - asked).toBeLessThan(100)
      expect(await find({ where: { n: 9 } })).toHaveLength(1)
    }))
})

describe('under a rate limit', () => {
  it('fetches go first and acks share calls, yet no more than about 500 keys wait (R12, FAQ-6.2, RATE-1)', () => {
    const calls: string[] = []
    return inWorld(
      {
        contacts: 6_000,
        delayMs: 20,
        service: { profile: 'vendor' },
        fault: (_, path) => {
          calls.push(path.endsWith('/ack') ? 'ack' : 'get')
          return undefined
        },
      },
      async ({ open, acked }) => {
        const { engine } = await open({ options: { rate: null } })
        let most = 0
        engine.status.subscribe(({ pendingAcks }) => (most = Math.max(most, pendingAcks)))
        await engine.now(120_000)
        expect(acked.flat()).toHaveLength(6_000)
        expect(acked.length).toBeLessThanOrEqual(20)
        expect(acked.length).toBeGreaterThanOrEqual(12)
        expect(most).toBeLessThanOrEqual(1_000)
        expect(calls.join(' ')).not.toContain('ack ack')
      },
    )
  })

  it("without one, each commit's keys go at once (R12, FAQ-6.2)", () =>
    inWorld({ contacts: 1_000, delayMs: 40 }, async ({ open, acked }) => {
      await (await open({ options: { capabilities: { lanes: 1 } } })).engine.now(60_000)
      expect(acked.map((keys) => keys.length)).toEqual(Array.from({ length: 10 }, () => 100))
    }))
})
