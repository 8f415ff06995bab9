/** One browser process with one contestant on it, and what every kind of run does with it. */
import type { Row } from '../data.ts'
import type { Setup } from '../page/contestant.ts'
import type { Profile, Running } from '../browser.ts'
import type { Block } from '../plan.ts'
import type { Entry } from '../registry.ts'
import type { BenchServer } from '../serve.ts'
import type { DataSet } from '../data.ts'
import { someOf, type Facts, type Truth } from '../truth.ts'

/** Everything a run needs. */
export interface RunDeps {
  readonly block: Block
  readonly entry: Entry
  readonly repetition: number
  readonly data: DataSet
  readonly facts: Facts
  readonly truth: Truth
  readonly server: BenchServer
  readonly profile: Profile
  /** Where a run puts what it measured. */
  readonly put: (figures: Readonly<Record<string, number | null>>) => void
}

export const GROUP_LIMIT = 50

export function setupOf({ data }: RunDeps): Setup {
  return { shape: data.shape, size: data.size }
}

export function launch({ server, profile, entry }: RunDeps): Promise<Running> {
  return profile.launch(`${server.url}/${entry.name}/`)
}

/** A first sync, from the first request the server saw until everything is there. */
export async function firstSync(
  deps: RunDeps,
  { page, cpu }: Running,
): Promise<{ readonly startedAt: number; readonly cpuBefore: number | null }> {
  const { server, put } = deps
  const cpuBefore = cpu()
  await page.evaluate(() => window.bench.watch())
  const open = await page.evaluate((setup) => window.bench.open(setup), setupOf(deps))
  const { value: doneAt } = await page.evaluate(() => window.bench.sync())
  const cpuSync = since(cpu(), cpuBefore)
  const { longTasks, longTotal, longest, gap } = await page.evaluate(() => window.bench.threadReport())
  const { firstRequestAt } = await server.state()
  if (firstRequestAt === null) throw new Error('the contestant asked the server for nothing')
  put({ open, sync: doneAt - firstRequestAt, cpuSync, longTasks, longTotal, longest, gap })
  return { startedAt: firstRequestAt, cpuBefore }
}

/** Everything arrived, and where it is promised, everything was acknowledged. */
export async function checkCounts(
  { entry, data, truth, server }: RunDeps,
  { page }: Running,
  changes = 0,
): Promise<void> {
  if (entry.answers) truth.equal('count', (await page.evaluate(() => window.bench.ask('count', []))).value, data.size)
  if (entry.acknowledges) truth.equal('acknowledged', (await server.state()).acked, data.size + changes)
}

/** The time until a new browser process has its first record and its first indexed query. */
export async function coldReopen(deps: RunDeps, { page }: Running): Promise<void> {
  const { data, truth, repetition, put } = deps
  const [one = 0, other = 0] = someOf(data.size, 2, 7_000 + repetition)
  const group = groupOf(data, other)
  const id = data.record(one, 0)['id'] as number
  const cold = await page.evaluate(([setup, id, group]) => window.bench.cold(setup, id, group), [
    setupOf(deps),
    id,
    group,
  ] as const)
  truth.row('cold get', cold.row, one)
  truth.group('cold query', cold.rows, group, GROUP_LIMIT)
  put({ coldOpen: cold.openMs, coldRow: cold.rowMs, coldQuery: cold.queryMs })
}

export function groupOf(data: DataSet, index: number): Row[string] {
  return data.record(index, 0)[data.shape.group]
}

export function since(after: number | null, before: number | null): number | null {
  return after === null || before === null ? null : after - before
}
