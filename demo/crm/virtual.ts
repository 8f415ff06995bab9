/**
 * A tall list of which only what is near the window is in the document. Elements belong to items, not to places:
 * an item that moves keeps its element, its focus and its animation, and one that holds the focus stays.
 */
import { make } from '../dom.ts'

const AROUND = 6

export interface VirtualOptions<T> {
  readonly box: HTMLElement
  /** Pixels from one item to the next. */
  readonly height: number
  /** Pixels of one item that differs. */
  readonly heightOf?: (item: T) => number
  readonly idOf: (item: T) => string | number
  readonly create: (item: T) => HTMLElement
  /** Called when the item or its state changed. */
  readonly fill: (element: HTMLElement, item: T) => void
}

export interface Virtual<T> {
  /** `fresh`: another question was asked, so begin at the top. */
  readonly show: (items: readonly T[], fresh?: boolean) => void
  /** Fills all elements again. */
  readonly refresh: () => void
  readonly elementOf: (id: string | number) => HTMLElement | undefined
  /** Scrolls so that it can be seen, and gives its element. */
  readonly reveal: (id: string | number) => HTMLElement | undefined
}

interface Cell<T> {
  readonly element: HTMLElement
  item: T
  top: number
}

export function createVirtual<T>({ box, height, heightOf, idOf, create, fill }: VirtualOptions<T>): Virtual<T> {
  const sheet = make('div', 'sheet', box)
  sheet.setAttribute('role', 'presentation')
  const cells = new Map<string | number, Cell<T>>()
  let items: readonly T[] = []
  let tops: readonly number[] = []
  const topOf = (index: number): number => tops[index] ?? index * height

  const draw = (): void => {
    if (box.clientHeight === 0) return
    const [from, to] = [box.scrollTop - AROUND * height, box.scrollTop + box.clientHeight + AROUND * height]
    let first = 0
    if (heightOf === undefined) first = Math.max(0, Math.floor(from / height))
    else while (first < items.length && topOf(first + 1) < from) first++
    const wanted = new Set<string | number>()
    for (let index = first; index < items.length && topOf(index) < to; index++) {
      const item = items[index] as T
      const id = idOf(item)
      wanted.add(id)
      const top = topOf(index)
      let cell = cells.get(id)
      if (cell === undefined) {
        cell = { element: create(item), item, top: Number.NaN }
        cells.set(id, cell)
        fill(cell.element, item)
        sheet.append(cell.element)
      } else if (cell.item !== item) {
        cell.item = item
        fill(cell.element, item)
      }
      if (cell.top !== top) {
        cell.top = top
        cell.element.style.transform = `translateY(${top}px)`
      }
      if (cell.element.ariaPosInSet !== String(index + 1)) cell.element.ariaPosInSet = String(index + 1)
      if (cell.element.ariaSetSize !== String(items.length)) cell.element.ariaSetSize = String(items.length)
    }
    arrange([...wanted].map((id) => cells.get(id)?.element))
    for (const [id, { element }] of cells) {
      if (wanted.has(id) || (element.contains(document.activeElement) && items.some((item) => idOf(item) === id)))
        continue
      cells.delete(id)
      element.remove()
    }
  }
  /** In the document in the order in which they are seen, for whoever listens to it. */
  const arrange = (elements: ReadonlyArray<HTMLElement | undefined>): void => {
    const focused = document.activeElement
    let at = sheet.firstElementChild
    for (const element of elements) {
      if (element === undefined) continue
      if (element === at) at = at.nextElementSibling
      else sheet.insertBefore(element, at)
    }
    // An element that is moved loses the focus.
    if (focused instanceof HTMLElement && focused !== document.activeElement && sheet.contains(focused))
      focused.focus({ preventScroll: true })
  }
  box.addEventListener('scroll', draw, { passive: true })
  new ResizeObserver(draw).observe(box)

  return {
    show: (next, fresh = false) => {
      items = next
      if (heightOf !== undefined) {
        let top = 0
        tops = items.map((item) => {
          const mine = top
          top += heightOf(item)
          return mine
        })
        tops = [...tops, top]
      }
      sheet.style.height = `${heightOf === undefined ? items.length * height : topOf(items.length)}px`
      if (fresh) box.scrollTop = 0
      draw()
    },
    refresh: () => {
      for (const { element, item } of cells.values()) fill(element, item)
    },
    elementOf: (id) => cells.get(id)?.element,
    reveal: (id) => {
      const index = items.findIndex((item) => idOf(item) === id)
      if (index < 0) return undefined
      const [top, bottom] = [topOf(index), topOf(index + 1)]
      if (top < box.scrollTop) box.scrollTop = top
      else if (bottom > box.scrollTop + box.clientHeight) box.scrollTop = bottom - box.clientHeight
      draw()
      return cells.get(id)?.element
    },
  }
}
