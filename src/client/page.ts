/** What happens to the page and the worker cannot see: shown, hidden, back from the cache, on- and offline. */
import type { ToWorker } from '../worker/api.ts'

type PageEvent = Extract<ToWorker, { readonly kind: 'page' }>['event']

export interface Page {
  readonly document: EventTarget & { readonly visibilityState: DocumentVisibilityState }
  readonly window: EventTarget
  /** What the browser believes; it is only a hint. */
  readonly onLine: () => boolean
}

/** The page this code runs in; null in a worker or on a server. */
export function currentPage(): Page | null {
  return 'document' in globalThis ? { document, window, onLine: () => navigator.onLine } : null
}

/** Tells the worker what happens to the page; returns the way to stop. */
export function followPage({ document, window, onLine }: Page, post: (message: ToWorker) => void): () => void {
  const stop = new AbortController()
  const on = (target: EventTarget, type: string, event: () => PageEvent): void =>
    target.addEventListener(type, () => post({ kind: 'page', event: event() }), { signal: stop.signal })
  on(document, 'visibilitychange', visibility)
  on(window, 'pageshow', visibility)
  on(window, 'online', () => 'online')
  on(window, 'offline', () => 'offline')
  if (!onLine()) post({ kind: 'page', event: 'offline' })
  post({ kind: 'page', event: visibility() })
  return () => stop.abort()

  function visibility(): PageEvent {
    return document.visibilityState === 'hidden' ? 'hidden' : 'visible'
  }
}
