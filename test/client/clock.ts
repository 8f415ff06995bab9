/** A clock whose long waits end only when the test says so. Waits of no length end by themselves. */
import { aborted, systemClock, type Clock } from '../../src/clock.ts'

export interface StoppedClock extends Clock {
  /** Ends every wait of at most `ms` milliseconds that is still on. */
  readonly pass: (ms: number) => void
  /** Lengths of the waits that are on. */
  readonly waits: () => number[]
}

export function createStoppedClock(): StoppedClock {
  const waiting = new Set<{ readonly ms: number; readonly done: () => void }>()
  return {
    ...systemClock,
    sleep: (ms, signal) =>
      ms === 0
        ? systemClock.sleep(0)
        : new Promise((resolve, reject) => {
            const wait = { ms, done: resolve }
            waiting.add(wait)
            signal?.addEventListener('abort', () => {
              waiting.delete(wait)
              reject(aborted())
            })
          }),
    pass: (ms) => {
      for (const wait of [...waiting]) {
        if (wait.ms > ms) continue
        waiting.delete(wait)
        wait.done()
      }
    },
    waits: () => [...waiting].map(({ ms }) => ms),
  }
}
