/**
 * What a leader does, for as long as it leads: run, rest, run again. A run is started by a wake (the app,
 * coming online or to the front, another tab) or by the poll. While it rests, it settles.
 *
 *   connecting -> draining -> settling -> idle -> (wake) -> connecting
 *        \------------\-> waiting | offline | needs-auth | storage-problem | stopped | paused -> connecting
 */
import { aborted, type Clock } from '../clock.ts'
import { SyncError, toPlain, type PlainError } from '../errors.ts'
import type { Lease, Store } from '../store/store.ts'
import { linked } from '../waiting.ts'
import type { StatusBoard } from './facts.ts'
import type { LeadEnd } from './leader.ts'
import type { Phase } from './status.ts'
import { backoff, recoveryOf } from './retry.ts'
import { runOnce, type RunDeps, type RunResult } from './run.ts'
import { settleWhenQuiet } from './settle.ts'
import { pageTooLarge } from './transport.ts'
import type { Wake } from './wake.ts'

export interface LoopDeps extends Omit<RunDeps, 'lease' | 'meet' | 'progress' | 'transport'> {
  readonly store: Store
  readonly clock: Clock
  readonly board: StatusBoard
  readonly wake: Wake
  /** Milliseconds between sessions while nothing else wakes the engine. */
  readonly poll: number
  readonly online: () => boolean
  /** The parts of a run that belong to one lease. */
  readonly forLease: (lease: Lease) => Pick<RunDeps, 'meet' | 'progress' | 'transport'>
  /** Something other tabs may want to look at. */
  readonly onRunEnd: () => void
  readonly onSettled: () => void
  readonly onSignedOut: () => void
}

export interface LeaderLoop {
  /** Leads until stopped or fenced. */
  lead(lease: Lease, signal: AbortSignal): Promise<LeadEnd>
  /** Cuts the run under way; the loop looks again at what it should do. */
  interrupt(): void
  /** A person has mended what stopped the engine. */
  unblock(): void
}

const STORAGE_RETRY_MS = 30_000
/** Sessions that only bring what cannot be taken back off to this (R11). */
const STUCK_CEILING_MS = 3_600_000
const RECOUNT_MS = 3_000

