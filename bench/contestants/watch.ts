/** The simplest live query there is, for stores without any: ask again after each sync. */
import type { Row } from '../data.ts'
import type { Contestant } from '../page/contestant.ts'

type Seen = Parameters<Contestant['live']>[2]
type ByGroup = (group: Row[string], limit?: number) => Promise<readonly Row[]>

export interface Watchers {
  add(group: Row[string], limit: number | null, seen: Seen): Promise<void>
  tell(): Promise<void>
}

export function createWatchers(byGroup: ByGroup): Watchers {
  const asks: Array<() => Promise<void>> = []
  return {
    add(group, limit, seen) {
      const ask = async (): Promise<void> => seen(await byGroup(group, limit ?? undefined))
      asks.push(ask)
      return ask()
    },
    async tell() {
      for (const ask of asks) await ask()
    },
  }
}
