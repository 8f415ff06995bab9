/**
 * Settling gives way to everything (R1): it starts once the drain is over and quiet, moves one inbox row at
 * a time, and lets waiting reads go first. Only above the ceiling does it run while draining (R7).
 */
import type { Clock } from '../clock.ts'
import type { Lease, Store } from '../store/store.ts'

/** How much may wait in the inbox before draining waits for settling. */
export interface Ceiling {
  readonly records: number
  /** Characters of JSON text. */
  readonly bytes: number
}

export const DEFAULT_CEILING: Ceiling = { records: 200_000, bytes: 160_000_000 }

/** No page younger than this is settled, so that other tabs see it in the inbox first (R25). */
export const QUIET_MS = 2_000

const GIVE_WAY_MS = 4
const GIVE_WAY_TIMES = 25

export interface SettleDeps {
  readonly store: Store
  readonly clock: Clock
  readonly lease: Lease
}

/** Settles all that waits; resolves early when `signal` aborts. */
export async function settleWhenQuiet(
  { store, clock, lease }: SettleDeps,
  signal: AbortSignal,
  onStep: () => void,
): Promise<void> {
  if (store.counts().records === 0 && store.counts().pages === 0) return
  await clock.sleep(QUIET_MS, signal).catch(() => undefined)
  while (!signal.aborted) {
    for (let times = 0; store.busy() && times < GIVE_WAY_TIMES && !signal.aborted; times++)
      await clock.sleep(GIVE_WAY_MS, signal).catch(() => undefined)
    if (signal.aborted || (await store.settleNext(lease)) === null) return
    onStep()
  }
}

/** Brings the inbox below its ceiling; the drain waits meanwhile. */
export async function makeRoom({ store, lease }: Omit<SettleDeps, 'clock'>, ceiling: Ceiling): Promise<void> {
  while (isOver(store.counts(), ceiling)) if ((await store.settleNext(lease)) === null) return
}

export function isOver(
  { records, bytes }: { readonly records: number; readonly bytes: number },
  ceiling: Ceiling,
): boolean {
  return records > ceiling.records || bytes > ceiling.bytes
}
