/** Medians, spreads and ratios. Ratios are paired: taken within one repetition, so that a slow minute hits both sides. */
import type { Result } from './result.ts'

export function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]]
  return low === undefined || high === undefined ? null : (low + high) / 2
}

/** The value that 95 of 100 do not exceed. */
export function p95(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * 0.95) - 1)] ?? null
}

/** How far apart the values are, as a share of their median. */
export function spread(values: readonly number[]): number | null {
  const middle = median(values)
  return middle === null || middle === 0 ? null : (Math.max(...values) - Math.min(...values)) / middle
}

export interface Figures {
  /** All values of one figure, in the order of repetitions. */
  of(contestant: string, figure: string): readonly number[]
  /** The median; null if it was not measured. */
  median(contestant: string, figure: string): number | null
}

/** The results of one block. */
export function figuresOf(results: readonly Result[], block: string): Figures {
  const values = (contestant: string, figure: string): number[] => [
    ...byRepetition(results, block, contestant, figure).values(),
  ]
  return { of: values, median: (contestant, figure) => median(values(contestant, figure)) }
}

export interface Side {
  readonly block: string
  readonly contestant: string
  readonly figure: string
}

/** Median of the ratios a / b over the repetitions that have both; null without any. */
export function pairedRatio(results: readonly Result[], a: Side, b: Side): number | null {
  const over = byRepetition(results, b.block, b.contestant, b.figure)
  const ratios: number[] = []
  for (const [repetition, value] of byRepetition(results, a.block, a.contestant, a.figure)) {
    const other = over.get(repetition)
    if (other !== undefined && other > 0) ratios.push(value / other)
  }
  return median(ratios)
}

function byRepetition(
  results: readonly Result[],
  block: string,
  contestant: string,
  figure: string,
): Map<number, number> {
  const found = new Map<number, number>()
  for (const one of results) {
    const value = one.figures[figure]
    if (one.block === block && one.contestant === contestant && one.faults.length === 0 && value !== undefined)
      found.set(one.repetition, value)
  }
  return new Map([...found].sort(([a], [b]) => a - b))
}
