/**
 * F19, enumerated: each scenario runs once to count its steps, then once for each step with the process killed exactly
 * there, restarted and healed. `FULL=1` takes every point, otherwise a tenth. `POINT='name/step/before|after/lost|arrives'`
 * replays one and prints what happened.
 */
import { describe, expect, it, vi } from 'vitest'
import { live, type Death, type Life, type Scenario } from './device-life.ts'

// Dexie tells of each connection that a killed process left behind.
vi.spyOn(console, 'warn').mockImplementation(() => undefined)

const FULL = process.env['FULL'] === '1'
const EVERY = FULL ? 1 : Number(process.env['EVERY'] ?? 10)
const POINT = process.env['POINT']

async function synced({ tab: { engine }, when }: Life): Promise<void> {
  await engine.now(60_000)
  await when(() => engine.status.current.pendingAcks === 0)
}
const settled = ({ tab: { store }, when }: Life): Promise<void> => when(() => store.counts().pages === 0)
const sent = ({ tab: { store, engine }, when }: Life): Promise<void> =>
  when(() => store.outbox.snapshot().edits.length === 0 && engine.status.current.pendingAcks === 0)

async function openAndSettle(life: Life): Promise<void> {
  await life.open()
  await synced(life)
  await settled(life)
}

const scenarios: readonly Scenario[] = [
  {
    name: 'first sync of several pages',
    contacts: 7,
    pageSize: 3,
    // So slow that pages are stored, and the session with them, while others are on their way.
    delayMs: 30,
    act: async (life) => {
      await life.open()
      await synced(life)
    },
  },
  {
    name: 'changes and deletions over settled data',
    contacts: 6,
    pageSize: 2,
    prepare: openAndSettle,
    act: async (life) => {
      await life.elsewhere({ kind: 'update', type: 'contact', id: '1', patch: { name: 'other', n: 9 } })
      await life.elsewhere({ kind: 'delete', type: 'contact', id: '2' })
      await life.elsewhere({ kind: 'create', type: 'contact', id: '20', data: { id: 20, name: 'new', n: 9 } })
      await synced(life)
      // Deleted, then made anew, while the deletion waits to be settled.
      await life.elsewhere({ kind: 'create', type: 'contact', id: '2', data: { id: 2, name: 'back' } })
      await synced(life)
      await settled(life)
    },
  },
  {
    name: 'settling in parts',
    contacts: 50,
    pageSize: 25,
    prepare: async (life) => {
      await life.open()
      await synced(life)
    },
    act: async ({ tab: { store }, clock }) => {
      // Somebody reads all the time, so that rows are settled in parts (R1).
      while (store.counts().pages > 0) {
        await store.get('contact', ['1', '49'])
        await clock.sleep(300)
      }
    },
  },
  {
    name: 'an insert and another that refers to it, pushed and echoed',
    contacts: 2,
    pageSize: 5,
    prepare: openAndSettle,
    act: async (life) => {
      await life.write(
        { op: 'insert', key: -1, value: { name: 'Ann', n: 1 } },
        { op: 'insert', collection: 'deal', key: -2, value: { name: 'Bridge', contact_id: -1 } },
      )
      await sent(life)
    },
    check: async ({ store, intents, fail }) => {
      // Temporary keys find the records for ever (R18).
      if (intents[0]?.resolved !== true) return
      const [ann] = await store.get('contact', ['-1'])
      const [bridge] = await store.get('deal', ['-2'])
      if (ann?.['name'] !== 'Ann' || bridge?.['contact_id'] !== ann['id']) fail('a temporary key finds nothing')
    },
  },
  {
    name: 'edits upon edits that are under way',
    contacts: 3,
    pageSize: 5,
    fault: (path, nth) => (path === '/v2/contacts' && nth === 1 ? 'lost-request' : undefined),
    prepare: openAndSettle,
    act: async (life) => {
      await life.write({ op: 'insert', key: -1, value: { name: 'Ann' } })
      await life.when(() => life.tab.store.outbox.snapshot().edits[0]?.state === 'sending')
      await life.write({ op: 'update', key: -1, value: { n: 77 } })
      await life.write({ op: 'update', key: 3, value: { n: 78 } })
      await life.write({ op: 'delete', key: 2 })
      await sent(life)
    },
  },
  {
    name: 'an update in conflict',
    contacts: 3,
    pageSize: 5,
    prepare: openAndSettle,
    act: async (life) => {
      await life.elsewhere({ kind: 'update', type: 'contact', id: '2', patch: { name: 'theirs', n: 50 } })
      await life.write({ op: 'update', key: 2, value: { name: 'ours' } })
      await sent(life)
    },
    check: ({ store, intents, server, fail }) => {
      const { conflicts } = store.outbox.snapshot()
      if (server.get('contact')?.get('2')?.['n'] !== 50) fail('a field that was not touched is lost')
      if (conflicts.length > 1) fail(`the conflict is told ${conflicts.length} times`)
      if (intents[0]?.resolved === true && conflicts[0]?.fields[0]?.theirs !== 'theirs') fail('what lost is not told')
    },
  },
  {
    name: 'acknowledgements whose answers are lost',
    contacts: 4,
    pageSize: 2,
    fault: (path, nth) => (path.endsWith('/ack') && nth <= 2 ? 'lost-answer' : undefined),
    act: async (life) => {
      await life.open()
      await synced(life)
    },
  },
  {
    name: 'restart from nothing with an unsent edit',
    contacts: 4,
    pageSize: 2,
    fault: (path, nth) => (path === '/v2/contacts' && nth === 1 ? 'lost-answer' : undefined),
    prepare: openAndSettle,
    act: async (life) => {
      await life.write({ op: 'insert', key: -1, value: { name: 'Ann' } })
      await life.tab.engine.restart()
      await synced(life)
      await sent(life)
    },
  },
  {
    name: 'sign-out that keeps an unsent edit',
    contacts: 3,
    pageSize: 5,
    fault: (path) => (path.startsWith('/v2/contacts') ? 'unavailable' : undefined),
    prepare: openAndSettle,
    act: async (life) => {
      await life.write({ op: 'insert', key: -1, value: { name: 'Ann' } })
      await life.write({ op: 'update', key: 2, value: { n: 70 } })
      await life.tab.engine.logout('keep')
    },
  },
  {
    name: 'sign-out with nothing to keep',
    contacts: 3,
    pageSize: 5,
    prepare: openAndSettle,
    act: (life) => life.tab.engine.logout('refuse'),
  },
]

