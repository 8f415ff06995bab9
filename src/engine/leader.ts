/**
 * Leadership: a lock held for as long as this worker leads, and an epoch in the database that fences every
 * write of an earlier leader (R24, R27). The lock decides who tries; the epoch decides who succeeds.
 * Where the platform has no locks, the newest tab leads and the older ones find themselves fenced.
 */
import type { Lease, Store } from '../store/store.ts'

export interface Locks {
  /** Calls `work` once the lock is ours and keeps it until `work` ends. Rejects with `aborted` if `signal` aborts first. */
  request(name: string, signal: AbortSignal, work: () => Promise<void>): Promise<void>
  /** False if the platform has no locks and `request` grants at once. */
  readonly exclusive: boolean
}

/**
 * Leads whenever the lock is ours, until `signal` aborts.
 * @param lead runs as the leader; ends when it is fenced (then the epoch is taken anew) or stopped.
 */
export async function holdLeadership(
  deps: { readonly store: Store; readonly locks: Locks; readonly lockName: string },
  signal: AbortSignal,
  lead: (lease: Lease, signal: AbortSignal) => Promise<'fenced' | 'stopped'>,
): Promise<void> {
  const { store, locks, lockName } = deps
  await locks.request(lockName, signal, async () => {
    while (!signal.aborted) {
      // Everything the last leader stored is read before anything is written on top of it.
      const lease = await store.device.takeEpoch()
      await store.follow()
      const end = await lead(lease, signal)
      if (end === 'stopped' || !locks.exclusive) return
    }
  })
}
