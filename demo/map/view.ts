/** Which part of the world is seen: a value, and the moves that make another one. */
import { HALF_HEIGHT, HALF_WIDTH, type XY } from './projection.ts'

export interface View {
  /** What lies in the middle of the picture. */
  readonly x: number
  readonly y: number
  /** How often larger than the whole world in the picture: 1 to `CLOSEST`. */
  readonly zoom: number
}

export interface Size {
  readonly width: number
  readonly height: number
}

export const CLOSEST = 80
/** The populated world lies a little north of the middle. */
export const WHOLE: View = { x: 0, y: 0, zoom: 1 }
const MARGIN = 1.05

/** Pixels per unit of the projection. */
export function scaleOf(view: View, size: Size): number {
  return (view.zoom * Math.min(size.width / (2 * HALF_WIDTH), size.height / (2 * HALF_HEIGHT))) / MARGIN
}

export function toPicture(view: View, size: Size, at: XY): XY {
  const scale = scaleOf(view, size)
  return { x: (at.x - view.x) * scale + size.width / 2, y: (at.y - view.y) * scale + size.height / 2 }
}

export function toWorld(view: View, size: Size, at: XY): XY {
  const scale = scaleOf(view, size)
  return { x: (at.x - size.width / 2) / scale + view.x, y: (at.y - size.height / 2) / scale + view.y }
}

/** Moves the picture by pixels. */
export function pan(view: View, size: Size, by: XY): View {
  const scale = scaleOf(view, size)
  return bounded({ ...view, x: view.x - by.x / scale, y: view.y - by.y / scale })
}

/** Zooms so that the place under `at` (pixels) stays where it is. */
export function zoomAt(view: View, size: Size, factor: number, at: XY): View {
  const zoom = Math.min(CLOSEST, Math.max(1, view.zoom * factor))
  const fixed = toWorld(view, size, at)
  const ratio = view.zoom / zoom
  return bounded({ x: fixed.x + (view.x - fixed.x) * ratio, y: fixed.y + (view.y - fixed.y) * ratio, zoom })
}

/** The whole world rests in the middle; closer views may go as far as its edge. */
function bounded(view: View): View {
  const free = 1 - 1 / view.zoom
  const limit = (value: number, half: number): number => Math.min(half * free, Math.max(-half * free, value))
  return { x: limit(view.x, HALF_WIDTH), y: limit(view.y, HALF_HEIGHT), zoom: view.zoom }
}

/** From one view to another, `share` from 0 to 1. */
export function between(from: View, to: View, share: number): View {
  const eased = share < 0.5 ? 4 * share ** 3 : 1 - (-2 * share + 2) ** 3 / 2
  const mix = (a: number, b: number): number => a + (b - a) * eased
  return { x: mix(from.x, to.x), y: mix(from.y, to.y), zoom: Math.exp(mix(Math.log(from.zoom), Math.log(to.zoom))) }
}

export const sameView = (a: View, b: View): boolean => a.x === b.x && a.y === b.y && a.zoom === b.zoom
