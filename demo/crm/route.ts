/** Which view is shown, in the address after `#`, so that links, reloads and the back button work. */
export type View = 'contacts' | 'deals' | 'tasks' | 'outbox'
const VIEWS: readonly View[] = ['contacts', 'deals', 'tasks', 'outbox']

export interface Route {
  readonly view: View
  /** The record shown: its key as text, `new`, or `new-7` for one that belongs to the contact 7. */
  readonly key: string | null
}

/** Anything that names no view is the contacts. */
export function parseRoute(hash: string): Route {
  const [name = '', key = ''] = hash.replace(/^#\/?/, '').split('/')
  const view = VIEWS.find((one) => one === name)
  return view === undefined || !/^(new(--?\d+)?|-?\d+)$/.test(key)
    ? { view: view ?? 'contacts', key: null }
    : { view, key }
}

export const hashOf = (view: View, key: string | number | null = null): string =>
  key === null ? `#/${view}` : `#/${view}/${key}`

export interface Router {
  readonly get: () => Route
  readonly go: (view: View, key?: string | number | null, how?: 'push' | 'replace') => void
  readonly subscribe: (listener: (route: Route) => void) => void
}

export function createRouter(): Router {
  const listeners = new Set<(route: Route) => void>()
  const get = (): Route => parseRoute(location.hash)
  addEventListener('hashchange', () => {
    for (const listener of listeners) listener(get())
  })
  return {
    get,
    go: (view, key = null, how = 'push') => {
      if (location.hash === hashOf(view, key)) return
      if (how === 'push') location.hash = hashOf(view, key)
      else location.replace(hashOf(view, key))
    },
    subscribe: (listener) => void listeners.add(listener),
  }
}
