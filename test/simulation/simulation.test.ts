/**
 * The simulation as a test: `SEED=n` replays one schedule and prints its trace, `SCHEDULES=n` sets the count.
 * A seed that ever failed joins the corpus and is replayed first.
 */
import { expect, it, vi } from 'vitest'
import { simulate } from './simulate.ts'
import corpus from './corpus.json' with { type: 'json' }

// Dexie tells of each connection that a killed process left behind.
vi.spyOn(console, 'warn').mockImplementation(() => undefined)

const only = process.env['SEED']
const count = Number(process.env['SCHEDULES'] ?? 500)

it.runIf(only !== undefined)('replays one seed', { timeout: 600_000 }, async () => {
  const outcome = await simulate(Number(only))
  // oxlint-disable-next-line no-console -- this is what a replay is for
  console.log(outcome.trace.join('\n'), '\n', { ...outcome, trace: undefined })
  expect(outcome.violation).toBeNull()
})

it.runIf(only === undefined)(
  'promises 1, 2, 4, 5, 10: devices converge under drops, kills and late acks',
  { timeout: 600_000 },
  async () => {
    const totals = { schedules: 0, steps: 0, kills: 0, requests: 0, withLanes: 0 }
    const seeds = [...(corpus as number[]), ...Array.from({ length: count }, (_, at) => at + 1)]
    for (const seed of seeds) {
      const { violation, steps, kills, requests, lanes } = await simulate(seed)
      expect(violation, `seed ${seed}; replay with: SEED=${seed} npm run simulate`).toBeNull()
      totals.schedules++
      totals.steps += steps
      totals.kills += kills
      totals.requests += requests
      if (lanes > 2) totals.withLanes++
    }
    // oxlint-disable-next-line no-console -- the counts are the evidence
    console.log('simulation', totals)
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
