/**
 * Requests a second and token (RATE-1, R12): a bucket that holds one second's worth and fills evenly.
 * Buckets that are full again are forgotten.
 */

export interface RateLimit {
  /** Seconds to wait before this caller may ask again; 0: go on. */
  wait(caller: string): number
  /** How many callers are remembered. */
  size(): number
}

const SWEEP_AT = 1000

export function createRateLimit(perSecond: number | null, now: () => number): RateLimit {
  const buckets = new Map<string, { left: number; at: number }>()

  function sweep(time: number): void {
    for (const [caller, { at }] of buckets) if (time - at > 1000) buckets.delete(caller)
  }

  function wait(caller: string): number {
    if (perSecond === null) return 0
    const time = now()
    if (buckets.size >= SWEEP_AT) sweep(time)
    const bucket = buckets.get(caller) ?? { left: perSecond, at: time }
    buckets.set(caller, bucket)
    bucket.left = Math.min(perSecond, bucket.left + (Math.max(0, time - bucket.at) * perSecond) / 1000)
    bucket.at = time
    if (bucket.left < 1) return (1 - bucket.left) / perSecond
    bucket.left -= 1
    return 0
  }

  return { wait, size: () => buckets.size }
}
