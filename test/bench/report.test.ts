/** The report: verdicts from paired medians, dashes for what was not measured, and no hiding of losses. */
import { describe, expect, it } from 'vitest'
import { readPlan } from '../../bench/plan.ts'
import { report } from '../../bench/report.ts'
import type { Result } from '../../bench/result.ts'

const NAMES = ['floor-a', 'tidegate']

function reportOf(
  figures: Readonly<Record<string, Readonly<Record<string, number>>>>,
  faults: readonly string[] = [],
): string {
  const plan = readPlan(['--sizes', '50000', '--page', '100', '--latency', '0', '--contestants', NAMES.join(',')])
  if (plan === 'help') throw new Error('help was not asked for')
  const block = plan.blocks[0]?.key ?? ''
  const results: Result[] = Object.entries(figures).map(([contestant, figures]) => ({
    block,
    contestant,
    repetition: 0,
    figures,
    faults,
    browser: '1.2.3',
    disturbance: 0,
  }))
  const at = new Date('2026-01-01T12:00:00Z')
  const entries = plan.blocks[0]?.entries ?? []
  return report({
    plan,
    results,
    sizes: {},
    entries,
    began: at,
    ended: at,

    command: 'npm run bench',
    commit: 'abc',
  })
}

const line = (text: string, start: string): string => text.split('\n').find((one) => one.startsWith(`| ${start}`)) ?? ''

describe('the report', () => {
  it('passes and misses budgets by the median of paired ratios', () => {
    const figures = { 'floor-a': { sync: 1_000 }, tidegate: { sync: 1_400, longTasks: 1 } }
    const text = reportOf(figures)
    expect(line(text, '50,000: against floor A')).toBe('| 50,000: against floor A | 1.40 | ≤ 1.5 | pass |')
    expect(line(text, '50,000: long tasks')).toContain('**miss**')
    expect(line(reportOf({ ...figures, tidegate: { sync: 1_600 } }), '50,000: against floor A')).toContain('**miss**')
  })

  it('never passes what it did not measure', () => {
    expect(line(reportOf({ tidegate: { sync: 1 } }), '50,000: against floor A')).toBe(
      '| 50,000: against floor A | – | ≤ 1.5 | not measured |',
    )
  })

  it('shows runs with wrong answers and counts them nowhere', () => {
    const text = reportOf({ 'floor-a': { sync: 1 }, tidegate: { sync: 1 } }, ['count: 9 instead of 10'])
    expect(text).toContain('count: 9 instead of 10')
    expect(line(text, '50,000: against floor A')).toContain('not measured')
  })
})
