/**
 * The map: places appear as they arrive, in portions that leave the page's thread free (no task over
 * 50 ms; here at most `BUDGET` ms a frame). Three layers: the bare globe, two plates of light that take
 * turns, and marks (sparks, names, rings) on top.
 */
import type { ColumnFeed, ColumnsSnapshot } from '../../src/index.ts'
import { motionReduced } from '../dom.ts'
import { listenToGestures } from './gestures.ts'
import { createLabels, type NameLookup } from './labels.ts'
import type { Palette } from './palette.ts'
import { createPlate } from './plate.ts'
import { createPoints, nearest, type Field } from './points.ts'
import { graticule, outline, project, type XY } from './projection.ts'
import { createSparks } from './sparks.ts'
import { between, pan, sameView, scaleOf, toPicture, toWorld, WHOLE, zoomAt, type Size, type View } from './view.ts'

/** Milliseconds of drawing a frame. */
const BUDGET = 7
/** While places only arrive, so often is enough: the processor belongs to the sync then. */
const CALM_MS = 40
const FLIGHT_MS = 650
const ARRIVALS_SHOWN = 240
const LABELS_EVERY_MS = 900
const LABELS_REST_MS = 140
const REACH = 22

export interface WorldMapOptions {
  readonly stage: HTMLElement
  readonly globe: HTMLCanvasElement
  readonly plates: readonly [HTMLCanvasElement, HTMLCanvasElement]
  readonly marks: HTMLCanvasElement
  readonly palette: Palette
  readonly feed: ColumnFeed<Field>
  readonly names: NameLookup
  /** A place was chosen on the map; null: none. */
  readonly onPick: (id: number | null) => void
  /** The pointer rests near a place, at this point of the stage. */
  readonly onHover: (id: number | null, at: XY) => void
  /** The number of places drawn has changed. */
  readonly onCount: (count: number) => void
}

export interface WorldMap {
  readonly setPalette: (palette: Palette) => void
  /** Rings a place. `fly` brings it into view. */
  readonly select: (
    place: { readonly id: number; readonly lon: number; readonly lat: number } | null,
    fly: boolean,
  ) => void
  readonly zoomBy: (factor: number) => void
  readonly whole: () => void
}

