/**
 * A virtualised listbox: only rows near the window are in the document, however many there are.
 * Rows are told apart by object identity, as live queries promise: an unchanged row is not touched.
 */
import type { City } from '../schema.ts'
import { flash, make, setText } from '../dom.ts'
import { count } from '../format.ts'
import { countryName } from './countries.ts'

export const ROW_HEIGHT = 52
const AROUND = 6

export interface Rows {
  /** `fresh`: another question was asked, so begin at the top. */
  readonly show: (rows: readonly City[], fresh: boolean) => void
  /** How many rows there are in all; more are asked for while fewer are here. */
  readonly setTotal: (total: number) => void
  readonly choose: (id: number | null) => void
}

interface Cell {
  readonly element: HTMLElement
  readonly name: HTMLElement
  readonly country: HTMLElement
  readonly population: HTMLElement
  readonly bar: HTMLElement
  row: City | null
}

/** @param onNeedMore called while the last rows come near the window */
export function createRows(box: HTMLElement, onPick: (city: City) => void, onNeedMore: () => void): Rows {
  const sheet = make('div', 'rows', box)
  sheet.setAttribute('role', 'presentation')
  const cells = new Map<number, Cell>()
  const spare: Cell[] = []
  let rows: readonly City[] = []
  let total = 0
  let chosen: number | null = null
  let active = -1

  const newCell = (): Cell => {
    const element = make('div', 'row')
    element.setAttribute('role', 'option')
    const name = make('span', 'row-name', element)
    const population = make('span', 'row-population', element)
    const country = make('span', 'row-country', element)
    const bar = make('span', 'row-bar', element)
    return { element, name, country, population, bar, row: null }
  }

  const fill = (cell: Cell, row: City, index: number): void => {
    const { element } = cell
    if (cell.row !== row) {
      const grown = cell.row?.id === row.id && cell.row.population !== row.population
      cell.row = row
      setText(cell.name, row.name)
      setText(cell.country, countryName(row.country))
      setText(cell.population, row.population > 0 ? count(row.population) : 'unknown')
      cell.bar.style.transform = `scaleX(${Math.min(1, Math.sqrt(row.population / 2.4e7)).toFixed(3)})`
      if (grown) flash(element)
    }
    element.id = `place-${index}`
    element.style.transform = `translateY(${index * ROW_HEIGHT}px)`
    element.setAttribute('aria-posinset', String(index + 1))
    element.setAttribute('aria-setsize', String(Math.max(total, rows.length)))
    element.setAttribute('aria-selected', String(row.id === chosen))
    element.classList.toggle('active', index === active)
  }

  const draw = (): void => {
    const first = Math.max(0, Math.floor(box.scrollTop / ROW_HEIGHT) - AROUND)
    const last = Math.min(rows.length, Math.ceil((box.scrollTop + box.clientHeight) / ROW_HEIGHT) + AROUND)
    for (const [index, cell] of cells) {
      if (index >= first && index < last) continue
      cells.delete(index)
      cell.element.hidden = true
      spare.push(cell)
    }
    for (let index = first; index < last; index++) {
      const row = rows[index]
      if (row === undefined) continue
      const cell = cells.get(index) ?? spare.pop() ?? newCell()
      cells.set(index, cell)
      if (!cell.element.isConnected) sheet.append(cell.element)
      cell.element.hidden = false
      fill(cell, row, index)
    }
    if (active >= 0 && cells.has(active)) box.setAttribute('aria-activedescendant', `place-${active}`)
    else box.removeAttribute('aria-activedescendant')
    if (rows.length < total && last > rows.length - 40) onNeedMore()
  }

  const activate = (index: number): void => {
    active = Math.max(0, Math.min(rows.length - 1, index))
    const top = active * ROW_HEIGHT
    if (top < box.scrollTop) box.scrollTop = top
    else if (top + ROW_HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW_HEIGHT - box.clientHeight
    draw()
  }
  const pick = (index: number): void => {
    const row = rows[index]
    if (row === undefined) return
    active = index
    onPick(row)
  }

  box.addEventListener('scroll', draw, { passive: true })
  box.addEventListener('focus', () => {
    if (active < 0 && rows.length > 0) activate(Math.floor(box.scrollTop / ROW_HEIGHT))
  })
  box.addEventListener('click', (event) => {
    pick(Math.floor((event.clientY - box.getBoundingClientRect().top + box.scrollTop) / ROW_HEIGHT))
  })
  box.addEventListener('keydown', (event) => {
    const leap = Math.max(1, Math.floor(box.clientHeight / ROW_HEIGHT) - 1)
    const moves: Readonly<Record<string, () => void>> = {
      ArrowDown: () => activate(active + 1),
      ArrowUp: () => activate(active - 1),
      PageDown: () => activate(active + leap),
      PageUp: () => activate(active - leap),
      Home: () => activate(0),
      End: () => activate(rows.length - 1),
      Enter: () => pick(active),
      ' ': () => pick(active),
    }
    const move = moves[event.key]
    if (move === undefined) return
    event.preventDefault()
    move()
  })
  new ResizeObserver(draw).observe(box)

  return {
    show: (next, fresh) => {
      if (fresh) {
        active = -1
        box.scrollTop = 0
      }
      rows = next
      if (active >= rows.length) active = -1
      sheet.style.height = `${rows.length * ROW_HEIGHT}px`
      draw()
    },
    setTotal: (next) => {
      if (next === total) return
      total = next
      draw()
    },
    choose: (id) => {
      chosen = id
      draw()
    },
  }
}
