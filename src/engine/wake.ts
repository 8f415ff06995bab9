/** A bell: whoever sleeps until there is something to do is woken by it, at once. */
import type { Clock } from '../clock.ts'
import { linked } from '../waiting.ts'

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
        const nap = linked(signal)
        waiting = nap
        await clock.sleep(ms, nap.signal).catch(() => undefined)
        nap.abort()
        waiting = null
      }
      rung = false
    },
  }
}
