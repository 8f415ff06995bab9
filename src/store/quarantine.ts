/**
 * Items that were acknowledged but cannot be shown (R31): settled ones on disk, unsettled ones in the
 * overlay. Also knows which records of known collections are shown in an older version than the server's.
 */
import type { Database } from './database.ts'
import type { LogRow, QuarantineRow, TypeAndId } from './rows.ts'
import type { Overlay } from './overlay.ts'

export interface QuarantineList {
  readonly count: number
  readonly items: ReadonlyArray<{
    readonly type: string
    readonly id: string
    readonly revision: number
    readonly raw: unknown
    readonly reason: string
    readonly at: number
  }>
}

export interface Quarantine {
  /** The newest `limit` items and how many there are. */
  list(limit: number): Promise<QuarantineList>
  count(): Promise<number>
}

export function createQuarantine(
  { dexie, meta, quarantine }: Database,
  overlay: Overlay,
  now: () => number,
): Quarantine {
  function read<T>(body: (mark: number) => Promise<T>): Promise<T> {
    const release = overlay.ticket()
    const result = dexie.transaction('r', meta, quarantine, async () =>
      body(((await meta.get('log')) as LogRow | undefined)?.mark ?? 0),
    )
    return Promise.resolve(result).finally(release)
  }
  const unsettled = (mark: number): QuarantineRow[] =>
    [...overlay.allBad()]
      .filter(({ seq }) => seq > mark)
      .map(({ rev, item }) => ({
        type: item.type,
        id: item.id,
        rev,
        raw: item.data,
        reason: item.reason ?? '',
        at: now(),
      }))
  // Whatever the overlay holds is newer than what is settled, and ends its quarantine.
  const hidden = ({ type, id }: { readonly type: string; readonly id: string }, mark: number): boolean =>
    (overlay.entry(type, id)?.seq ?? -1) > mark || (overlay.bad(type, id)?.seq ?? -1) > mark
  // The keys are only needed where something may hide one of them. What is read is judged later, all at once.
  const readKeys = async (): Promise<readonly TypeAndId[] | number> =>
    overlay.unsettled().records === 0 ? quarantine.count() : quarantine.toCollection().primaryKeys()
  const countKept = (keys: readonly TypeAndId[] | number, mark: number): number =>
    typeof keys === 'number' ? keys : keys.filter(([type, id]) => !hidden({ type, id }, mark)).length

  const list = (limit: number): Promise<QuarantineList> =>
    read(async (mark) => {
      const [keys, stored] = await Promise.all([readKeys(), quarantine.orderBy('at').reverse().limit(limit).toArray()])
      const fresh = unsettled(mark)
      const kept = stored.filter((row) => !hidden(row, mark))
      const items = [...fresh, ...kept].slice(0, limit)
      return {
        count: countKept(keys, mark) + fresh.length,
        items: items.map(({ rev, ...item }) => ({ ...item, revision: rev })),
      }
    })

  return { list, count: async () => (await list(0)).count }
}
