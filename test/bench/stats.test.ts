/** The arithmetic behind every claim about speed. */
import { describe, expect, it } from 'vitest'
import type { Result } from '../../bench/result.ts'
import { figuresOf, median, p95, pairedRatio, spread } from '../../bench/stats.ts'

const result = (contestant: string, repetition: number, sync: number, faults: readonly string[] = []): Result => ({
  block: 'b',
  contestant,
  repetition,
  figures: { sync },
  faults,
  browser: '1.2.3',
  disturbance: 0,
})
const side = (contestant: string, block = 'b') => ({ block, contestant, figure: 'sync' })

describe('ratios of the benchmark', () => {
  it('are paired: a slow minute that hits both sides of a repetition changes nothing', () => {
    const results = [result('ours', 0, 10), result('floor', 0, 20), result('ours', 1, 500), result('floor', 1, 1_000)]
    expect(pairedRatio(results, side('ours'), side('floor'))).toBe(0.5)
  })

  it('leave out repetitions that only one side has', () => {
    const results = [result('ours', 0, 10), result('floor', 0, 20), result('ours', 1, 900)]
    expect(pairedRatio(results, side('ours'), side('floor'))).toBe(0.5)
  })

  it('leave out runs with a wrong answer', () => {
    const results = [result('ours', 0, 1, ['count: 9 instead of 10']), result('floor', 0, 20)]
    expect(pairedRatio(results, side('ours'), side('floor'))).toBeNull()
    expect(figuresOf(results, 'b').median('ours', 'sync')).toBeNull()
  })

  it('never mix blocks unless asked to', () => {
    const results = [result('ours', 0, 10), { ...result('floor', 0, 20), block: 'other' }]
    expect(pairedRatio(results, side('ours'), side('floor'))).toBeNull()
    expect(pairedRatio(results, side('ours'), side('floor', 'other'))).toBe(0.5)
  })
})

it('medians, spreads and percentiles are what they are called', () => {
  expect([median([]), median([3]), median([1, 9, 2]), median([4, 1, 2, 9])]).toEqual([null, 3, 2, 3])
  expect(spread([90, 100, 130])).toBeCloseTo(0.4)
  expect(p95(Array.from({ length: 100 }, (_, index) => 100 - index))).toBe(95)
})
