/** Floor D: as B with two indexes and overlapping transactions; each page is acknowledged once it is stored. */
import type { Contestant } from '../page/contestant.ts'
import { acknowledge, pages } from './queue.ts'
import { completed } from './raw-idb.ts'
import { createRows } from './rows.ts'

/** Transactions under way at once; more only queue up in the browser. */
const IN_FLIGHT = 4

export function create(): Contestant {
  return createRows(true, async ({ put }) => {
    const storing = new Set<Promise<void>>()
    const acknowledging: Promise<void>[] = []
    for await (const { rows, ackKeys } of pages()) {
      if (storing.size >= IN_FLIGHT) await Promise.race(storing)
      const stored: Promise<void> = completed(put(rows)).then(() => {
        storing.delete(stored)
        acknowledging.push(acknowledge(ackKeys))
      })
      storing.add(stored)
    }
    await Promise.all(storing)
    await Promise.all(acknowledging)
  })
}
