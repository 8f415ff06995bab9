/**
 * A clock that moves only when told to, so that an hour of retries takes milliseconds. Real work (storage, messages,
 * the service) takes no virtual time: before each step the clock waits until that has come to rest.
 */
import { aborted, type Clock } from '../clock.ts'

export interface VirtualClock extends Clock {
  /** Moves on by so many milliseconds, waking in order whoever waits on the way. */
  advance(ms: number): Promise<void>
  /**
   * Moves on, from one waking to the next, until the promise has settled or the condition holds.
   * @param withinMs of virtual time; an hour unless given
   * @throws what the promise rejects with; Error if it takes longer, or if nothing is left to wait for
   */
  until<T>(goal: Promise<T>, withinMs?: number): Promise<T>
  until(goal: () => boolean | Promise<boolean>, withinMs?: number): Promise<void>
  /** Time stands still from here until the answer is called, or for 3 real seconds. */
  hold(): () => void
}

interface Timer {
  readonly at: number
  readonly wake: () => void
}

const HOUR = 3_600_000
/** Real milliseconds after which nothing more is expected to happen without time passing. */
const PATIENCE = 3_000

// Those of the platform, also while a test has replaced them by its own.
const { setTimeout: later } = globalThis
const elapsed = performance.now.bind(performance)

/** @param start the wall clock's time at the beginning, milliseconds since 1970 */
export function createVirtualClock(start = Date.UTC(2026, 0, 1)): VirtualClock {
  let passed = 0
  let held = 0
  let timers: Timer[] = []

  const next = (): Timer | undefined =>
    timers.reduce<Timer | undefined>((a, b) => (a && a.at <= b.at ? a : b), undefined)

  function wake(timer: Timer): void {
    timers = timers.filter((other) => other !== timer)
    passed = Math.max(passed, timer.at)
    timer.wake()
  }

  return {
    now: () => start + passed,
    monotonic: () => passed,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(aborted())
        const timer: Timer = {
          at: passed + Math.max(0, ms),
          wake: () => {
            signal?.removeEventListener('abort', stop)
            resolve()
          },
        }
        function stop(): void {
          timers = timers.filter((other) => other !== timer)
          reject(aborted())
        }
        signal?.addEventListener('abort', stop, { once: true })
        timers.push(timer)
      }),
    hold() {
      held++
      let over = false
      return () => {
        if (!over) held--
        over = true
      }
    },
    async advance(ms) {
      const end = passed + ms
      for (;;) {
        await rest(() => held > 0)
        const timer = next()
        if (timer === undefined || timer.at > end) break
        wake(timer)
      }
      passed = end
    },
    async until(goal: Promise<unknown> | (() => boolean | Promise<boolean>), withinMs = HOUR) {
      const end = passed + withinMs
      let settled = false
      const settle = (): void => {
        settled = true
      }
      if (typeof goal !== 'function') goal.then(settle, settle)
      const reached = typeof goal === 'function' ? goal : () => settled
      let idleSince: number | null = null
      while (!(await reached())) {
        await rest(() => held > 0)
        if (await reached()) break
        const timer = next()
        if (timer === undefined) {
          idleSince ??= elapsed()
          if (elapsed() - idleSince > PATIENCE) throw new Error('Nothing is left that waits for time to pass.')
          continue
        }
        if (timer.at > end) throw new Error(`Not within ${withinMs} ms of virtual time.`)
        wake(timer)
        idleSince = null
      }
      return (typeof goal === 'function' ? undefined : await goal) as never
    },
  }
}

/** Waits until nothing was held over two turns of the real event loop, or whoever holds time must be waiting for it. */
async function rest(busy: () => boolean): Promise<void> {
  const since = elapsed()
  for (let quiet = 0; quiet < 2 && elapsed() - since < PATIENCE;) {
    await new Promise<void>((resolve) => void later(resolve, 1))
    quiet = busy() ? 0 : quiet + 1
  }
}
