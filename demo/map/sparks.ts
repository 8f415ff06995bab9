/** Short flashes where places arrived or changed: the newest few thousand, in the order they began. */
import type { Points } from './points.ts'
import { scaleOf, type Size, type View } from './view.ts'

const MOST = 2600
const ARRIVAL_MS = 900
const CHANGE_MS = 2600
const SHADES = 6

export interface Sparks {
  readonly arrived: (slot: number, now: number) => void
  readonly changed: (slot: number, now: number) => void
  /** Draws what still glows; false when all is dark again. */
  readonly draw: (
    context: CanvasRenderingContext2D,
    points: Points,
    view: View,
    size: Size,
    colour: string,
    now: number,
  ) => boolean
  readonly clear: () => void
}

interface Spark {
  readonly slot: number
  readonly born: number
}

export function createSparks(still: () => boolean): Sparks {
  let arrivals: Spark[] = []
  let changes: Spark[] = []

  const drawArrivals: Sparks['draw'] = (context, points, view, size, colour, now) => {
    const scale = scaleOf(view, size)
    const paths = Array.from({ length: SHADES }, () => new Path2D())
    for (const { slot, born } of arrivals) {
      const age = (now - born) / ARRIVAL_MS
      const x = ((points.xs[slot] ?? NaN) - view.x) * scale + size.width / 2
      const y = ((points.ys[slot] ?? NaN) - view.y) * scale + size.height / 2
      paths[Math.min(SHADES - 1, Math.floor(age * SHADES))]?.rect(x - 0.8, y - 0.8, 1.6, 1.6)
    }
    context.fillStyle = colour
    for (const [shade, path] of paths.entries()) {
      context.globalAlpha = 0.9 * (1 - shade / SHADES) ** 1.5
      context.fill(path)
    }
    context.globalAlpha = 1
    return arrivals.length > 0
  }

  const drawChanges: Sparks['draw'] = (context, points, view, size, colour, now) => {
    const scale = scaleOf(view, size)
    context.strokeStyle = colour
    context.lineWidth = 1.4
    for (const { slot, born } of changes) {
      const age = still() ? 0.3 : (now - born) / CHANGE_MS
      const x = ((points.xs[slot] ?? NaN) - view.x) * scale + size.width / 2
      const y = ((points.ys[slot] ?? NaN) - view.y) * scale + size.height / 2
      if (!(x > -20 && x < size.width + 20 && y > -20 && y < size.height + 20)) continue
      context.globalAlpha = (1 - age) ** 1.4
      context.beginPath()
      context.arc(x, y, 2.5 + 9 * (1 - (1 - age) ** 3), 0, 2 * Math.PI)
      context.stroke()
    }
    context.globalAlpha = 1
    return changes.length > 0
  }

  return {
    arrived: (slot, now) => {
      if (!still()) arrivals.push({ slot, born: now })
    },
    changed: (slot, now) => void changes.push({ slot, born: now }),
    draw: (context, points, view, size, colour, now) => {
      arrivals = arrivals.slice(-MOST).filter(({ slot, born }) => now - born < ARRIVAL_MS && slot < points.size)
      changes = changes.slice(-MOST).filter(({ slot, born }) => now - born < CHANGE_MS && slot < points.size)
      const some = drawArrivals(context, points, view, size, colour, now)
      return drawChanges(context, points, view, size, colour, now) || some
    },
    clear: () => {
      arrivals = []
      changes = []
    },
  }
}
