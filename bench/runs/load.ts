/** What questions cost while the engine is busy, and what a change costs with many live queries open. */
import type { Running } from '../browser.ts'
import type { Row } from '../data.ts'
import type { Probe } from '../page/harness.ts'
import { median, p95 } from '../stats.ts'
import { SORTED, someOf } from '../truth.ts'
import { firstSync, GROUP_LIMIT, groupOf, launch, since, type RunDeps } from './visit.ts'

const IDLE_ROUNDS = 60
const CHANGES = 40
const LIVE_QUERIES = 200

export async function runLoad(deps: RunDeps): Promise<void> {
  const running = await launch(deps)
  try {
    await underLoad(deps, running)
    await manyLiveQueries(deps, running)
  } finally {
    await running.close()
  }
}

async function underLoad(deps: RunDeps, running: Running): Promise<void> {
  const { data, put } = deps
  const { page } = running
  // A record of the first page, so that it is there for most of the drain.
  const id = data.record(0, 0)['id'] as number
  const calls = [
    ['get', [id]],
    ['byGroup', [groupOf(data, 0), GROUP_LIMIT]],
    ['bySort', [SORTED]],
  ] as const
  const note = (when: string, probes: readonly Probe[]): void => {
    const all = (ask?: string): number[] =>
      probes.filter((probe) => ask === undefined || probe.ask === ask).map(({ ms }) => ms)
    put({
      [`${when}P95`]: p95(all()),
      [`${when}Median`]: median(all()),
      [`${when}Get`]: p95(all('get')),
      [`${when}Group`]: p95(all('byGroup')),
      [`${when}Sort`]: p95(all('bySort')),
      [`${when}Probes`]: probes.length,
    })
  }

  const draining = page.evaluate((calls) => window.bench.startProbesOnceOpen(calls), calls)
  await firstSync(deps, running)
  await draining
  note('draining', await page.evaluate(() => window.bench.stopProbes()))
  await page.evaluate(() => window.bench.settling())
  await page.evaluate((calls) => window.bench.startProbes(calls), calls)
  await page.evaluate(() => window.bench.settled())
  note('settling', await page.evaluate(() => window.bench.stopProbes()))
  note(
    'idle',
    await page.evaluate(([calls, rounds]) => window.bench.probe(calls, rounds), [calls, IDLE_ROUNDS] as const),
  )
}

async function manyLiveQueries({ data, server, truth, put }: RunDeps, { page, cpu }: Running): Promise<void> {
  const [index = 0] = someOf(data.size, 1, 9_000)
  const id = data.record(index, 0)['id'] as number
  const watched = groupOf(data, index)

  async function changes(name: string): Promise<void> {
    const before = cpu()
    const times: number[] = []
    for (let change = 0; change < CHANGES; change++) {
      await server.change([index])
      const stamp = truth.change([index])
      const seenAt = await page.evaluate(([id, stamp]) => window.bench.syncUntilSeen(id, stamp), [id, stamp] as const)
      times.push(seenAt - ((await server.state()).lastItemsAt ?? Number.NaN))
    }
    const used = since(cpu(), before)
    put({ [name]: median(times), [`${name}Cpu`]: used === null ? null : used / CHANGES })
    await page.evaluate(() => window.bench.settled())
  }

  await page.evaluate((group) => window.bench.live(group, null), watched)
  await changes('liveOne')
  const others = groupsBeside(data, watched)
  for (let query = 1; query < LIVE_QUERIES; query++) {
    const limit = query <= others.length ? null : GROUP_LIMIT + query
    await page.evaluate(([group, limit]) => window.bench.live(group, limit), [
      others[query % others.length],
      limit,
    ] as const)
  }
  await changes('liveMany')
}

function groupsBeside({ size, record, shape }: RunDeps['data'], watched: Row[string]): readonly Row[string][] {
  const groups = new Set<Row[string]>()
  for (let index = 0; index < size && groups.size < LIVE_QUERIES; index++) groups.add(record(index, 0)[shape.group])
  groups.delete(watched)
  return [...groups]
}
