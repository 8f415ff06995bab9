/**
 * Equal Earth (Šavrič, Patterson, Jenny 2018): an equal-area projection, so that the brightness of a
 * region is an honest measure of how many places it has. Units: the radius of the globe; y grows downwards.
 */
const A1 = 1.340264
const A2 = -0.081106
const A3 = 0.000893
const A4 = 0.003796
const M = Math.sqrt(3) / 2
const RADIANS = Math.PI / 180

export interface XY {
  readonly x: number
  readonly y: number
}

export function project(lon: number, lat: number): XY {
  const theta = Math.asin(M * Math.sin(lat * RADIANS))
  const t2 = theta * theta
  const t6 = t2 * t2 * t2
  const x = (lon * RADIANS * Math.cos(theta)) / (M * (A1 + 3 * A2 * t2 + t6 * (7 * A3 + 9 * A4 * t2)))
  return { x, y: -theta * (A1 + A2 * t2 + t6 * (A3 + A4 * t2)) }
}

/** Half the width and half the height of the whole world. */
export const HALF_WIDTH = project(180, 0).x
export const HALF_HEIGHT = -project(0, 90).y

function line(from: readonly [number, number], to: readonly [number, number], steps: number): XY[] {
  return Array.from({ length: steps + 1 }, (_, step) => {
    const share = step / steps
    return project(from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share)
  })
}

/** The edge of the world, closed. */
export const outline: readonly XY[] = [...line([-180, 90], [-180, -90], 90), ...line([180, -90], [180, 90], 90)]

/** Meridians and parallels every 30 degrees. */
export const graticule: ReadonlyArray<readonly XY[]> = [
  ...[-150, -120, -90, -60, -30, 0, 30, 60, 90, 120, 150].map((lon) => line([lon, -90], [lon, 90], 60)),
  ...[-60, -30, 0, 30, 60].map((lat) => line([-180, lat], [180, lat], 2)),
]
