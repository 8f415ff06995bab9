/** A contestant as the page sees it: here, or behind a worker. */
import type { Ask, Contender } from './contestant.ts'

export interface Client {
  readonly contestant: Contender
  /** Asks the same once for each list of arguments, timed where the contestant lives. Milliseconds each. */
  timeInside(ask: Ask, calls: ReadonlyArray<readonly unknown[]>): Promise<readonly number[]>
}

export async function timeCalls(
  contestant: Contender,
  ask: Ask,
  calls: ReadonlyArray<readonly unknown[]>,
): Promise<number[]> {
  const method = contestant[ask] as ((...args: readonly unknown[]) => Promise<unknown>) | undefined
  if (method === undefined) return []
  const times: number[] = []
  for (const args of calls) {
    const start = performance.now()
    await method.apply(contestant, [...args])
    times.push(performance.now() - start)
  }
  return times
}
