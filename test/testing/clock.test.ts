/** The clock of the kit: time passes only when told to, in order, and not while there is real work. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createVirtualClock } from '../../src/testing/clock.ts'

afterEach(() => vi.useRealTimers())

describe('a virtual clock', () => {
  it('wakes sleepers in the order of their times, each at its own', async () => {
    const clock = createVirtualClock(1_000)
    const woken: Array<[string, number]> = []
    const sleep = (name: string, ms: number): Promise<void> =>
      clock.sleep(ms).then(() => void woken.push([name, clock.monotonic()]))
    void sleep('late', 300)
    void sleep('early', 100).then(() => sleep('again', 100))
    void sleep('never', 301)
    expect(clock.now()).toBe(1_000)
    await clock.advance(300)
    expect(woken).toEqual([
      ['early', 100],
      ['again', 200],
      ['late', 300],
    ])
    expect([clock.now(), clock.monotonic()]).toEqual([1_300, 300])
  })

  it('rejects a sleep that is cancelled, before or after it began, and forgets it', async () => {
    const clock = createVirtualClock()
    await expect(clock.sleep(1, AbortSignal.abort())).rejects.toMatchObject({ code: 'aborted' })
    const stop = new AbortController()
    const asleep = clock.sleep(1, stop.signal)
    stop.abort()
    await expect(asleep).rejects.toMatchObject({ code: 'aborted' })
    await clock.advance(10)
  })

  it('runs until a promise settles or a condition holds, and no further', async () => {
    const clock = createVirtualClock()
    void clock.sleep(5_000)
    expect(await clock.until(clock.sleep(70).then(() => 'done'))).toBe('done')
    expect(clock.monotonic()).toBe(70)
    await expect(clock.until(clock.sleep(10).then(() => Promise.reject(new Error('no'))))).rejects.toThrow('no')
    void clock.sleep(1_000)
    await clock.until(() => clock.monotonic() > 80)
    expect(clock.monotonic()).toBe(1_080)
    await expect(clock.until(() => false, 100)).rejects.toThrow('Not within 100 ms')
    expect(clock.monotonic()).toBe(1_080)
  })

  it('says so when nothing is left to wait for', async () => {
    const clock = createVirtualClock()
    await expect(clock.until(new Promise(() => undefined))).rejects.toThrow('Nothing is left')
  })

  it('stands still while it is held', async () => {
    const clock = createVirtualClock()
    clock.hold()()
    const [first, release] = [clock.hold(), clock.hold()]
    first()
    first()
    const asleep = clock.advance(100)
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(clock.monotonic()).toBe(0)
    release()
    await asleep
    expect(clock.monotonic()).toBe(100)
  })

  it('works beside the fake timers of a test runner', async () => {
    vi.useFakeTimers()
    const clock = createVirtualClock()
    await clock.until(clock.sleep(1_000))
    expect(clock.monotonic()).toBe(1_000)
  })
})
