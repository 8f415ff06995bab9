/** What happens to the page and the worker cannot see: shown, hidden, back from the cache, on- and offline. */
import type { ToWorker } from '../worker/api.ts'

export interface Page {
  readonly document: EventTarget & { readonly visibilityState: DocumentVisibilityState }
  readonly window: EventTarget
}

/** The page this code runs in; null in a worker or on a server. */
export function currentPage(): Page | null {
  return typeof document === 'undefined' || typeof window === 'undefined' ? null : { document, window }
}

/** Tells the worker what happens to the page; returns the way to stop. */
export function followPage({ document, window }: Page, post: (message: ToWorker) => void): () => void {
  const stop = new AbortController()
  const on = (target: EventTarget, type: string, listener: () => void): void => target.addEventListener(type, listener, { signal: stop.signal })
  const showing = (): void => post({ kind: 'page', event: document.visibilityState === 'hidden' ? 'hidden' : 'visible' })
  on(document, 'visibilitychange', showing)
  on(window, 'pageshow', showing)
  on(window, 'online', () => post({ kind: 'page', event: 'online' }))
  on(window, 'offline', () => post({ kind: 'page', event: 'offline' }))
  if (document.visibilityState === 'hidden') showing()
  return () => stop.abort()
}
