/** Floor A: fetches and parses every page, stores nothing. Whoever stores can hardly be faster. */
import type { Contender } from '../page/contestant.ts'
import { pages } from './queue.ts'

export function create(): Contender {
  return {
    open: async () => undefined,
    async sync() {
      for await (const _ of pages());
    },
  }
}
