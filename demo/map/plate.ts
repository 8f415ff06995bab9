/**
 * One picture of all places for one view: a canvas, its light, and how far it has come. Two of them take
 * turns: while the front one is shown (moved and scaled by the browser), the back one is lit for the new view.
 */
import { createLight, type Ink, type Light } from './light.ts'
import type { Points } from './points.ts'
import { scaleOf, type Size, type View, WHOLE } from './view.ts'

export interface Plate {
  readonly canvas: HTMLCanvasElement
  readonly view: View
  /** Empties the plate and aims it at a view. */
  readonly aim: (view: View, size: Size, ratio: number, glow: number) => void
  /** Lights slots not yet lit, then paints, until `late()`; true when nothing is left. */
  readonly work: (points: Points, ink: Ink, late: () => boolean) => boolean
  /** Adds a lit slot (sign 1) or takes it away (-1): call before and after it changes. */
  readonly shine: (points: Points, slot: number, sign: 1 | -1) => void
  readonly touch: () => void
}

const PORTION = 200

export function createPlate(canvas: HTMLCanvasElement): Plate {
  const context = canvas.getContext('2d')
  if (context === null) throw new Error('This browser cannot draw on a canvas.')
  let light: Light = createLight(1, 1)
  let view = WHOLE
  let lit = 0
  let scale = 1
  let ratio = 1
  let growth = 1
  let glow = 0

  const shine: Plate['shine'] = ({ xs, ys, populations }, slot, sign) => {
    const x = ((xs[slot] ?? NaN) - view.x) * scale + canvas.width / 2
    const y = ((ys[slot] ?? NaN) - view.y) * scale + canvas.height / 2
    // Orders of magnitude from a hamlet (0) to the largest city on Earth (1).
    const rank = Math.max(0, Math.log10(Math.max(200, populations[slot] ?? 0)) - 2.3) / 5.1
    const wanted = (0.62 + 2.7 * rank ** 3) * growth * ratio
    // A spot smaller than a pixel is drawn larger and dimmer.
    const radius = Math.max(1.1, wanted)
    const power = (0.11 + 1.2 * rank ** 1.7) * Math.min(3.4, growth ** 1.5) * Math.min(1, wanted / radius) ** 1.5
    light.add(x, y, radius, sign * power)
    if (glow > 0 && rank > 0.55) light.add(x, y, radius * 5.5, sign * glow * ((rank - 0.55) / 0.45) * 2)
  }

  return {
    canvas,
    get view() {
      return view
    },
    aim: (to, size, pixelRatio, reach) => {
      const width = Math.max(1, Math.round(size.width * pixelRatio))
      const height = Math.max(1, Math.round(size.height * pixelRatio))
      if (canvas.width !== width || canvas.height !== height) {
        canvas.width = width
        canvas.height = height
        light = createLight(width, height)
      } else light.clear()
      view = to
      lit = 0
      ratio = pixelRatio
      scale = scaleOf(to, { width, height })
      growth = to.zoom ** 0.4 * Math.max(0.66, Math.min(1.25, size.width / 1000))
      glow = reach
    },
    work: (points, ink, late) => {
      while (lit < points.size) {
        if (late()) return false
        for (const end = Math.min(points.size, lit + PORTION); lit < end; lit++) shine(points, lit, 1)
      }
      return light.paint(context, ink, late)
    },
    shine: (points, slot, sign) => {
      if (slot < lit) shine(points, slot, sign)
    },
    touch: () => light.touch(),
  }
}
