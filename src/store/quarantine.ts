/**
 * Items that were acknowledged but cannot be shown (R31): settled ones on disk, unsettled ones in the
 * overlay. Also knows which records of known collections are shown in an older version than the server's.
 */
import type { Connection } from './database.ts'
import type { LogRow, QuarantineRow } from './rows.ts'
import type { Overlay } from './overlay.ts'

export interface QuarantineList {
  readonly count: number
  readonly items: ReadonlyArray<{ readonly type: string; readonly id: string; readonly revision: number; readonly raw: unknown; readonly reason: string; readonly at: number }>
}

export interface Quarantine {
  /** The newest `limit` items and how many there are. */
  list(limit: number): Promise<QuarantineList>
  count(): Promise<number>
}

export function createQuarantine({ dexie, meta, quarantine }: Connection, overlay: Overlay, now: () => number): Quarantine {
  function read<T>(body: (mark: number) => Promise<T>): Promise<T> {
    const release = overlay.ticket()
    const result = dexie.transaction('r', meta, quarantine, async () => body(((await meta.get('log')) as LogRow | undefined)?.mark ?? 0))
    return Promise.resolve(result).finally(release)
  }
  const unsettled = (mark: number): QuarantineRow[] =>
    [...overlay.allBad()]
      .filter(({ seq }) => seq > mark)
      .map(({ rev, item }) => ({ type: item.type, id: item.id, rev, raw: item.data, reason: item.reason ?? '', at: now() }))
  // A newer version in the overlay ends the quarantine of a settled one.
  const hidden = ({ type, id, rev }: QuarantineRow, mark: number): boolean => {
    const entry = overlay.entry(type, id)
    const bad = overlay.bad(type, id)
    return (entry !== undefined && entry.seq > mark && entry.rev > rev) || (bad !== undefined && bad.seq > mark)
  }

  return {
    list: (limit) =>
      read(async (mark) => {
        const total = await quarantine.count()
        const stored = await quarantine.orderBy('at').reverse().limit(limit).toArray()
        const fresh = unsettled(mark)
        const kept = stored.filter((row) => !hidden(row, mark))
        const items = [...fresh, ...kept].slice(0, limit)
        return {
          count: total - (stored.length - kept.length) + fresh.length,
          items: items.map(({ rev, ...item }) => ({ ...item, revision: rev })),
        }
      }),
    count: () => read(async (mark) => (await quarantine.count()) + unsettled(mark).filter(({ type, id }) => overlay.bad(type, id) !== undefined).length),
  }
}