export function createLeaderLoop(deps: LoopDeps): LeaderLoop {
  const { store, clock, random, board, wake } = deps
  let cut = new AbortController()
  let blocked: Phase | null = null
  /** The server asked us not to come back before this; no wake shortens it (ERR-3). */
  let notBefore: { readonly at: number; readonly phase: Phase } | null = null

  /** Waits for a wake, settling meanwhile; throws what settling threw (a fence, or storage). */
  async function rest(ms: number, phase: Phase, lease: Lease, signal: AbortSignal): Promise<void> {
    const stop = new AbortController()
    let failure: unknown
    const waits = store.counts().pages > 0
    board.setPhase(waits && phase.phase === 'idle' ? { phase: 'settling' } : phase)
    let counted = clock.monotonic()
    const settling = settleWhenQuiet({ store, clock, lease }, stop.signal, () => {
      board.refreshLogs()
      deps.onSettled()
      if (clock.monotonic() - counted < RECOUNT_MS) return
      counted = clock.monotonic()
      void board.recount().catch(() => undefined)
    })
      .then(async () => {
        if (!waits || stop.signal.aborted) return
        await board.recount()
        if (!stop.signal.aborted && board.phase.phase === 'settling') board.setPhase(phase)
      })
      .catch((error: unknown) => {
        failure = error
        wake.ring()
      })
    await wake.wait(ms, signal)
    stop.abort()
    await settling
    if (failure !== undefined) throw failure
  }

  async function run(lease: Lease, outer: AbortSignal): Promise<RunResult> {
    cut = linked(outer)
    try {
      board.setPhase({ phase: 'connecting' })
      return await runOnce({ ...deps, ...deps.forLease(lease), lease }, cut.signal)
    } catch (error) {
      // Whatever an interrupted run threw, it was interrupted.
      if (cut.signal.aborted && recoveryOf[toPlain(error).code] === 'retry') throw aborted()
      throw error
    } finally {
      cut.abort()
      await board.refresh().catch(() => undefined)
      deps.onRunEnd()
    }
  }

  return {
    interrupt() {
      cut.abort()
      wake.ring()
    },
    unblock() {
      blocked = null
      wake.ring()
    },
    async lead(lease, signal) {
      let failures = 0
      let onlyStuck = 0
      while (!signal.aborted) {
        try {
          const { paused, signedOut } = await store.device.sync()
          if (signedOut === true) {
            deps.onSignedOut()
            break
          }
          const halted: Phase | null = paused ? { phase: 'paused' } : blocked
          const tooEarly = notBefore === null ? 0 : notBefore.at - clock.monotonic()
          if (halted !== null || tooEarly > 0) {
            await rest(halted === null ? tooEarly : STUCK_CEILING_MS, halted ?? notBefore!.phase, lease, signal)
            continue
          }
          const result = await run(lease, signal)
          if (result.end === 'wiped') continue
          if (result.onlyStuck && result.end === 'owed') {
            const error = toPlain(pageTooLarge())
            const ms = stuckDelay(++onlyStuck)
            await rest(ms, { phase: 'waiting', retryAt: clock.now() + ms, error }, lease, signal)
            continue
          }
          if (result.end === 'owed') throw new SyncError('bad_response', 'Answers were lost; the engine tries again.')
          failures = 0
          onlyStuck = result.onlyStuck ? onlyStuck + 1 : 0
          await rest(stuckDelay(onlyStuck), { phase: 'idle' }, lease, signal)
        } catch (error) {
          if (signal.aborted) break
          const plain = toPlain(error, 'storage_failed')
          if (plain.code === 'aborted') continue
          const recovery = recoveryOf[plain.code]
          deps.log(recovery === 'stop' ? 'error' : 'info', 'run.failed', {
            code: plain.code,
            status: plain.status ?? null,
          })
          if (recovery === 'lead-anew') return endOf(plain)
          // Nothing to wait for, and no way to find out what changed.
          if (plain.code === 'storage_closed') throw error
          try {
            await recover(plain, recovery, ++failures, lease, signal)
          } catch (second) {
            const again = toPlain(second, 'storage_failed')
            if (recoveryOf[again.code] === 'lead-anew') return endOf(again)
            // Settling failed too while we waited: wait the rest without it.
            await wake.wait(STORAGE_RETRY_MS, signal)
          }
        }
      }
      return 'stopped'
    },
  }

  /** The poll, longer with every session in a row that brought only what comes every time (R11). */
  function stuckDelay(times: number): number {
    return Math.min(STUCK_CEILING_MS, deps.poll * 2 ** Math.min(times, 16))
  }

  async function recover(
    error: PlainError,
    recovery: 'retry' | 'auth' | 'storage' | 'stop',
    failures: number,
    lease: Lease,
    signal: AbortSignal,
  ): Promise<void> {
    if (recovery === 'auth' || recovery === 'stop') {
      blocked = recovery === 'auth' ? { phase: 'needs-auth', error } : { phase: 'stopped', error }
      return
    }
    const ms = recovery === 'storage' ? STORAGE_RETRY_MS : backoff(failures, random, error.retryAfterMs)
    const offline = !deps.online() && (error.code === 'endpoint_unreachable' || error.code === 'token_failed')
    const phase: Phase =
      recovery === 'storage'
        ? { phase: 'storage-problem', error }
        : offline
          ? { phase: 'offline' }
          : { phase: 'waiting', retryAt: clock.now() + ms, error }
    if (error.retryAfterMs !== undefined) notBefore = { at: clock.monotonic() + error.retryAfterMs, phase }
    await rest(offline ? Math.max(ms, deps.poll) : ms, phase, lease, signal)
  }
}

function endOf(error: PlainError): LeadEnd {
  return error.code === 'generation_changed' ? 'replaced' : 'fenced'
}
