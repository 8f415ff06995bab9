/** The browser's own parts in the shape the engine asks for. Whatever is missing is said, never assumed. */
import { aborted } from '../clock.ts'
import { hintSchema, type Channel } from '../engine/channel.ts'
import type { StorageInfo } from '../engine/facts.ts'
import type { Locks } from '../engine/leader.ts'
import { pageTooLarge, type Http } from '../engine/transport.ts'

/** `fetch` as the engine's only way to the network: never cached, without cookies, never redirected (FETCH-6). */
export function createHttp(fetch: typeof globalThis.fetch): Http {
  return async ({ method, url, headers, body, signal }) => {
    const response = await fetch(url, {
      method,
      headers,
      ...(body === null ? {} : { body }),
      signal,
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'manual',
    })
    return {
      status: response.status,
      header: (name) => response.headers.get(name),
      text: (maxBytes) => readText(response, maxBytes),
    }
  }
}

/** An answer that says it is no larger is read in one piece. What was compressed on the way may turn out larger. */
const ONE_PIECE_BYTES = 1024 * 1024

async function readText(response: Response, maxBytes: number): Promise<string> {
  const length = Number(response.headers.get('Content-Length'))
  if (length > maxBytes) throw pageTooLarge()
  if ((length > 0 && length <= ONE_PIECE_BYTES) || response.body === null) {
    const text = await response.text()
    if (text.length > maxBytes) throw pageTooLarge()
    return text
  }
  const reader = response.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    bytes += value.byteLength
    if (bytes > maxBytes) {
      // Not awaited: where the body is read twice (a service worker, a proxy), it would wait for the other reader.
      reader.cancel().catch(() => undefined)
      throw pageTooLarge()
    }
    text += decoder.decode(value, { stream: true })
  }
}

export function createLocks(manager: LockManager | undefined): Locks {
  return {
    exclusive: manager !== undefined,
    async request(name, signal, work) {
      if (manager === undefined) return work()
      try {
        await manager.request(name, { signal }, work)
      } catch (error) {
        throw signal.aborted ? aborted() : error
      }
    },
  }
}

export function createChannel(name: string): Channel {
  if (typeof BroadcastChannel === 'undefined') return { post: () => {}, onHint: () => {}, close: () => {} }
  const channel = new BroadcastChannel(name)
  return {
    post: (hint) => channel.postMessage(hint),
    onHint: (listener) => {
      channel.onmessage = ({ data }) => {
        const hint = hintSchema.safeParse(data)
        if (hint.success) listener(hint.data)
      }
    },
    close: () => channel.close(),
  }
}

/** What the browser says about this origin's storage (R41). */
export async function storageInfo(storage: StorageManager | undefined): Promise<StorageInfo> {
  const [estimate, persisted] = await Promise.all([storage?.estimate?.(), storage?.persisted?.()])
  return {
    mode: persisted === true ? 'persistent' : 'best-effort',
    usage: estimate?.usage ?? null,
    quota: estimate?.quota ?? null,
  }
}
