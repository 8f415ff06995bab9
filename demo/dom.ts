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
