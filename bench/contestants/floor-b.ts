/** Floor B: raw IndexedDB, one row for each record, one index, a transaction for each page, one after the other. */
import type { Contestant } from '../page/contestant.ts'
import { pages } from './queue.ts'
import { completed } from './raw-idb.ts'
import { createRows } from './rows.ts'

export function create(): Contestant {
  return createRows(false, async ({ put }) => {
    for await (const { rows } of pages()) await completed(put(rows))
  })
}
