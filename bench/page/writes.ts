/** Local writes in a row, each beside a raw put, until told to stop. */
import type { Row } from '../data.ts'
import { rawPut } from './raw-put.ts'

export interface WriteTimes {
  readonly write: number
  readonly raw: number
}

export interface WriteProbe {
  stop(): Promise<readonly WriteTimes[]>
}

/**
 * @param gapMs between two writes: short while the engine is busy anyway, long enough for it to come to rest otherwise
 */
export function probeWrites(
  write: (stamp: number) => Promise<void>,
  row: Row,
  gapMs: number,
  rounds = Number.POSITIVE_INFINITY,
): WriteProbe & { readonly done: Promise<readonly WriteTimes[]> } {
  let stopped = false
  async function run(): Promise<readonly WriteTimes[]> {
    const times: WriteTimes[] = []
    for (let round = 0; round < rounds && !stopped; round++) {
      // First the raw one, so that neither runs beside what a write sets going.
      const raw = await rawPut(row)
      const start = performance.now()
      await write(1_000_000 + round)
      times.push({ write: performance.now() - start, raw })
      await new Promise((resolve) => setTimeout(resolve, gapMs))
    }
    return times
  }
  const done = run()
  return {
    done,
    stop() {
      stopped = true
      return done
    },
  }
}