/** All ways to die that differ in what is left: requests that left upon a step, and requests under way, make more of them. */
async function pointsOf(scenario: Scenario): Promise<readonly Death[]> {
  const { violations, steps, trace } = await live(scenario, null)
  expect(violations, trace.join('\n')).toEqual([])
  return steps.flatMap(({ sent: left, underway }, at): Death[] => {
    const step = at + 1
    return [
      { step, moment: 'after', underway: 'arrives' },
      ...(underway > 0 ? [{ step, moment: 'after', underway: 'lost' } as const] : []),
      ...(left > 0 ? [{ step, moment: 'before', underway: 'arrives' } as const] : []),
    ]
  })
}

describe('crash points', () => {
  it.runIf(POINT !== undefined)('one point', { timeout: 60_000 }, async () => {
    const [name, step, moment, underway] = (POINT ?? '').split('/')
    const scenario = scenarios.find((one) => one.name === name)!
    const { violations, trace } = await live(scenario, { step: Number(step), moment, underway } as unknown as Death)
    // oxlint-disable-next-line no-console -- this is what a replay is for
    console.log(trace.join('\n'))
    expect(violations).toEqual([])
  })

  it.runIf(POINT === undefined)(
    'I1, I2, I6, I11, I12, I14, L1, F19: a process killed at any step leaves nothing lost, doubled or different',
    { timeout: 3_600_000 },
    async () => {
      const totals = { points: 0, steps: 0, violations: 0 }
      const found: string[] = []
      for (const scenario of scenarios) {
        const points = await pointsOf(scenario)
        const { steps } = await live(scenario, null)
        totals.steps += steps.length
        for (const [at, death] of points.entries()) {
          if (at % EVERY !== 0) continue
          const outcome = await live(scenario, death)
          totals.points++
          const before = outcome.steps[death.step - 1]?.hash
          // Another schedule than the one that was counted would be another point.
          const violations =
            before === steps[death.step - 1]?.hash ? outcome.violations : ['not the schedule that was counted']
          if (violations.length === 0) continue
          totals.violations++
          const where = `${scenario.name}/${death.step}/${death.moment}/${death.underway}`
          found.push(...violations.map((what) => `POINT='${where}': ${what}`))
        }
      }
      // oxlint-disable-next-line no-console -- the counts are the evidence
      console.log(
        `crash points ${totals.points}, violations ${totals.violations} (${scenarios.length} scenarios, ${totals.steps} steps)`,
      )
      expect(found.slice(0, 20)).toEqual([])
    },
  )
})
