/**
 * The rate limit: no second holds more requests than the endpoint allows (R12, RATE-1). A burst may use them up
 * at once; then each request waits until the one so many before it is a second old.
 */
import type { Clock } from '../clock.ts'

export interface RateLimit {
  /** Resolves when a request may go out. */
  take(signal: AbortSignal): Promise<void>
  /** Requests a second; 0 lifts the limit. */
  set(perSecond: number): void
}

export function createRateLimit(clock: Clock, perSecond: number): RateLimit {
  let rate = perSecond
  let sent: number[] = []
  let line: Promise<void> = Promise.resolve()

  async function wait(signal: AbortSignal): Promise<void> {
    if (rate === 0) return
    // Below one a second it is one in so many seconds.
    const allowed = Math.max(1, Math.floor(rate))
    const window = Math.max(1_000, 1_000 / rate)
    const before = sent.at(-allowed)
    const left = before === undefined ? 0 : before + window - clock.monotonic()
    if (left > 0) await clock.sleep(left, signal)
    sent = [...sent, clock.monotonic()].slice(-allowed)
  }

  return {
    // One after the other, so that waits do not overlap.
    take: (signal) => {
      const turn = line.then(() => wait(signal))
      line = turn.catch(() => undefined)
      return turn
    },
    set: (next) => {
      rate = next
    },
  }
}
