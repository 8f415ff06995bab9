/**
 * The places as the map needs them: projected, in flat arrays, one slot each. The feed's slots never move,
 * so a slot is a place's name on the map. Projecting is done in small portions, when there is time.
 */
import type { ColumnsSnapshot } from '../../src/index.ts'
import { project } from './projection.ts'

export type Field = 'id' | 'lon' | 'lat' | 'population'

export interface Points {
  /** Slots ready to be drawn: [0, size). */
  readonly size: number
  /** Slots that hold a place; a removed one leaves its slot empty. */
  readonly places: number
  readonly xs: Float32Array
  readonly ys: Float32Array
  readonly populations: Float64Array
  readonly ids: Float64Array
}

export interface GrowingPoints extends Points {
  /** Takes over slots that are new in `feed` until `late()`; true when all are taken. */
  readonly absorb: (feed: ColumnsSnapshot<Field>, late: () => boolean) => boolean
  /** Takes over one changed slot; false if it is not ready yet and needs nothing. */
  readonly refresh: (feed: ColumnsSnapshot<Field>, slot: number) => boolean
  readonly clear: () => void
}

const PORTION = 250

export function createPoints(): GrowingPoints {
  let size = 0
  let places = 0
  let xs = new Float32Array(1024)
  let ys = new Float32Array(1024)
  let populations = new Float64Array(1024)
  let ids = new Float64Array(1024)

  const take = ({ columns }: ColumnsSnapshot<Field>, slot: number): void => {
    const { x, y } = project(columns.lon[slot] ?? NaN, columns.lat[slot] ?? NaN)
    const before = slot < size && !Number.isNaN(xs[slot])
    places += Number(!Number.isNaN(x)) - Number(before)
    xs[slot] = x
    ys[slot] = y
    populations[slot] = columns.population[slot] ?? NaN
    ids[slot] = columns.id[slot] ?? NaN
  }
  const grow = (need: number): void => {
    if (need <= xs.length) return
    const room = Math.max(need, xs.length * 2)
    const larger = <T extends Float32Array | Float64Array>(old: T, fresh: T): T => (fresh.set(old), fresh)
    xs = larger(xs, new Float32Array(room))
    ys = larger(ys, new Float32Array(room))
    populations = larger(populations, new Float64Array(room))
    ids = larger(ids, new Float64Array(room))
  }

  return {
    get size() {
      return size
    },
    get places() {
      return places
    },
    get xs() {
      return xs
    },
    get ys() {
      return ys
    },
    get populations() {
      return populations
    },
    get ids() {
      return ids
    },
    absorb: (feed, late) => {
      grow(feed.size)
      while (size < feed.size) {
        if (late()) return false
        for (const end = Math.min(feed.size, size + PORTION); size < end; size++) take(feed, size)
      }
      return true
    },
    refresh: (feed, slot) => {
      if (slot >= size) return false
      take(feed, slot)
      return true
    },
    clear: () => {
      size = 0
      places = 0
    },
  }
}

/** The slot nearest to a point of the world within `radius`; among near ones the larger place wins. -1: none. */
export function nearest(points: Points, x: number, y: number, radius: number): number {
  const { xs, ys, populations, size } = points
  let best = -1
  let bestScore = Infinity
  for (let slot = 0; slot < size; slot++) {
    const dx = (xs[slot] ?? NaN) - x
    const dy = (ys[slot] ?? NaN) - y
    const distance = dx * dx + dy * dy
    if (!(distance < radius * radius)) continue
    // A place ten times as large may be about a third further away.
    const score = distance / (1 + (populations[slot] ?? 0)) ** 0.25
    if (score < bestScore) [best, bestScore] = [slot, score]
  }
  return best
}

/** The most populous slots within a rectangle of the world, largest first. */
export function largest(
  points: Points,
  left: number,
  top: number,
  right: number,
  bottom: number,
  many: number,
): number[] {
  const { xs, ys, populations, size } = points
  const found: number[] = []
  let least = 0
  for (let slot = 0; slot < size; slot++) {
    const population = populations[slot] ?? 0
    if (!(population > least)) continue
    const x = xs[slot] ?? NaN
    const y = ys[slot] ?? NaN
    if (!(x > left && x < right && y > top && y < bottom)) continue
    let at = found.length
    while (at > 0 && population > (populations[found[at - 1] ?? 0] ?? 0)) at--
    found.splice(at, 0, slot)
    if (found.length > many) found.pop()
    if (found.length === many) least = populations[found[many - 1] ?? 0] ?? 0
  }
  return found
}
