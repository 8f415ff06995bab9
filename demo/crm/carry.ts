/**
 * Carrying a card with the pointer. The mouse lifts after a few pixels, a finger after a moment's hold, so that a
 * swipe still scrolls. What is carried is a copy; nothing changes before it is dropped on another column.
 */
import type { Deal } from './schema.ts'

const AWAY_PX = 5
const HOLD_MS = 320
const EDGE_PX = 56

interface CarryOptions {
  readonly box: HTMLElement
  readonly dealOf: (key: string) => Deal | undefined
  readonly onDrop: (deal: Deal, stage: number) => void
}

interface Point {
  readonly x: number
  readonly y: number
}

export function createCarry({ box, dealOf, onDrop }: CarryOptions): void {
  let card: HTMLElement | null = null
  let start: Point = { x: 0, y: 0 }
  let grip: Point = { x: 0, y: 0 }
  let copy: HTMLElement | null = null
  let over: HTMLElement | null = null
  let holding: ReturnType<typeof setTimeout> | undefined
  let frame = 0
  let at: Point = start
  /** A click follows the release of a carried card; it must not open the deal. */
  let carried = false

  const columnAt = ({ x, y }: Point): HTMLElement | null =>
    document.elementFromPoint(Math.max(1, Math.min(innerWidth - 2, x)), y)?.closest<HTMLElement>('.column') ?? null

  function lift(): void {
    if (card === null || copy !== null) return
    clearTimeout(holding)
    const { width, height, left, top } = card.getBoundingClientRect()
    grip = { x: start.x - left, y: start.y - top }
    copy = card.cloneNode(true) as HTMLElement
    copy.classList.add('carried')
    copy.ariaHidden = 'true'
    copy.style.width = `${width}px`
    copy.style.height = `${height}px`
    document.body.append(copy)
    card.classList.add('lifted')
    box.classList.add('carrying')
    carried = true
    follow(at)
    frame = requestAnimationFrame(scroll)
  }
  function follow(point: Point): void {
    at = point
    if (copy === null) return
    copy.style.transform = `translate(${point.x - grip.x}px, ${point.y - grip.y}px) rotate(1.6deg)`
    const column = columnAt(point)
    if (column === over) return
    over?.classList.remove('over')
    over = column
    over?.classList.add('over')
  }
  /** Near the edge the board moves along. */
  function scroll(): void {
    if (copy === null) return
    const { left, right } = box.getBoundingClientRect()
    const step = at.x < left + EDGE_PX ? -9 : at.x > right - EDGE_PX ? 9 : 0
    if (step !== 0) {
      box.scrollLeft += step
      follow(at)
    }
    frame = requestAnimationFrame(scroll)
  }
  function finish(drop: boolean): void {
    clearTimeout(holding)
    cancelAnimationFrame(frame)
    const [from, stage] = [card, over?.dataset['stage']]
    const deal = from === null ? undefined : dealOf(from.dataset['key'] ?? '')
    card?.classList.remove('lifted')
    copy?.remove()
    over?.classList.remove('over')
    box.classList.remove('carrying')
    const was = copy !== null
    card = copy = over = null
    if (was && drop && deal !== undefined && stage !== undefined && deal.stage_id !== Number(stage))
      onDrop(deal, Number(stage))
    // The click comes before the next task.
    setTimeout(() => {
      carried = false
    })
  }

  box.addEventListener('pointerdown', (event) => {
    const target = (event.target as Element).closest<HTMLElement>('.deal')
    if (target === null || event.button !== 0 || !event.isPrimary) return
    card = target
    start = at = { x: event.clientX, y: event.clientY }
    if (event.pointerType === 'touch') holding = setTimeout(lift, HOLD_MS)
  })
  window.addEventListener('pointermove', (event) => {
    if (card === null || !event.isPrimary) return
    const point = { x: event.clientX, y: event.clientY }
    const away = Math.hypot(point.x - start.x, point.y - start.y) > AWAY_PX
    if (copy !== null) follow(point)
    else if (away && event.pointerType === 'touch') finish(false)
    else if (away) {
      at = point
      lift()
    }
  })
  window.addEventListener('pointerup', (event) => {
    if (card !== null && event.isPrimary) finish(true)
  })
  window.addEventListener('pointercancel', () => finish(false))
  window.addEventListener(
    'keydown',
    (event) => {
      if (event.key !== 'Escape' || copy === null) return
      event.stopPropagation()
      finish(false)
    },
    { capture: true },
  )
  // A finger that carries does not scroll.
  box.addEventListener('touchmove', (event) => copy !== null && event.preventDefault(), { passive: false })
  box.addEventListener(
    'contextmenu',
    (event) => (copy !== null || holding !== undefined) && card !== null && event.preventDefault(),
  )
  box.addEventListener('dragstart', (event) => event.preventDefault())
  box.addEventListener(
    'click',
    (event) => {
      if (carried) event.preventDefault()
    },
    { capture: true },
  )
}
