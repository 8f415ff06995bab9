/** The whole life of a copy: first sync, questions, live changes, a thousand changes, a second browser process. */
import type { Running } from '../browser.ts'
import type { Row } from '../data.ts'
import { memoryOf } from '../memory.ts'
import type { Ask } from '../page/contestant.ts'
import { median } from '../stats.ts'
import { someOf, SORTED } from '../truth.ts'
import { checkCounts, coldReopen, firstSync, GROUP_LIMIT, groupOf, launch, since, type RunDeps } from './visit.ts'

const WARM_GETS = 100
const WARM_QUERIES = 30
const WARM_SCANS = 3
const CHECKED_ROWS = 20
const LIVE_CHANGES = 7
const MANY_CHANGES = 1_000

export async function runFull(deps: RunDeps): Promise<void> {
  const { profile, put } = deps
  const first = await launch(deps)
  try {
    await syncAndSettle(deps, first)
    await checkCounts(deps, first)
    if (!deps.entry.answers) return
    const { total, workers, heap } = await memoryOf(first.page)
    put({ memory: total, memoryWorkers: workers, heapWorkers: heap })
    await askAll(deps, first)
    const liveChanges = await live(deps, first)
    await settle(first)
    const changed = await change(deps, first)
    await checkCounts(deps, first, liveChanges + changed)
    await settle(first)
    await first.page.evaluate(() => window.bench.close())
  } finally {
    await first.close()
  }
  put({ disk: profile.bytes() })
  const second = await launch(deps)
  try {
    await coldReopen(deps, second)
  } finally {
    await second.close()
  }
}

async function syncAndSettle(deps: RunDeps, running: Running): Promise<void> {
  const { page, cpu } = running
  const { startedAt, cpuBefore } = await firstSync(deps, running)
  await page.evaluate(() => window.bench.watch())
  const settledAt = await page.evaluate(() => window.bench.settled())
  const report = await page.evaluate(() => window.bench.threadReport())
  if (settledAt === null) return
  const { longest: longestSettling, gap: gapSettling } = report
  deps.put({ settled: settledAt - startedAt, cpuSettled: since(cpu(), cpuBefore), longestSettling, gapSettling })
}

async function settle({ page }: Running): Promise<void> {
  await page.evaluate(() => window.bench.settled())
}

/** Each question once as it comes, then warm, from the page and where the contestant lives. */
async function askAll(deps: RunDeps, { page }: Running): Promise<void> {
  const { data, truth, repetition, put } = deps
  const indexes = someOf(data.size, WARM_GETS, repetition)
  const gets = indexes.map((index) => [data.record(index, 0)['id'] as number])
  const groups = indexes.slice(0, WARM_QUERIES).map((index) => [groupOf(data, index), GROUP_LIMIT])
  const sorts = groups.map(() => [SORTED])
  const scans = Array.from({ length: WARM_SCANS }, () => [])

  const measure = async (name: string, ask: Ask, calls: ReadonlyArray<readonly unknown[]>): Promise<unknown> => {
    const first = await page.evaluate(([ask, args]) => window.bench.ask(ask, args), [ask, calls[0] ?? []] as const)
    const warm = await page.evaluate(([ask, calls]) => window.bench.askMany(ask, calls), [ask, calls] as const)
    const inside = await page.evaluate(([ask, calls]) => window.bench.askInside(ask, calls), [ask, calls] as const)
    put({ [`${name}First`]: first.ms, [`${name}Warm`]: median(warm), [`${name}Inside`]: median(inside) })
    return first.value
  }
  truth.row('get', (await measure('get', 'get', gets)) as Row | undefined, indexes[0] ?? 0)
  truth.group('query', (await measure('group', 'byGroup', groups)) as Row[], groups[0]?.[0], GROUP_LIMIT)
  truth.sorted((await measure('sort', 'bySort', sorts)) as Row[])
  truth.scanned((await measure('scan', 'scan', scans)) as Row[])
  await checkRows(deps, page, indexes.slice(0, CHECKED_ROWS))
}

/** Single changes of one record in a watched group: from the server's answer to the callback on the page. */
async function live({ data, server, truth, repetition, put }: RunDeps, { page }: Running): Promise<number> {
  const [index = 0] = someOf(data.size, 1, 3_000 + repetition)
  const id = data.record(index, 0)['id'] as number
  await page.evaluate((group) => window.bench.live(group, null), groupOf(data, index))
  const times: number[] = []
  for (let change = 0; change < LIVE_CHANGES; change++) {
    await server.change([index])
    const stamp = truth.change([index])
    const seenAt = await page.evaluate(([id, stamp]) => window.bench.syncUntilSeen(id, stamp), [id, stamp] as const)
    times.push(seenAt - ((await server.state()).lastItemsAt ?? Number.NaN))
  }
  put({ live: median(times) })
  return LIVE_CHANGES
}

async function change({ data, server, truth, repetition, put, ...deps }: RunDeps, { page }: Running): Promise<number> {
  const indexes = someOf(data.size, Math.min(MANY_CHANGES, data.size / 2), 5_000 + repetition)
  await server.change(indexes)
  truth.change(indexes)
  put({ changed: (await page.evaluate(() => window.bench.sync())).ms })
  await checkRows({ data, truth, server, repetition, put, ...deps }, page, indexes.slice(0, CHECKED_ROWS))
  return indexes.length
}

async function checkRows({ data, truth }: RunDeps, page: Running['page'], indexes: readonly number[]): Promise<void> {
  for (const index of indexes) {
    const { value } = await page.evaluate((id) => window.bench.ask('get', [id]), data.record(index, 0)['id'] as number)
    truth.row('get', value as Row | undefined, index)
  }
}
