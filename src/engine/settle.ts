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

/** Quiet after the drain before settling begins. */
export const QUIET_MS = 1_000
/** Pages that wait for longer wait for no quiet: an app that writes all the time must not keep them from the tables. */
const OVERDUE_MS = 5_000
/** No page younger than this is settled, so that other tabs see it in the inbox first (R25). */
const AGE_MS = 2_000

const GIVE_WAY_MS = 4
const GIVE_WAY_TIMES = 25

/** A read that comes waits for the transaction under way: while there are reads it should last no longer (R1). */
const TARGET_MS = 5
/** So long after a read another one is expected. */
const EXPECT_MS = 1_000
const LEAST_RECORDS = 20

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
  const { oldestAt: waiting } = store.counts()
  if (waiting === null) return
  const nap = (ms: number): Promise<void> => clock.sleep(ms, signal).catch(() => undefined)
  let reads = store.reads().begun
  let readAt = -Infinity
  let perRecord = 0
  const quiet = Math.min(QUIET_MS, waiting + OVERDUE_MS - clock.monotonic())
  if (quiet > 0) await nap(quiet)
  for (let overdue = quiet <= 0; overdue || !signal.aborted; overdue = false) {
    for (let times = 0; store.reads().open > 0 && times < GIVE_WAY_TIMES && !signal.aborted; times++)
      await nap(GIVE_WAY_MS)
    const { oldestAt, mark } = store.counts()
    if (oldestAt === null || (signal.aborted && !overdue)) return
    const began = clock.monotonic()
    if (began < oldestAt + AGE_MS) {
      await nap(oldestAt + AGE_MS - began)
      continue
    }
    const { begun } = store.reads()
    if (begun > reads) readAt = began
    reads = begun
    const expecting = began - readAt < EXPECT_MS && perRecord > 0
    const moved = await store.settleNext(
      lease,
      expecting ? Math.max(LEAST_RECORDS, Math.round(TARGET_MS / perRecord)) : undefined,
    )
    if (moved === null) return
    if (moved > 0) perRecord = (clock.monotonic() - began) / moved
    // A part of a row changes nothing that anybody could see.
    if (store.counts().mark > mark) onStep()
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
