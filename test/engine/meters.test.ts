/** Progress and rate limit: two small meters with hard promises (FAQ-3.1, RATE-1, R12). */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { createProgress } from '../../src/engine/progress.ts'
import { createRateLimit } from '../../src/engine/rate.ts'
import { createScheduler, seeded, virtualClock } from '../support/virtual-time.ts'

/** A clock that moves when told to, and at once when slept on. */
function handClock(): Clock & { time: number } {
  const clock = {
    time: 0,
    now: () => clock.time,
    monotonic: () => clock.time,
    sleep: (ms: number) => {
      clock.time += ms
      return Promise.resolve()
    },
  }
  return clock
}

describe('progress', () => {
  const count = fc.option(fc.oneof(fc.nat({ max: 500 }), fc.constantFrom(0, 1e9, 2 ** 40)))
  const step = fc.oneof(
    fc.record({ do: fc.constant('begin' as const), count }),
    fc.record({ do: fc.constant('page' as const), items: fc.nat({ max: 300 }), count, ms: fc.nat({ max: 3_000 }) }),
  )

  it('is never over 100 %, never falls, and counts every item, whatever the server claims (FAQ-3.0, FAQ-3.1, I10)', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const clock = handClock()
        const meter = createProgress(clock)
        let items = 0
        let fraction = 0
        for (const one of steps) {
          if (one.do === 'begin') meter.begin(one.count)
          else {
            clock.time += one.ms
            items += one.items
            meter.page(one.items, one.count)
          }
          const shown = meter.snapshot()
          expect(shown.done).toBe(items)
          if (shown.estimate !== null) expect(shown.estimate).toBeGreaterThanOrEqual(items)
          expect(shown.fraction === null).toBe(shown.estimate === null)
          if (shown.fraction !== null) {
            expect(shown.fraction).toBeLessThanOrEqual(1)
            expect(shown.fraction).toBeGreaterThanOrEqual(fraction)
            fraction = shown.fraction
          }
          expect(shown.rate).toBeGreaterThanOrEqual(0)
          expect(shown.etaMs === null || shown.etaMs >= 0).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('tells rate and time left from the last seconds', () => {
    const clock = handClock()
    const meter = createProgress(clock)
    meter.begin(1_000)
    for (let second = 1; second <= 4; second++) {
      clock.time += 1_000
      meter.page(100, 1_000 - second * 100)
    }
    expect(meter.snapshot()).toEqual({ done: 400, estimate: 1_000, fraction: 0.4, rate: 100, etaMs: 6_000 })
    clock.time += 60_000
    meter.page(0, 600)
    expect(meter.snapshot().rate).toBeLessThan(10)
  })

  it('promises nothing without an estimate', () => {
    const meter = createProgress(handClock())
    meter.page(5, null)
    expect(meter.snapshot()).toMatchObject({ done: 5, estimate: null, fraction: null, etaMs: null })
  })
})

describe('the rate limit', () => {
  async function take(clock: Clock, rate: number, requests: number): Promise<number[]> {
    const limit = createRateLimit(clock, rate)
    const { signal } = new AbortController()
    const times: number[] = []
    await Promise.all(
      Array.from({ length: requests }, async () => {
        await limit.take(signal, true)
        times.push(clock.monotonic())
      }),
    )
    return times
  }

  it('lets no second hold more requests than allowed, and does not waste what is allowed (RATE-1, R12)', async () => {
    const times = await take(handClock(), 8, 100)
    for (const [at, time] of times.entries()) {
      const before = times[at - 8]
      if (before !== undefined) expect(time - before).toBeGreaterThanOrEqual(999)
    }
    expect(times.at(-1)).toBeLessThan(13_000)
  })

  it('0 means no limit; it may be raised and lowered as the server says (R12, R13)', async () => {
    const clock = handClock()
    expect(await take(clock, 0, 1_000)).toEqual(Array.from({ length: 1_000 }, () => 0))
    const limit = createRateLimit(clock, 1_000)
    const { signal } = new AbortController()
    limit.set(2)
    for (let request = 0; request < 21; request++) await limit.take(signal, true)
    expect(clock.time).toBeGreaterThanOrEqual(9_000)
    limit.set(0)
    const before = clock.time
    for (let request = 0; request < 50; request++) await limit.take(signal, true)
    expect(clock.time).toBe(before)
  })

  it('lets those that cannot wait go first, but overtake the others four times at most (R12)', async () => {
    const limit = createRateLimit(handClock(), 1)
    const { signal } = new AbortController()
    const order: string[] = []
    const ask = (name: string, first: boolean): Promise<unknown> =>
      limit.take(signal, first).then(() => order.push(name))
    await limit.take(signal, true)
    await Promise.all([
      ask('ack', false),
      ...Array.from({ length: 6 }, (_, at) => ask(`get ${at}`, true)),
      ask('late ack', false),
    ])
    expect(order).toEqual(['get 0', 'get 1', 'get 2', 'get 3', 'ack', 'get 4', 'get 5', 'late ack'])
  })

  it('a cancelled wait does not hold up the next one (I20)', async () => {
    const scheduler = createScheduler(seeded(1))
    const limit = createRateLimit(virtualClock(scheduler), 1)
    const stop = new AbortController()
    const { signal } = new AbortController()
    await limit.take(signal, true)
    const cancelled = limit.take(stop.signal, true).catch((error: { code: string }) => error.code)
    let last = false
    void limit.take(signal, true).then(() => (last = true))
    stop.abort()
    await scheduler.run(() => last, 10_000)
    expect(await cancelled).toBe('aborted')
    expect(last).toBe(true)
  })
})
