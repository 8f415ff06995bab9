/** A bell: whoever sleeps until there is something to do is woken by it, at once. */
import type { Clock } from '../clock.ts'

export interface Wake {
  ring(): void
  /** Resolves at the next ring, or after `ms`; at once if it rang since the last wait. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

export function createWake(clock: Clock): Wake {
  let rung = false
  let waiting: AbortController | null = null
  return {
    ring() {
      rung = true
      waiting?.abort()
    },
    async wait(ms, signal) {
      if (!rung) {
        const nap = new AbortController()
        waiting = nap
        const stop = (): void => nap.abort()
        signal.addEventListener('abort', stop, { once: true })
        if (signal.aborted) nap.abort()
        await clock.sleep(ms, nap.signal).catch(() => undefined)
        signal.removeEventListener('abort', stop)
        waiting = null
      }
      rung = false
    },
  }
}
