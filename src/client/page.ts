/** What happens to the page and the worker cannot see: shown, hidden, back from the cache, on- and offline. */
import type { ToWorker } from '../worker/api.ts'

type PageEvent = Extract<ToWorker, { readonly kind: 'page' }>['event']

export interface Page {
  readonly document: EventTarget & { readonly visibilityState: DocumentVisibilityState }
  readonly window: EventTarget
  /** What the browser believes; it is only a hint. */
  readonly onLine: () => boolean
  /** Asks the browser to keep this origin's data; some ask the user. */
  readonly persist?: () => Promise<unknown>
}

/** The page this code runs in; null in a worker or on a server. */
export function currentPage(): Page | null {
  if (!('document' in globalThis)) return null
  return { document, window, onLine: () => navigator.onLine, persist: async () => navigator.storage?.persist?.() }
}

/** Tells the worker what happens to the page; returns the way to stop. */
export function followPage({ document, window, onLine }: Page, post: (message: ToWorker) => void): () => void {
  const stop = new AbortController()
  const until = { signal: stop.signal }
  const tell = (event: PageEvent): void => post({ kind: 'page', event })
  const look = (): void => tell(document.visibilityState)
  document.addEventListener('visibilitychange', look, until)
  window.addEventListener('pageshow', look, until)
  for (const event of ['online', 'offline'] as const) window.addEventListener(event, () => tell(event), until)
  if (!onLine()) tell('offline')
  look()
  return () => stop.abort()
}
