/**
 * The GETs of one session under way, and their answers one by one as they arrive. It knows nothing of pages: whoever
 * takes an answer says whether another GET goes out, so what is in hand never exceeds the lanes that are open.
 */
import type { Clock } from '../clock.ts'
import { createPace } from './pace.ts'

export type Answer<T> = Place & ({ readonly value: T } | { readonly error: unknown })

interface Place {
  /** GETs that went out before this one and are not answered yet. */
  readonly before: number
  /** One that went out after this one was answered before it: what this one says of the rest is out of date. */
  readonly overtaken: boolean
  /** It went out before the last pause: its failure is that of then. */
  readonly late: boolean
}

export interface Lanes<T> {
  /** GETs under way, and answers not yet taken. */
  readonly open: number
  /** Sends GETs until as many are under way as pay. */
  fill(atMost?: number): void
  /** The next answer; at least one GET must be under way. */
  next(): Promise<Answer<T>>
  /** Trouble: no GET goes out for so long, and then one at a time. */
  pause(ms: number): void
}

interface LanesDeps<T> {
  readonly get: () => Promise<T>
  readonly clock: Clock
  /** How many the server allows. */
  readonly allowed: number
  readonly signal: AbortSignal
}

export function createLanes<T>({ get, clock, allowed, signal }: LanesDeps<T>): Lanes<T> {
  const pace = createPace(allowed)
  type Sent = { readonly n: number; readonly pauses: number } & ({ readonly value: T } | { readonly error: unknown })
  const underWay = new Map<number, Promise<Sent>>()
  let last = 0
  let newest = 0
  let pauses = 0
  let notBefore = clock.monotonic()

  async function send(n: number): Promise<Sent> {
    let sentIn = pauses
    try {
      while (clock.monotonic() < notBefore) await clock.sleep(notBefore - clock.monotonic(), signal)
      sentIn = pauses
      const [sentAt, among] = [clock.monotonic(), pace.lanes]
      const value = await get()
      pace.took(clock.monotonic() - sentAt, among)
      return { n, pauses: sentIn, value }
    } catch (error) {
      return { n, pauses: sentIn, error }
    }
  }

  return {
    get open() {
      return underWay.size
    },
    fill(atMost = Infinity) {
      while (underWay.size < Math.min(atMost, pace.lanes)) underWay.set(++last, send(last))
    },
    async next() {
      const { n, pauses: sentIn, ...outcome } = await Promise.race(underWay.values())
      underWay.delete(n)
      const overtaken = n < newest
      newest = Math.max(newest, n)
      const before = [...underWay.keys()].filter((other) => other < n).length
      return { ...outcome, before, overtaken, late: sentIn < pauses }
    },
    pause(ms) {
      pauses++
      notBefore = Math.max(notBefore, clock.monotonic() + ms)
      pace.slowDown()
    },
  }
}
