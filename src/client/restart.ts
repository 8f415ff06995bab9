/**
 * A connection that outlives its worker (F19, F32): where a worker died, or lost its database, another one is started,
 * a few times. What the old one was asked is rejected; what is asked from then on waits for the new one.
 */
import { connect, type ConnectDeps, type Connection } from './connect.ts'
import type { SyncError } from '../errors.ts'

/** So many within this time, each after a longer wait: what fails again and again is not mended by it. */
const RESTARTS = 3
const WINDOW_MS = 300_000
const WAIT_MS = 1_000

export interface LastingDeps extends Omit<ConnectDeps, 'after'> {
  /** A worker that was handed over ready-made cannot be made again. */
  readonly again: boolean
  /** Another worker starts in `ms`: what is posted now is for it. */
  readonly restarting: (error: SyncError, ms: number) => void
}

export function connectLasting(deps: LastingDeps): Connection {
  const { clock, again, restarting, ended } = deps
  let restarts = 0
  let current = begin()

  return {
    opened: current.opened,
    call: (...args) => current.call(...args),
    guard: (...args) => current.guard(...args),
    post: (message) => current.post(message),
    lose: (error) => current.lose(error),
    close: () => current.close(),
  }

  function begin(after?: Promise<void>): Connection {
    return connect({
      ...deps,
      after,
      ended(error) {
        const { code } = error
        // One that never started will not start the next time either.
        const passing = code === 'worker_crashed' || code === 'storage_closed' || (after && code === 'worker_failed')
        if (!again || !passing || restarts === RESTARTS) return ended(error)
        const ms = ++restarts * WAIT_MS
        void clock.sleep(WINDOW_MS).then(() => restarts--)
        current = begin(clock.sleep(ms))
        restarting(error, ms)
      },
    })
  }
}
