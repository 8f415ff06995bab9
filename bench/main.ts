/** The benchmark from the command line to the report. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { loadavg, availableParallelism } from 'node:os'
import { join } from 'node:path'
import { createProfile } from './browser.ts'
import { buildPackage, buildPages, site } from './build.ts'
import type { Findings } from './findings.ts'
import { dataSet } from './data.ts'
import { cache, root } from './paths.ts'
import { readPlan, USAGE, type Block } from './plan.ts'
import type { Entry } from './registry.ts'
import { report } from './report.ts'
import type { Result } from './result.ts'
import { runFull } from './runs/full.ts'
import { runLoad } from './runs/load.ts'
import { runSync } from './runs/sync.ts'
import { runUnsettled } from './runs/unsettled.ts'
import type { RunDeps } from './runs/visit.ts'
import { runWrites } from './runs/writes.ts'
import { startServer } from './serve.ts'
import { createTruth, factsOf } from './truth.ts'

const RESULTS = join(cache, 'results.json')
const RUN_MS = 15 * 60_000
const RUNS = { full: runFull, sync: runSync, unsettled: runUnsettled, load: runLoad, writes: runWrites } as const

export async function main(args: readonly string[]): Promise<void> {
  const plan = readPlan(args)
  if (plan === 'help') return console.log(USAGE)
  const began = new Date()
  mkdirSync(cache, { recursive: true })
  if (plan.build) buildPackage()
  const entries = new Map(plan.blocks.flatMap((block) => block.entries).map((entry) => [entry.name, entry]))
  console.log('Building the pages ...')
  const sizes = await buildPages([...entries.values()])
  const results = plan.goOn && existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as Result[]) : []

  for (const block of plan.blocks) await runBlock(block, results)

  const command = [
    'npm run bench',
    ...(args.length > 0 ? ['--', ...args.filter((arg) => arg !== '--continue')] : []),
  ].join(' ')
  const findings: Findings = {
    plan,
    results,
    sizes,
    entries: [...entries.values()],
    began,
    ended: new Date(),
    command,
    commit: commit(),
  }
  const text = report(findings)
  console.log(`\n${text}`)
  if (plan.out !== null) writeFileSync(join(root, plan.out), text)
}

async function runBlock(block: Block, results: Result[]): Promise<void> {
  const orders = orderOf(block).filter(
    ({ entry, repetition }) =>
      !results.some((one) => one.block === block.key && one.contestant === entry.name && one.repetition === repetition),
  )
  if (orders.length === 0) return
  console.log(`\n${block.key}`)
  const data = dataSet(block.data, block.size)
  const facts = factsOf(data)
  const server = await startServer({
    data: block.data,
    size: block.size,
    page: block.page,
    latency: block.latency,
    site,
  })
  try {
    for (const { entry, repetition } of orders) {
      const figures: Record<string, number> = {}
      const truth = createTruth(data, facts)
      const put: RunDeps['put'] = (found) => {
        for (const [name, value] of Object.entries(found)) if (value !== null) figures[name] = value
      }
      let browser = ''
      const disturbance = (loadavg()[0] ?? 0) / availableParallelism()
      const profile = createProfile((version) => {
        browser = version
      })
      const failed: string[] = []
      try {
        await server.reset(entry.lanes)
        await inTime(RUNS[block.kind]({ block, entry, repetition, data, facts, truth, server, profile, put }))
      } catch (error) {
        failed.push(error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error))
      } finally {
        await profile.remove()
      }
      const faults = [...failed, ...truth.faults]
      results.push({ block: block.key, contestant: entry.name, repetition, figures, faults, browser, disturbance })
      writeFileSync(RESULTS, JSON.stringify(results))
      const time = figures['sync'] === undefined ? '' : `${figures['sync'].toFixed(0)} ms`
      console.log(
        `  ${repetition + 1}/${block.repetitions} ${entry.name.padEnd(12)} ${time.padStart(9)}${faults.length > 0 ? `  ${faults.join('; ')}` : ''}`,
      )
    }
  } finally {
    server.stop()
  }
}

/** A contestant that hangs must not hold up the others. */
async function inTime(run: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`did not end within ${RUN_MS / 60_000} minutes`)), RUN_MS)
  })
  try {
    await Promise.race([run, late])
  } finally {
    clearTimeout(timer)
    // It rejects once its browser is taken away.
    run.catch(() => undefined)
  }
}

/** Each repetition begins with another contestant, and every second one goes backwards, so that no one is always first. */
function orderOf({
  entries,
  repetitions,
}: Block): ReadonlyArray<{ readonly entry: Entry; readonly repetition: number }> {
  return Array.from({ length: repetitions }, (_, repetition) => {
    const from = repetition % entries.length
    const turned = [...entries.slice(from), ...entries.slice(0, from)]
    return (repetition % 2 === 0 ? turned : turned.reverse()).map((entry) => ({ entry, repetition }))
  }).flat()
}

function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain', 'src', 'bench') === '' ? '' : ' with local changes'}`
  } catch {
    return 'unknown'
  }
}
