/**
 * The simulation as a test: `SEED=n` replays one schedule and prints its trace, `SCHEDULES=n` sets the count, `FROM=n`
 * where it begins.
 * A seed that ever failed joins the corpus and is replayed first.
 */
import { expect, it, vi } from 'vitest'
import { simulate, type WriteCounts } from './simulate.ts'
import corpus from './corpus.json' with { type: 'json' }

// Dexie tells of each connection that a killed process left behind.
vi.spyOn(console, 'warn').mockImplementation(() => undefined)

const only = process.env['SEED']
const count = Number(process.env['SCHEDULES'] ?? 500)
/** The seed before the first: a proof divides its schedules among processes. */
const from = Number(process.env['FROM'] ?? 0)

it.runIf(only !== undefined)('replays one seed', { timeout: 600_000 }, async () => {
  const outcome = await simulate(Number(only))
  // oxlint-disable-next-line no-console -- this is what a replay is for
  console.log(outcome.trace.join('\n'), '\n', { ...outcome, trace: undefined })
  expect(outcome.violation).toBeNull()
})

it.runIf(only === undefined)(
  'promises 1 to 6, 10, I2, I11 to I15: devices converge under drops, kills and late acks; local edits take effect once, in order, and none is lost',
  { timeout: Math.max(600_000, count * 1_000) },
  async () => {
    const totals = { schedules: 0, steps: 0, kills: 0, requests: 0, withLanes: 0 }
    const writing: Record<string, number> = { schedules: 0 }
    const violations: string[] = []
    const broken: Record<string, number> = { lost: 0, double: 0, divergent: 0, others: 0 }
    const seeds = [
      ...(from === 0 ? (corpus as number[]) : []),
      ...Array.from({ length: count }, (_, at) => from + at + 1),
    ]
    for (const seed of seeds) {
      const { violation, kind, steps, kills, requests, lanes, writes } = await simulate(seed)
      if (violation !== null) {
        violations.push(`SEED=${seed} npm run simulate: ${violation}`)
        broken[kind !== null && kind in broken ? kind : 'others']!++
      }
      totals.schedules++
      totals.steps += steps
      totals.kills += kills
      totals.requests += requests
      if (lanes > 2) totals.withLanes++
      if (writes !== null) add(writing, writes)
    }
    // oxlint-disable-next-line no-console -- the counts are the evidence
    console.log(`simulation ${JSON.stringify(totals)}\nwrites ${JSON.stringify({ ...writing, ...broken })}`)
    expect(violations).toEqual([])
  },
)

it.runIf(only === undefined)(
  'I24, determinism: an equal seed gives an equal trace hash',
  { timeout: 120_000 },
  async () => {
    for (const seed of [3, 17, 40]) {
      const [first, second] = [await simulate(seed), await simulate(seed)]
      expect(second.hash, `seed ${seed}`).toBe(first.hash)
    }
  },
)

function add(sums: Record<string, number>, { ...counts }: WriteCounts): void {
  sums['schedules']!++
  for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count
}
