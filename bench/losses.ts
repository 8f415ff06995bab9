/** Where another library is ahead, and why. */
import { ms, table } from './format.ts'
import { title, type Findings } from './findings.ts'
import { figuresOf } from './stats.ts'

const OURS = 'tidegate'

/** Figures where less is better, what they are, and what a library ahead of us does differently. */
const WHY: ReadonlyArray<readonly [figure: string, what: string, why: string]> = [
  [
    'sync',
    'first sync',
    'It does not acknowledge, commits without waiting for the disk, or keeps everything in memory until the end.',
  ],
  ['cpuSettled', 'CPU until settled', 'We write every record twice: once in its page, once into its table.'],
  [
    'coldRow',
    'cold reopen to the first record',
    'We start a worker, open the database twice (strict and relaxed) and read the log before the first answer.',
  ],
  ['coldQuery', 'cold reopen to the first query', 'The same.'],
  [
    'getWarm',
    'warm get',
    'A library that keeps its records in the memory of the page answers without leaving its thread; we ask a worker, which asks the database.',
  ],
  ['groupWarm', 'warm query', 'The same; a query cache answers from memory too.'],
  ['sortWarm', 'warm sorted page', 'The same.'],
  [
    'scanWarm',
    'scan without an index',
    'In memory, or in a cache of earlier answers, nothing needs to be read; we keep no copy of settled records in memory, and every one must come out of IndexedDB.',
  ],
  ['changed', '1,000 changed records', 'It does not acknowledge, or does not wait for the disk.'],
  [
    'live',
    'live query',
    'Its result never leaves the thread it is watched on, or it stores relaxed; ours is on disk, strictly, before it is shown.',
  ],
  ['memory', 'memory', 'Page and worker each have a heap of their own.'],
  ['disk', 'disk', 'Pages and tables are both on disk until the browser compacts its files; indexes are stored keys.'],
]

export function lossLines({ plan, results }: Findings): string[] {
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
