/**
 * Leadership: a lock held for as long as this worker leads, and an epoch in the database that fences every
 * write of an earlier leader (R24, R27). The lock decides who tries; the epoch decides who succeeds.
 * Where the platform has no locks, the newest tab leads and the older ones find themselves fenced.
 */
import type { Clock } from '../clock.ts'
import { toPlain, type PlainError } from '../errors.ts'
import type { Lease, Store } from '../store/store.ts'
import { recoveryOf } from './retry.ts'

export interface Locks {
  /** Calls `work` once the lock is ours and keeps it until `work` ends. Rejects with `aborted` if `signal` aborts first. */
  request(name: string, signal: AbortSignal, work: () => Promise<void>): Promise<void>
  /** False if the platform has no locks and `request` grants at once. */
  readonly exclusive: boolean
}

/** Why a leader stopped: another took the epoch, the data was replaced (by anybody, also by itself), or the end. */
export type LeadEnd = 'fenced' | 'replaced' | 'stopped'

const STORAGE_RETRY_MS = 30_000

/**
 * Leads whenever the lock is ours, until `signal` aborts. Storage that fails is tried again: giving up would leave
 * the lock with a tab that does nothing.
 * @throws SyncError what only a person can mend
 */
export async function holdLeadership(
  deps: {
    readonly store: Store
    readonly locks: Locks
    readonly lockName: string
    readonly clock: Clock
    readonly onTrouble: (error: PlainError) => void
  },
  signal: AbortSignal,
  lead: (lease: Lease, signal: AbortSignal) => Promise<LeadEnd>,
): Promise<void> {
  const { store, locks, lockName, clock, onTrouble } = deps

  async function takeOver(): Promise<Lease> {
    for (;;) {
      try {
        return await store.lead(locks.exclusive)
      } catch (error) {
        const trouble = toPlain(error, 'storage_failed')
        if (recoveryOf[trouble.code] !== 'storage') throw error
        onTrouble(trouble)
        await clock.sleep(STORAGE_RETRY_MS, signal)
      }
    }
  }

  await locks.request(lockName, signal, async () => {
    while (!signal.aborted) {
      const end = await lead(await takeOver(), signal)
      if (end === 'stopped' || (end === 'fenced' && !locks.exclusive)) return
    }
  })
}

/** Another tab may take the epoch before what it was taken for is done. */
const OWNER_TRIES = 5

/** Does something as the leader, in any tab: the epoch it takes fences the one that leads, which then leads on. */
export async function actAsOwner(
  store: Store,
  lease: Lease | null,
  work: (lease: Lease) => Promise<unknown>,
): Promise<void> {
  for (let held = lease, tries = 1; ; held = null, tries++) {
    try {
      await work(held ?? (await store.device.takeEpoch()))
      return
    } catch (error) {
      if (tries === OWNER_TRIES || recoveryOf[toPlain(error).code] !== 'lead-anew') throw error
    }
  }
}
