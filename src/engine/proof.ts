/**
 * `now()`: waits until a session that started after the call has ended clean (R10). The proof is a number in the
 * database, so it works in every tab, whoever leads; a follower asks the leader by a hint and looks again.
 */
import { aborted, type Clock } from '../clock.ts'
import { fromPlain, SyncError } from '../errors.ts'
import type { Store } from '../store/store.ts'
import { linked } from '../waiting.ts'
import type { StatusBoard } from './facts.ts'

export interface Proof {
  /** @throws SyncError `timeout`, `aborted`, `paused`, `closed`, or what stopped the engine. */
  now(timeoutMs: number, signal?: AbortSignal): Promise<void>
  /** A run may have ended, in this tab or in the leader's. */
  look(): void
}

interface ProofDeps {
  readonly store: Store
  readonly clock: Clock
  readonly board: StatusBoard
  /** Aborts when this tab's engine ends. */
  readonly life: AbortSignal
  /** Asks whoever leads for a session. */
  readonly ask: () => void
}

export function closedHere(): SyncError {
  return new SyncError('closed', 'close() was called in this tab.')
}

const PAUSED = 'Sync is paused; call resume() first.'

export function createProof({ store, clock, board, life, ask }: ProofDeps): Proof {
  const waiting = new Set<() => void>()

  /** What keeps `now` from ever coming true. */
  function obstacle(): SyncError | null {
    const { phase } = board
    if (phase.phase === 'paused') return new SyncError('paused', PAUSED)
    if (phase.phase === 'needs-auth' || phase.phase === 'stopped') return fromPlain(phase.error)
    return life.aborted ? closedHere() : null
  }

  /** Resolves at the proof, rejects at an obstacle; watches until `stop` aborts. */
  function proven(after: number, stop: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        void store.device.sync().then(({ clean }) => {
          if (clean > after) resolve()
        }, reject)
      }
      const watch = (): void => {
        const blocked = obstacle()
        if (blocked !== null) reject(blocked)
      }
      const unwatch = board.subscribe(watch)
      waiting.add(look)
      stop.addEventListener('abort', () => {
        unwatch()
        waiting.delete(look)
      })
      watch()
    })
  }

  return {
    look() {
      for (const look of [...waiting]) look()
    },
    async now(timeoutMs, signal) {
      const { started, paused } = await store.device.sync()
      if (paused) throw new SyncError('paused', PAUSED)
      const stop = linked(signal, life)
      const proof = proven(started, stop.signal)
      const expired = clock.sleep(timeoutMs, stop.signal).then(
        () => {
          throw new SyncError(
            'timeout',
            `No session ended clean in ${Math.round(timeoutMs / 1000)} s; status says why.`,
          )
        },
        () => {
          throw signal?.aborted ? aborted() : (obstacle() ?? aborted())
        },
      )
      ask()
      try {
        await Promise.race([proof, expired])
      } finally {
        stop.abort()
      }
    },
  }
}
