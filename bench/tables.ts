/** The tables of a block: one line for each contestant, medians of the repetitions. */
import { megabytes, ms, percent, ratio, table } from './format.ts'
import type { Block } from './plan.ts'
import type { Findings } from './findings.ts'
import { figuresOf, pairedRatio, spread, type Figures } from './stats.ts'

/** What everybody is compared with. */
const BASES = ['floor-a', 'floor-c', 'floor-d', 'dexie', 'rxdb'] as const

type Cell = (contestant: string) => string

export function fullTables(findings: Findings, block: Block): string[] {
  const figures = figuresOf(findings.results, block.key)
  const value =
    (figure: string): Cell =>
    (name) =>
      ms(figures.median(name, figure))
  const pair =
    (a: string, b: string): Cell =>
    (name) =>
      `${ms(figures.median(name, a))} / ${ms(figures.median(name, b))}`
  const size =
    (figure: string): Cell =>
    (name) =>
      megabytes(figures.median(name, figure))
  return [
    'First sync. Times in ms, CPU of all processes of the browser. `until settled`: until Tidegate has moved everything into its tables, which it does in idle time.',
    syncTable(findings, block),
    'Questions from the page, first time / warm median, in ms: one record by id, 50 records of one owner, the first 50 by name, all matches of a condition without an index. `inside`: the warm get and query timed in the worker itself. Cold: a new browser process until its first record, and then its first 50 records of an owner, loading of the code included.',
    grid(block, {
      'cold open': value('coldOpen'),
      'cold record / query': pair('coldRow', 'coldQuery'),
      get: pair('getFirst', 'getWarm'),
      query: pair('groupFirst', 'groupWarm'),
      sorted: pair('sortFirst', 'sortWarm'),
      scan: pair('scanFirst', 'scanWarm'),
      'inside get / query / scan': (name) => `${pair('getInside', 'groupInside')(name)} / ${value('scanInside')(name)}`,
      '1,000 changed': value('changed'),
      'live query': value('live'),
    }),
    "The page's thread during the first sync, memory of page and workers afterwards, after a garbage collection (objects and buffers; Tidegate: settled), storage on disk.",
    grid(block, {
      'long tasks': value('longTasks'),
      'ms in all': value('longTotal'),
      longest: value('longest'),
      'timer late by': value('gap'),
      'memory MB': size('memory'),
      'of it workers': size('memoryWorkers'),
      'disk MB': size('disk'),
    }),
  ]
}

export function syncTable({ results }: Findings, block: Block): string {
  const figures = figuresOf(results, block.key)
  const side = (contestant: string, figure = 'sync') => ({ block: block.key, contestant, figure })
  const bases = BASES.filter((base) => figures.median(base, 'sync') !== null)
  const settles = block.entries.some(({ name }) => figures.median(name, 'settled') !== null)
  return grid(block, {
    open: (name) => ms(figures.median(name, 'open')),
    'first sync': (name) => ms(figures.median(name, 'sync')),
    spread: (name) => percent(spread(figures.of(name, 'sync'))),
    ...Object.fromEntries(
      bases.map((base) => [`x ${base}`, (name: string) => ratio(pairedRatio(results, side(name), side(base)))]),
    ),
    'records/s': (name) => rate(block, figures, name),
    CPU: (name) => ms(figures.median(name, 'cpuSync')),
    ...(settles && {
      'until settled': (name: string) => ms(figures.median(name, 'settled')),
      'CPU until settled': (name: string) => ms(figures.median(name, 'cpuSettled')),
    }),
  })
}

function rate({ size }: Block, figures: Figures, name: string): string {
  const sync = figures.median(name, 'sync')
  return sync === null ? '–' : `${((size / sync) * 1_000).toFixed(0)}`
}

function grid({ entries }: Block, columns: Readonly<Record<string, Cell>>): string {
  return table(
    ['', ...Object.keys(columns)],
    entries.map(({ name }) => [name, ...Object.values(columns).map((cell) => cell(name))]),
  )
}
