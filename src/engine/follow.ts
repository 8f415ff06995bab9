/**
 * What a tab does that does not lead: it reads what the leader stored (R25), and its phase is what the database says
 * the leader is doing. Hints and page events only decide when it looks; it looks every few seconds anyway.
 */
import type { Clock } from '../clock.ts'
import { toPlain, type PlainError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { SessionFacts, Store } from '../store/store.ts'
import { oneAtATime } from '../waiting.ts'
import type { StatusBoard } from './facts.ts'
import { createProgress, type ProgressMeter } from './progress.ts'
import type { Progress } from './status.ts'

export interface Following {
  /** Looks soon, unless this tab leads: a leader knows. */
  look(): void
  /** Looks now and then, as long as the tab is visible and the engine lives. */
  forever(isVisible: () => boolean): Promise<void>
}

interface FollowDeps {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly board: StatusBoard
  readonly life: AbortSignal
  readonly leads: () => boolean
  /** A run may have ended. */
  readonly onLook: () => void
  readonly onSignedOut: () => void
  /** The database is gone, and nobody has said so. */
  readonly onLost: (error: PlainError) => void
}

const FOLLOW_MS = 5_000

export function createFollowing(deps: FollowDeps): Following {
  const { store, clock, board, life, leads } = deps
  let watched: { readonly id: string; readonly meter: ProgressMeter } | null = null

  /** A follower measures what it sees of the leader's drain, by the same rules. */
  function progressOf({ id, done, estimate }: SessionFacts): Progress {
    if (watched?.id !== id) watched = { id, meter: createProgress(clock, done) }
    const { meter } = watched
    meter.page(done - meter.snapshot().done, estimate === null ? null : Math.max(0, estimate - done))
    return meter.snapshot()
  }

  async function lookAround(): Promise<void> {
    await store.follow()
    await board.refresh()
    deps.onLook()
    const [sync, session] = [await store.device.sync(), await store.device.session()]
    if (sync.signedOut === true) return deps.onSignedOut()
    // Asked last: this tab may have become the leader meanwhile, and a leader says its phase itself.
    if (leads() || board.phase.phase === 'stopped' || board.phase.phase === 'storage-problem') return
    if (sync.paused) board.setPhase({ phase: 'paused' })
    else if (session !== null) board.setPhase({ phase: 'draining', progress: progressOf(session) })
    else if (sync.lastSyncedAt === null) board.setPhase({ phase: 'connecting' })
    else board.setPhase({ phase: store.counts().pages > 0 ? 'settling' : 'idle' })
  }

  const looking = oneAtATime(async () => {
    if (!life.aborted)
      await lookAround().catch((error: unknown) => {
        const plain = toPlain(error)
        deps.log('info', 'follow.failed', { code: plain.code })
        if (plain.code === 'storage_closed') deps.onLost(plain)
      })
  })

  function look(): void {
    if (!leads()) void looking.run()
  }

  return {
    look,
    async forever(isVisible) {
      while (!life.aborted) {
        await clock.sleep(FOLLOW_MS, life)
        if (isVisible()) look()
      }
    },
  }
}
