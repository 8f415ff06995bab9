/** A contestant as the page sees it: here, or behind a worker. */
import type { Ask, Contender } from './contestant.ts'

export interface Client {
  readonly contestant: Contender
  /** Asks the same once for each list of arguments, timed where the contestant lives. Milliseconds each. */
  timeInside(ask: Ask, calls: ReadonlyArray<readonly unknown[]>): Promise<readonly number[]>
}

/** Enough for a median; who takes seconds for one answer is not asked thirty times. */
const ENOUGH_CALLS = 3
const ENOUGH_MS = 3_000

export async function timeCalls(
  contestant: Contender,
  ask: Ask,
  calls: ReadonlyArray<readonly unknown[]>,
): Promise<number[]> {
  const method = contestant[ask] as ((...args: readonly unknown[]) => Promise<unknown>) | undefined
  if (method === undefined) return []
  const times: number[] = []
  let spent = 0
  for (const args of calls) {
    const start = performance.now()
    await method.apply(contestant, [...args])
    const ms = performance.now() - start
    times.push(ms)
    spent += ms
    if (times.length >= ENOUGH_CALLS && spent > ENOUGH_MS) break
  }
  return times
}
