/** A live query on the page: one stream of row differences as an immutable, sorted snapshot (R21, R39). */
import { positionOrder } from '../keys.ts'
import type { Query } from '../query.ts'
import type { WireRow } from '../worker/api.ts'
import type { LiveChanges, LiveQuery, LiveSnapshot } from './api.ts'
import { createFeed, type FeedDeps } from './feed.ts'
import { createRowSet } from './rows.ts'

export function createLiveQuery<T>(query: Query, { openStream, clock }: FeedDeps): LiveQuery<T> {
  const rows = createRowSet(positionOrder(query.order?.dir))

  return createFeed<LiveSnapshot<T>, LiveChanges<T>>(clock, {
    start({ failed, commit }) {
      let first = true
      return openStream('live', query, {
        failed,
        rows(slice) {
          rows.take({ ...slice, reset: slice.reset || first })
          first = false
          if (!slice.last) return
          const { added, changed, removed } = rows.commit()
          const quiet = added.length + changed.length + removed.length === 0
          commit(quiet ? null : { added: dataOf<T>(added), changed: dataOf<T>(changed), removed: dataOf<T>(removed) })
        },
      })
    },
    view: (state) => ({
      ...state,
      rows: dataOf<T>(rows.entries()),
      states: rows.entries().map((row) => row.state),
    }),
    whole: () => ({ added: dataOf<T>(rows.entries()), changed: [], removed: [] }),
  })
}

/** The rows themselves. Their type is the schema's word; nothing on the page could check it. */
export function dataOf<T>(entries: readonly WireRow[]): T[] {
  return entries.map(({ data }) => data as T)
}
