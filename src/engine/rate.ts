/** A token bucket for requests: the limit belongs to the endpoint (R12, RATE-1). */
import type { Clock } from '../clock.ts'

export interface RateLimit {
  /** Resolves when a request may go out. */
  take(signal: AbortSignal): Promise<void>
  /** Requests a second; 0 lifts the limit. */
  set(perSecond: number): void
}

export function createRateLimit(clock: Clock, perSecond: number): RateLimit {
  let rate = perSecond
  let free = perSecond
  let at = clock.monotonic()
  let line: Promise<void> = Promise.resolve()

  async function wait(signal: AbortSignal): Promise<void> {
    if (rate === 0) return
    const now = clock.monotonic()
    free = Math.min(rate, free + ((now - at) / 1000) * rate)
    at = now
    free -= 1
    if (free < 0) await clock.sleep((-free / rate) * 1000, signal)
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
      free = Math.min(free, next)
    },
  }
}
