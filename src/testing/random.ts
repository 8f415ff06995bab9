/** Chance from a seed: an equal seed gives equal numbers, on every machine. */
import type { Random } from '../clock.ts'

/** A small seeded generator (mulberry32), uniform in [0, 1); separate streams keep one change from reshuffling everything. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** UUIDs and jitter drawn from `next`. */
export function seededRandom(next: () => number): Random {
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join('')
  return { float: next, uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}` }
}
