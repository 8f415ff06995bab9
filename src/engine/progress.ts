/** Honest progress of one drain: never over 100 %, never backwards, and no promise without an estimate. */
import type { Clock } from '../clock.ts'
import type { Progress } from './status.ts'

/** The rate is taken over this many milliseconds. */
const WINDOW_MS = 5_000
/** So far apart are the points it is measured between. */
const POINT_MS = 100

export interface ProgressMeter {
  /** A session began that will probably bring `estimate` items more. */
  begin(estimate: number | null): void
  /** A page arrived; the server believes `left` items still wait. */
  page(items: number, left: number | null): void
  snapshot(): Progress
}

/** @param start items that arrived before anybody measured. */
export function createProgress(clock: Clock, start = 0): ProgressMeter {
  let done = start
  let estimate: number | null = null
  let fraction = 0
  let points: Array<{ at: number; done: number }> = [{ at: clock.monotonic(), done: start }]

  function rate(): number {
    const now = clock.monotonic()
    points = points.filter((point, at) => at === points.length - 1 || now - points[at + 1]!.at < WINDOW_MS)
    const first = points[0]!
    const ms = now - first.at
    return ms <= 0 ? 0 : ((done - first.done) * 1000) / ms
  }

  return {
    begin(next) {
      estimate = next === null ? estimate : done + next
    },
    page(items, left) {
      done += items
      if (left !== null) estimate = done + left
      if (estimate !== null && estimate > 0) fraction = Math.max(fraction, Math.min(1, done / estimate))
      const at = clock.monotonic()
      if (at - points.at(-1)!.at >= POINT_MS) points.push({ at, done })
    },
    snapshot() {
      const perSecond = rate()
      const whole = estimate === null ? null : Math.max(estimate, done)
      return {
        done,
        estimate: whole,
        fraction: whole === null ? null : fraction,
        rate: Math.round(perSecond),
        etaMs: whole === null || perSecond === 0 ? null : Math.round(((whole - done) / perSecond) * 1000),
      }
    },
  }
}
