/** Where another library is ahead, and why. */
import { ms, table } from './format.ts'
import { title, type Findings } from './findings.ts'
import { figuresOf } from './stats.ts'

const OURS = 'tidegate'

/** Figures where less is better, and what we pay for there. */
const WHY: ReadonlyArray<readonly [figure: string, what: string, why: string]> = [
  [
    'sync',
    'first sync',
    'Ours includes a strict commit before every acknowledgement, and the acknowledgements; the others do neither. Small data sets are mostly starting up.',
  ],
  [
    'cpuSettled',
    'CPU until settled',
    'Every record is written twice: at once within its page, in idle time into its table.',
  ],
  [
    'coldRow',
    'cold reopen to the first record',
    'Code must be loaded on two threads, and what is not settled is read before the first answer.',
  ],
  ['coldQuery', 'cold reopen to the first query', 'As with the first record.'],
  [
    'getWarm',
    'warm get',
    'Every answer crosses from the worker and is joined with the overlay (R2). Libraries with their records in memory, or on the page, spare all of it.',
  ],
  ['groupWarm', 'warm query', 'As with get. RxDB answers a question it has seen from its cache.'],
  ['sortWarm', 'warm sorted page', 'As with get.'],
  [
    'scanWarm',
    'scan without an index',
    "Settled records are not kept in memory, so that memory does not grow with the data; each must come out of IndexedDB. LokiJS, TinyBase and RxDB's cache have them there already.",
  ],
  [
    'changed',
    '1,000 changed records',
    'Ours reads the stored revision of each record, commits strictly and acknowledges before it is done.',
  ],
  [
    'live',
    'live query',
    'A change is on disk, strictly, before it is shown; then only the difference crosses to the page.',
  ],
  ['memory', 'memory', 'Page and worker each have a heap of their own, and an engine in it.'],
  [
    'disk',
    'disk',
    'Pages and tables are both on disk until the browser compacts its files; index keys are stored beside the rows (R4).',
  ],
]

export function lossLines({ plan, results }: Findings): string[] {
  if (!plan.blocks.some(({ entries }) => entries.some(({ name }) => name === OURS)))
    return ['It was not among the contestants of this run.']
  const rows: string[][] = []
  for (const block of plan.blocks.filter(({ kind }) => kind === 'full')) {
    const figures = figuresOf(results, block.key)
    for (const [figure, what, why] of WHY) {
      const ours = figures.median(OURS, figure)
      if (ours === null) continue
      // Peers settle nothing: their CPU until settled is that of their sync.
      const theirs = figure === 'cpuSettled' ? 'cpuSync' : figure
      const ahead = block.entries
        .filter((entry) => entry.package !== null)
        .map(({ name }) => ({ name, value: figures.median(name, theirs) }))
        .filter((one): one is { name: string; value: number } => one.value !== null && one.value < ours)
        .sort((a, b) => a.value - b.value)
      if (ahead.length === 0) continue
      const unit =
        figure === 'memory' || figure === 'disk'
          ? (value: number) => `${(value / 1e6).toFixed(1)} MB`
          : (value: number) => `${ms(value)} ms`
      rows.push([
        title(block),
        what,
        unit(ours),
        ahead.map(({ name, value }) => `${name} ${unit(value)}`).join(', '),
        why,
      ])
    }
  }
  if (rows.length === 0) return ['Nowhere, among the libraries measured in this run.']
  return [table(['data', 'figure', 'Tidegate', 'ahead', 'why'], rows)]
}
