/** Pointer, wheel, pinch and keyboard as moves of the view. Knows nothing of places. */
import type { XY } from './projection.ts'

export interface GestureTarget {
  readonly pan: (by: XY) => void
  readonly zoom: (factor: number, at: XY, smooth: boolean) => void
  readonly hover: (at: XY | null) => void
  readonly pick: (at: XY) => void
  readonly pickMiddle: () => void
  readonly whole: () => void
  readonly deselect: () => void
}

const CLICK_SLACK = 5
const STEP = 70

export function listenToGestures(stage: HTMLElement, target: GestureTarget): void {
  const pointers = new Map<number, XY>()
  let travelled = 0
  let lastTap = { at: 0, x: 0, y: 0 }

  const here = (event: MouseEvent): XY => {
    const box = stage.getBoundingClientRect()
    return { x: event.clientX - box.left, y: event.clientY - box.top }
  }

  stage.addEventListener('pointerdown', (event) => {
    if (event.button !== 0) return
    if (pointers.size === 0) travelled = 0
    pointers.set(event.pointerId, here(event))
    stage.setPointerCapture(event.pointerId)
    target.hover(null)
  })
  stage.addEventListener('pointermove', (event) => {
    const now = here(event)
    const before = pointers.get(event.pointerId)
    if (before === undefined) {
      if (event.pointerType === 'mouse') target.hover(now)
      return
    }
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1]
    pointers.set(event.pointerId, now)
    travelled += Math.hypot(now.x - before.x, now.y - before.y)
    if (travelled < CLICK_SLACK) return
    stage.classList.add('dragging')
    if (other === undefined) return target.pan({ x: now.x - before.x, y: now.y - before.y })
    const gap = (a: XY): number => Math.max(20, Math.hypot(a.x - other.x, a.y - other.y))
    target.pan({ x: (now.x - before.x) / 2, y: (now.y - before.y) / 2 })
    target.zoom(gap(now) / gap(before), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 }, false)
  })
  const release = (event: PointerEvent): void => {
    if (!pointers.delete(event.pointerId) || pointers.size > 0) return
    stage.classList.remove('dragging')
    if (event.type === 'pointercancel' || travelled >= CLICK_SLACK) return
    const at = here(event)
    const doubled = event.timeStamp - lastTap.at < 320 && Math.hypot(at.x - lastTap.x, at.y - lastTap.y) < 30
    lastTap = { at: doubled ? 0 : event.timeStamp, ...at }
    if (doubled) target.zoom(2.2, at, true)
    else target.pick(at)
  }
  stage.addEventListener('pointerup', release)
  stage.addEventListener('pointercancel', release)
  stage.addEventListener('pointerleave', () => target.hover(null))
  stage.addEventListener(
    'wheel',
    (event) => {
      event.preventDefault()
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1
      // A pinch on a touch pad arrives as a wheel with ctrlKey and small steps.
      const strength = event.ctrlKey ? 0.012 : 0.0022
      target.zoom(Math.exp(-Math.max(-200, Math.min(200, event.deltaY * lines)) * strength), here(event), false)
    },
    { passive: false },
  )
  stage.addEventListener('keydown', (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target !== stage) return
    const middle = { x: stage.clientWidth / 2, y: stage.clientHeight / 2 }
    const moves: Readonly<Record<string, () => void>> = {
      ArrowLeft: () => target.pan({ x: STEP, y: 0 }),
      ArrowRight: () => target.pan({ x: -STEP, y: 0 }),
      ArrowUp: () => target.pan({ x: 0, y: STEP }),
      ArrowDown: () => target.pan({ x: 0, y: -STEP }),
      '+': () => target.zoom(1.6, middle, true),
      '=': () => target.zoom(1.6, middle, true),
      '-': () => target.zoom(1 / 1.6, middle, true),
      '0': target.whole,
      Home: target.whole,
      Enter: target.pickMiddle,
      ' ': target.pickMiddle,
      Escape: target.deselect,
    }
    const move = moves[event.key]
    if (move === undefined) return
    event.preventDefault()
    move()
  })
}
