/** What a local write costs beside a raw strict put, and how soon a live query shows it. */
import type { WriteTimes } from '../page/writes.ts'
import { median, p95 } from '../stats.ts'
import { firstSync, groupOf, launch, type RunDeps } from './visit.ts'

const IDLE_ROUNDS = 40
/** Long enough for an edit to reach the server and come to rest there. */
const IDLE_GAP_MS = 150
const BUSY_GAP_MS = 5
/** Edits that leave interrupt settling, so not without a pause: twenty a second. */
const SETTLING_GAP_MS = 50
const SEEN = 40

export async function runWrites(deps: RunDeps): Promise<void> {
  const { data, put } = deps
  const running = await launch(deps)
  const { page } = running
  const note = (when: string, times: readonly WriteTimes[]): void => {
    const of = (kind: keyof WriteTimes): number[] => times.map((one) => one[kind])
    put({
      [`${when}Write`]: median(of('write')),
      [`${when}WriteP95`]: p95(of('write')),
      [`${when}Raw`]: median(of('raw')),
      [`${when}RawP95`]: p95(of('raw')),
      [`${when}Writes`]: times.length,
    })
  }
  try {
    // A record of the first page, so that it is there for most of the drain.
    const row = data.record(0, 0)
    const draining = page.evaluate(([row, gap]) => window.bench.startWrites(row, gap), [row, BUSY_GAP_MS] as const)
    await firstSync(deps, running)
    await draining
    note('draining', await page.evaluate(() => window.bench.stopWrites()))
    await page.evaluate(() => window.bench.settling())
    await page.evaluate(([row, gap]) => window.bench.startWrites(row, gap), [row, SETTLING_GAP_MS] as const)
    await page.evaluate(() => window.bench.settled())
    note('settling', await page.evaluate(() => window.bench.stopWrites()))
    note(
      'idle',
      await page.evaluate(([row, gap, rounds]) => window.bench.writes(row, gap, rounds), [
        row,
        IDLE_GAP_MS,
        IDLE_ROUNDS,
      ] as const),
    )
    await page.evaluate((group) => window.bench.live(group, null), groupOf(data, 0))
    const seen: number[] = []
    for (let at = 0; at < SEEN; at++) {
      seen.push(
        await page.evaluate(([id, stamp]) => window.bench.writeUntilSeen(id, stamp), [
          row['id'] as number,
          2_000_000 + at,
        ] as const),
      )
      await new Promise((resolve) => setTimeout(resolve, IDLE_GAP_MS))
    }
    put({ writeSeen: median(seen), writeSeenP95: p95(seen) })
  } finally {
    await running.close()
  }
}