export function createWorldMap(options: WorldMapOptions): WorldMap {
  const { stage, feed } = options
  const globe = options.globe.getContext('2d')
  const marks = options.marks.getContext('2d')
  if (globe === null || marks === null) throw new Error('This browser cannot draw on a canvas.')
  const points = createPoints()
  const sparks = createSparks(motionReduced)
  const labels = createLabels(options.names)

  let { palette } = options
  let [front, back] = [createPlate(options.plates[0]), createPlate(options.plates[1])]
  let size: Size = { width: 1, height: 1 }
  let ratio = 1
  let view: View = WHOLE
  let flight: { readonly from: View; readonly to: View; readonly start: number } | null = null
  let backBusy = false
  let selected: { readonly id: number; readonly at: XY } | null = null
  let hovered = -1
  let frame = 0
  let labelsDue = 0
  let counted = -1
  let hoverAt: XY | null = null
  let drawnAt = 0
  let marksDue = true

  const wake = (): void => {
    if (frame === 0) frame = requestAnimationFrame(tick)
  }
  const look = (to: View): void => {
    if (sameView(to, view)) return
    view = to
    drawGlobe()
    placePlates()
    labelsDue = performance.now() + LABELS_REST_MS
    wake()
  }
  const fly = (to: View): void => {
    if (motionReduced()) return look(to)
    flight = { from: view, to, start: performance.now() }
    wake()
  }

  function drawGlobe(): void {
    if (globe === null) return
    globe.setTransform(1, 0, 0, 1, 0, 0)
    globe.clearRect(0, 0, options.globe.width, options.globe.height)
    const scale = scaleOf(view, size) * ratio
    globe.setTransform(
      scale,
      0,
      0,
      scale,
      (size.width / 2) * ratio - view.x * scale,
      (size.height / 2) * ratio - view.y * scale,
    )
    const trace = (line: readonly XY[]): void => {
      for (const [index, { x, y }] of line.entries()) {
        if (index === 0) globe.moveTo(x, y)
        else globe.lineTo(x, y)
      }
    }
    globe.lineWidth = ratio / scale
    globe.beginPath()
    trace(outline)
    globe.closePath()
    globe.fillStyle = palette.sea
    globe.fill()
    globe.strokeStyle = palette.rim
    globe.stroke()
    globe.beginPath()
    for (const line of graticule) trace(line)
    globe.strokeStyle = palette.graticule
    globe.stroke()
  }

  /** Moves the picture that is there to where the view now is; the browser scales it until a new one is lit. */
  function placePlates(): void {
    const by = scaleOf(view, size) / scaleOf(front.view, size)
    const x = (front.view.x - view.x) * scaleOf(view, size) + (size.width / 2) * (1 - by)
    const y = (front.view.y - view.y) * scaleOf(view, size) + (size.height / 2) * (1 - by)
    front.canvas.style.transform = by === 1 && x === 0 && y === 0 ? '' : `translate(${x}px, ${y}px) scale(${by})`
  }

  function drawMarks(now: number): boolean {
    if (marks === null) return false
    marks.setTransform(ratio, 0, 0, ratio, 0, 0)
    marks.clearRect(0, 0, size.width, size.height)
    const glowing = sparks.draw(marks, points, view, size, palette.spark, now)
    labels.draw(marks, points, view, size, palette.label, palette.halo)
    if (hovered >= 0)
      ring(toPicture(view, size, { x: points.xs[hovered] ?? NaN, y: points.ys[hovered] ?? NaN }), 5, 1.25)
    if (selected !== null) ring(toPicture(view, size, selected.at), 7, 2)
    return glowing
  }
  function ring({ x, y }: XY, radius: number, width: number): void {
    if (marks === null || !Number.isFinite(x)) return
    marks.beginPath()
    marks.arc(x, y, radius, 0, 2 * Math.PI)
    marks.lineWidth = width + 2.5
    marks.strokeStyle = palette.halo
    marks.stroke()
    marks.lineWidth = width
    marks.strokeStyle = palette.ring
    marks.stroke()
  }

  function tick(now: number): void {
    frame = 0
    const lively = flight !== null || hoverAt !== null || !sameView(front.view, view)
    if (!lively && !marksDue && now - drawnAt < CALM_MS) return wake()
    drawnAt = now
    marksDue = false
    const end = performance.now() + BUDGET
    const late = (): boolean => performance.now() > end
    if (flight !== null) {
      const share = Math.min(1, (now - flight.start) / FLIGHT_MS)
      const { from, to } = flight
      if (share === 1) flight = null
      look(share === 1 ? to : between(from, to, Math.max(0, share)))
    }
    if (hoverAt !== null) hover(hoverAt)
    const absorbed = points.absorb(feed.getSnapshot(), late)
    const lit = front.work(points, palette.ink, late)
    if (!backBusy && !sameView(front.view, view)) {
      back.aim(view, size, ratio, palette.glow)
      backBusy = true
    }
    if (backBusy && back.work(points, palette.ink, late)) swap()
    if (counted !== points.places) options.onCount((counted = points.places))
    if (labelsDue > 0 && now >= labelsDue && flight === null) {
      labelsDue = 0
      void labels.choose(points, view, size).then(wake, () => undefined)
    }
    const glowing = drawMarks(now)
    if (!absorbed || !lit || backBusy || flight !== null || glowing || labelsDue > 0 || !sameView(front.view, view))
      wake()
  }

  function swap(): void {
    backBusy = false
    ;[front, back] = [back, front]
    placePlates()
    front.canvas.style.visibility = 'visible'
    back.canvas.style.visibility = 'hidden'
    back.canvas.style.transform = ''
  }

  function resize(): void {
    size = { width: Math.max(1, stage.clientWidth), height: Math.max(1, stage.clientHeight) }
    // More than two device pixels a pixel cost much and show nothing.
    ratio = Math.min(2, devicePixelRatio)
    for (const canvas of [options.globe, options.marks]) {
      canvas.width = Math.round(size.width * ratio)
      canvas.height = Math.round(size.height * ratio)
    }
    front.aim(view, size, ratio, palette.glow)
    placePlates()
    backBusy = false
    drawGlobe()
    labelsDue = performance.now() + LABELS_REST_MS
    wake()
  }

  function clear(): void {
    points.clear()
    sparks.clear()
    labels.clear()
    hovered = -1
    front.aim(view, size, ratio, palette.glow)
    placePlates()
    backBusy = false
  }

  function changed(from: number, to: number, slots: Uint32Array): void {
    const snapshot: ColumnsSnapshot<Field> = feed.getSnapshot()
    const now = performance.now()
    // Fewer slots than were drawn, or the first ones again: the data began anew.
    if (snapshot.size < points.size || (to > from && from < points.size)) clear()
    const every = Math.max(1, Math.floor((to - from) / ARRIVALS_SHOWN))
    for (let slot = from; slot < to; slot += every) sparks.arrived(slot, now)
    for (const slot of slots) {
      front.shine(points, slot, -1)
      if (backBusy) back.shine(points, slot, -1)
      const drawn = points.refresh(snapshot, slot)
      front.shine(points, slot, 1)
      if (backBusy) back.shine(points, slot, 1)
      if (drawn) sparks.changed(slot, now)
    }
    if (labelsDue === 0) labelsDue = now + LABELS_EVERY_MS
    wake()
  }

  const find = (at: XY, reach: number): number => {
    const { x, y } = toWorld(view, size, at)
    return nearest(points, x, y, reach / scaleOf(view, size))
  }
  const idOf = (slot: number): number | null => (slot < 0 ? null : (points.ids[slot] ?? null))

  function hover(at: XY): void {
    hoverAt = null
    const slot = find(at, REACH / 2)
    if (slot === hovered) return
    hovered = slot
    marksDue = true
    options.onHover(
      idOf(slot),
      slot < 0 ? at : toPicture(view, size, { x: points.xs[slot] ?? NaN, y: points.ys[slot] ?? NaN }),
    )
    wake()
  }

  listenToGestures(stage, {
    pan: (by) => {
      flight = null
      look(pan(view, size, by))
    },
    zoom: (factor, at, smooth) => {
      flight = null
      const to = zoomAt(view, size, factor, at)
      if (smooth) fly(to)
      else look(to)
    },
    hover: (at) => {
      hoverAt = at
      if (at === null && hovered >= 0) {
        hovered = -1
        options.onHover(null, { x: 0, y: 0 })
      }
      wake()
    },
    pick: (at) => options.onPick(idOf(find(at, REACH))),
    pickMiddle: () => options.onPick(idOf(find({ x: size.width / 2, y: size.height / 2 }, 4 * REACH))),
    whole: () => fly(WHOLE),
    deselect: () => options.onPick(null),
  })

  new ResizeObserver(resize).observe(stage)
  back.canvas.style.visibility = 'hidden'
  resize()
  feed.changes(({ from, to, slots }) => changed(from, to, slots))

  return {
    setPalette: (next) => {
      palette = next
      drawGlobe()
      back.aim(view, size, ratio, palette.glow)
      backBusy = true
      wake()
    },
    select: (place, bring) => {
      marksDue = true
      selected = place === null ? null : { id: place.id, at: project(place.lon, place.lat) }
      if (selected !== null && bring) {
        const zoom = Math.max(view.zoom, 5)
        fly(zoomAt({ ...selected.at, zoom }, size, 1, { x: size.width / 2, y: size.height / 2 }))
      }
      wake()
    },
    zoomBy: (factor) => fly(zoomAt(flight?.to ?? view, size, factor, { x: size.width / 2, y: size.height / 2 })),
    whole: () => fly(WHOLE),
  }
}
