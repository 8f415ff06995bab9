/** A record's facts as a list of labels and values; a value that changes lights up. */
import { flash, h, setText } from '../dom.ts'

export type Fact = readonly [label: string, value: string | Node | null]

export interface Facts {
  readonly element: HTMLElement
  /** `fresh`: another record, so nothing lights up. Facts without a value are left out. */
  readonly show: (facts: readonly Fact[], fresh: boolean) => void
}

export function createFacts(): Facts {
  const element = h('dl', { class: 'facts-list' })
  const cells = new Map<string, { readonly row: HTMLElement; readonly value: HTMLElement }>()
  return {
    element,
    show: (facts, fresh) => {
      const wanted = new Set<string>()
      for (const [label, value] of facts) {
        if (value === null || value === '') continue
        wanted.add(label)
        let cell = cells.get(label)
        const isNew = cell === undefined
        if (cell === undefined) {
          const dd = h('dd')
          cell = { row: h('div', {}, h('dt', {}, label), dd), value: dd }
          cells.set(label, cell)
        }
        const text = typeof value === 'string' ? value : value.textContent
        const differs = cell.value.textContent !== text
        if (typeof value === 'string') setText(cell.value, value)
        else if (differs || fresh) cell.value.replaceChildren(value)
        if (differs && !fresh && !isNew) flash(cell.value)
        element.append(cell.row)
      }
      for (const [label, { row }] of cells) {
        if (wanted.has(label)) continue
        row.remove()
        cells.delete(label)
      }
    },
  }
}
