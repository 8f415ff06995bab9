/**
 * Token requests of the worker, answered by the app's callback: one call a request, cancelled when the
 * worker no longer wants it. A token is handed on and kept nowhere (AUTH, promise 8).
 */
import type { TokenReason, ToWorker } from '../worker/api.ts'
import type { SyncOptions } from './api.ts'

export interface TokenDesk {
  ask(request: number, reason: TokenReason): void
  cancel(request: number): void
  cancelAll(): void
}

type TokenCallback = SyncOptions<Record<never, never>>['token']

export function createTokenDesk(token: TokenCallback, post: (message: ToWorker) => void): TokenDesk {
  const running = new Map<number, AbortController>()

  return {
    ask(request, reason) {
      if (!running.has(request)) void answer(request, reason)
    },
    cancel,
    cancelAll() {
      for (const request of [...running.keys()]) cancel(request)
    },
  }

  async function answer(request: number, reason: TokenReason): Promise<void> {
    const controller = new AbortController()
    running.set(request, controller)
    const reply = await obtain(request, reason, controller.signal)
    if (running.get(request) !== controller) return
    running.delete(request)
    post(reply)
  }

  async function obtain(request: number, reason: TokenReason, signal: AbortSignal): Promise<ToWorker> {
    try {
      const given: unknown = await token({ reason, signal })
      if (typeof given === 'string' && given !== '') return { kind: 'token', request, token: given }
      return { kind: 'token-failed', request, message: 'The token callback must give a string that is not empty.' }
    } catch (error) {
      return { kind: 'token-failed', request, message: error instanceof Error ? error.message : String(error) }
    }
  }

  function cancel(request: number): void {
    running.get(request)?.abort()
    running.delete(request)
  }
}
