/** All that a call of the benchmark found, as the report takes it. */
import type { Sizes } from './build.ts'
import type { Block, Plan } from './plan.ts'
import type { Entry } from './registry.ts'
import type { Result } from './result.ts'

export interface Findings {
  readonly plan: Plan
  readonly results: readonly Result[]
  readonly sizes: Readonly<Record<string, Sizes>>
  readonly entries: readonly Entry[]
  readonly began: Date
  readonly ended: Date
  readonly command: string
  readonly commit: string
}

export function title({ data, size, page, latency }: Block): string {
  const what = data === 'contact' ? 'contacts' : 'places'
  return `${size.toLocaleString('en')} ${what}, ${page.toLocaleString('en')} a page${latency > 0 ? `, ${latency} ms of latency` : ''}`
}
