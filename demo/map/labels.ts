/** Names on the map: the largest places in view that do not touch each other. */
import { largest, type Points } from './points.ts'
import { toPicture, toWorld, type Size, type View } from './view.ts'

export interface Label {
  readonly slot: number
  readonly name: string
}

/** Looks names up in the local database; undefined where a place is gone meanwhile. */
export type NameLookup = (ids: readonly number[]) => Promise<ReadonlyArray<string | undefined>>

const FONT = '500 11.5px Inter, system-ui, sans-serif'
const CANDIDATES = 90
const OFFSET = 10

export interface Labels {
  /** Chooses names anew for a view at rest. */
  readonly choose: (points: Points, view: View, size: Size) => Promise<void>
  readonly draw: (
    context: CanvasRenderingContext2D,
    points: Points,
    view: View,
    size: Size,
    colour: string,
    halo: string,
  ) => void
  readonly clear: () => void
}

export function createLabels(lookup: NameLookup): Labels {
  let shown: readonly Label[] = []
  let turn = 0
  const ruler = document.createElement('canvas').getContext('2d')

  const place = (points: Points, view: View, size: Size, candidates: readonly Label[]): Label[] => {
    const most = Math.round(Math.min(34, Math.max(5, (size.width * size.height) / 42_000)))
    const taken: Array<readonly [number, number, number, number]> = []
    const chosen: Label[] = []
    if (ruler !== null) ruler.font = FONT
    for (const label of candidates) {
      const { x, y } = toPicture(view, size, { x: points.xs[label.slot] ?? NaN, y: points.ys[label.slot] ?? NaN })
      const width = (ruler?.measureText(label.name).width ?? 60) + OFFSET
      const box = [x - 6, y - 11, x + width + 8, y + 11] as const
      if (!(box[2] < size.width && box[1] > 0 && box[3] < size.height)) continue
      if (taken.some(([l, t, r, b]) => box[0] < r && box[2] > l && box[1] < b && box[3] > t)) continue
      taken.push(box)
      chosen.push(label)
      if (chosen.length === most) break
    }
    return chosen
  }

  return {
    choose: async (points, view, size) => {
      const mine = ++turn
      const from = toWorld(view, size, { x: 0, y: 0 })
      const to = toWorld(view, size, { x: size.width, y: size.height })
      const slots = largest(points, from.x, from.y, to.x, to.y, CANDIDATES)
      const names = await lookup(slots.map((slot) => points.ids[slot] ?? NaN))
      if (mine !== turn) return
      shown = place(
        points,
        view,
        size,
        slots.flatMap((slot, at) => {
          const name = names[at]
          return name === undefined ? [] : [{ slot, name }]
        }),
      )
    },
    draw: (context, points, view, size, colour, halo) => {
      context.font = FONT
      context.textBaseline = 'middle'
      context.lineJoin = 'round'
      context.lineWidth = 3
      context.strokeStyle = halo
      context.fillStyle = colour
      for (const { slot, name } of shown) {
        if (slot >= points.size) continue
        const { x, y } = toPicture(view, size, { x: points.xs[slot] ?? NaN, y: points.ys[slot] ?? NaN })
        context.strokeText(name, x + OFFSET, y)
        context.fillText(name, x + OFFSET, y)
      }
    },
    clear: () => {
      turn++
      shown = []
    },
  }
}
