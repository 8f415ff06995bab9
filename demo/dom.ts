/** Elements of the page by id, with the class they must have. */
export function byId<T extends Element>(id: string, type: abstract new (...args: never[]) => T): T {
  const element = document.getElementById(id)
  if (element instanceof type) return element
  throw new Error(`index.html has no ${type.name} with the id "${id}".`)
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  parent?: Element,
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  element.className = className
  parent?.append(element)
  return element
}

type Given = string | number | boolean | null | ((event: never) => void)

/**
 * An element with attributes, listeners (`onclick`) and children. `false` and null leave an attribute out,
 * `true` gives an empty one; a child that is null or false is left out.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  given: Readonly<Record<string, Given>> = {},
  ...children: ReadonlyArray<Node | string | null | false>
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value as EventListener)
    else if (value !== false && value !== null) element.setAttribute(name, value === true ? '' : String(value))
  }
  element.append(...children.filter((child) => child !== null && child !== false))
  return element
}

/** A drawing in the line style of the page, from the path of a 20 by 20 box. Decoration: its button has the name. */
export function icon(path: string): SVGSVGElement {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('viewBox', '0 0 20 20')
  svg.setAttribute('aria-hidden', 'true')
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'path')
  line.setAttribute('d', path)
  svg.append(line)
  return svg
}

/** Writes a text only if it differs, so that nothing is laid out for nothing. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

const reduced = matchMedia('(prefers-reduced-motion: reduce)')
export const motionReduced = (): boolean => reduced.matches

/** Lets an element light up once: a class for as long as its animation runs. */
export function flash(element: Element): void {
  for (const running of element.getAnimations()) running.cancel()
  element.classList.remove('flash')
  requestAnimationFrame(() => {
    element.classList.add('flash')
    element.addEventListener('animationend', () => element.classList.remove('flash'), { once: true })
  })
}

/** Lets the browser do whatever else waits. */
export const nextTask = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))
