/** A short list: an element for each item, kept as long as the item is there, so that focus and animations stay. */
export interface Keyed<T> {
  readonly show: (items: readonly T[]) => void
}

export interface KeyedOptions<T> {
  readonly box: HTMLElement
  readonly idOf: (item: T) => string | number
  readonly create: (item: T) => HTMLElement
  readonly fill: (element: HTMLElement, item: T) => void
}

export function createKeyed<T>({ box, idOf, create, fill }: KeyedOptions<T>): Keyed<T> {
  let cells = new Map<string | number, HTMLElement>()
  return {
    show: (items) => {
      const next = new Map<string | number, HTMLElement>()
      for (const item of items) next.set(idOf(item), cells.get(idOf(item)) ?? create(item))
      for (const [id, element] of cells) if (!next.has(id)) element.remove()
      cells = next
      let at = box.firstElementChild
      for (const item of items) {
        const element = next.get(idOf(item)) as HTMLElement
        if (element === at) at = at.nextElementSibling
        else box.insertBefore(element, at)
        fill(element, item)
      }
    },
  }
}
