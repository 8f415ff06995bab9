/**
 * Token requests of the worker, answered by the app's callback: one call a request, cancelled when the
 * worker no longer wants it. A token is handed on and kept nowhere (AUTH, promise 8).
 */
import { messageOf } from '../errors.ts'
import type { TokenReason, ToWorker } from '../worker/api.ts'
import type { SyncOptions } from './api.ts'

export interface TokenDesk {
  ask(request: number, reason: TokenReason): Promise<void>
  cancel(request: number): void
  cancelAll(): void
}

type TokenReply =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'token-failed'; readonly message: string }
type TokenCallback = SyncOptions<Record<never, never>>['token']

export function createTokenDesk(token: TokenCallback, post: (message: ToWorker) => void): TokenDesk {
  const running = new Map<number, AbortController>()
  const cancel = (request: number): void => {
    running.get(request)?.abort()
    running.delete(request)
  }
  return {
    async ask(request, reason) {
      if (running.has(request)) return
      const controller = new AbortController()
      running.set(request, controller)
      const reply = await obtain({ reason, signal: controller.signal })
      // Another worker counts its requests from the beginning.
      if (running.get(request) !== controller) return
      running.delete(request)
      post({ ...reply, request })
    },
    cancel,
    cancelAll: () => [...running.keys()].forEach(cancel),
  }

  async function obtain(request: Parameters<TokenCallback>[0]): Promise<TokenReply> {
    try {
      const given: unknown = await token(request)
      if (typeof given === 'string' && given !== '') return { kind: 'token', token: given }
      throw new Error('The token callback gave no token.')
    } catch (error) {
      return { kind: 'token-failed', message: messageOf(error) }
    }
  }
}
