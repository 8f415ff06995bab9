/** The parts of the demo's map that are plain computation. */
import { describe, expect, test } from 'vitest'
import { createPoints, largest, nearest, type Field } from '../../demo/map/points.ts'
import { HALF_HEIGHT, HALF_WIDTH, project } from '../../demo/map/projection.ts'
import { pan, toPicture, toWorld, WHOLE, zoomAt } from '../../demo/map/view.ts'
import type { ColumnsSnapshot } from '../../src/index.ts'

const size = { width: 1000, height: 700 }

function feedOf(
  rows: ReadonlyArray<readonly [id: number, lon: number, lat: number, population: number]>,
): ColumnsSnapshot<Field> {
  const column = (at: 0 | 1 | 2 | 3): Float64Array => Float64Array.from(rows, (row) => row[at])
  return {
    state: 'ready',
    size: rows.length,
    columns: { id: column(0), lon: column(1), lat: column(2), population: column(3) },
    error: null,
  }
}

const inTime = (): boolean => false

describe('projection', () => {
  test('is Equal Earth: its published extent and symmetry', () => {
    expect(HALF_WIDTH).toBeCloseTo(2.70663, 4)
    expect(HALF_HEIGHT).toBeCloseTo(1.31737, 4)
    expect(project(0, 0)).toEqual({ x: 0, y: -0 })
    const [north, south] = [project(100, 50), project(-100, -50)]
    expect(north.x).toBeCloseTo(-south.x, 12)
    expect(north.y).toBeCloseTo(-south.y, 12)
  })

  test('keeps areas: a degree by the equator and one at 60 north cover what they cover on the globe', () => {
    const area = (lat: number): number => {
      const [a, b, c] = [project(10, lat), project(10.01, lat), project(10, lat + 0.01)]
      return Math.abs((b.x - a.x) * (c.y - a.y) - (c.x - a.x) * (b.y - a.y))
    }
    expect(area(60) / area(0)).toBeCloseTo(Math.cos((60.005 * Math.PI) / 180), 3)
  })
})

describe('view', () => {
  test('zooming keeps the place under the pointer where it is', () => {
    const at = { x: 620, y: 300 }
    const before = toWorld(WHOLE, size, at)
    const after = toPicture(zoomAt(WHOLE, size, 7, at), size, before)
    expect(after.x).toBeCloseTo(at.x, 6)
    expect(after.y).toBeCloseTo(at.y, 6)
  })

  test('never goes further out than the whole world, nor past its edge', () => {
    expect(zoomAt({ x: 1, y: 1, zoom: 4 }, size, 0.01, { x: 10, y: 10 })).toEqual({ x: 0, y: 0, zoom: 1 })
    const far = pan({ x: 0, y: 0, zoom: 4 }, size, { x: -1e6, y: 1e6 })
    expect(far.x).toBeLessThan(HALF_WIDTH)
    expect(far.y).toBeGreaterThan(-HALF_HEIGHT)
  })
})

describe('points', () => {
  const feed = feedOf([
    [1, 10, 50, 1_000],
    [2, 10.4, 50, 2_000_000],
    [3, -60, -20, 500],
    [4, NaN, NaN, NaN],
  ])

  test('are taken over in portions while there is time, and are all there in the end', () => {
    const points = createPoints()
    let turns = 0
    expect(
      points.absorb(feedOf(Array.from({ length: 1000 }, (_, id) => [id, 0, 0, 1] as const)), () => turns++ > 0),
    ).toBe(false)
    expect(points.size).toBe(250)
    const all = createPoints()
    expect(all.absorb(feed, inTime)).toBe(true)
    expect([...all.ids.slice(0, 3)]).toEqual([1, 2, 3])
    expect(all).toMatchObject({ size: 4, places: 3 })
  })

  test('the nearest place is found, a larger one a little further away wins, a removed one is never found', () => {
    const points = createPoints()
    points.absorb(feed, inTime)
    const at = project(10.18, 50)
    expect(points.ids[nearest(points, at.x, at.y, 0.05)]).toBe(2)
    const near = project(10.01, 50)
    expect(points.ids[nearest(points, near.x, near.y, 0.05)]).toBe(1)
    const nowhere = project(150, 0)
    expect(nearest(points, nowhere.x, nowhere.y, 0.05)).toBe(-1)
  })

  test('a changed slot is taken over again', () => {
    const points = createPoints()
    points.absorb(feed, inTime)
    const grown = feedOf([[1, 10, 50, 9_000_000]])
    expect(points.refresh(grown, 0)).toBe(true)
    expect(points.populations[0]).toBe(9_000_000)
    expect(points.refresh(grown, 99)).toBe(false)
    expect(points.places).toBe(3)
    points.refresh(feedOf([[NaN, NaN, NaN, NaN]]), 0)
    expect(points.places).toBe(2)
  })

  test('the largest in a rectangle come first, those outside never', () => {
    const points = createPoints()
    points.absorb(feed, inTime)
    expect(largest(points, 0, -2, 3, 2, 5).map((slot) => points.ids[slot])).toEqual([2, 1])
    expect(largest(points, 0, -2, 3, 2, 1).map((slot) => points.ids[slot])).toEqual([2])
  })
})
