/** The promises about speed, each with its figure of this run: pass, miss, or not measured. */
import type { Findings } from './findings.ts'
import { ms, ratio, table } from './format.ts'
import type { Block } from './plan.ts'
import { figuresOf, pairedRatio, type Side } from './stats.ts'

interface Line {
  readonly block: Block | undefined
  readonly what: string
  /** Null: not measured in this run. */
  readonly value: number | null
  readonly limit: number
  /** Records from which on the budget is meant; fewer are told, but prove little. */
  readonly from?: number
  /** In place of the bare ratio. */
  readonly shown?: string
}

const OURS = 'tidegate'
/** What the budgets of whole syncs were set for. */
const LARGE = 50_000

export function budgetLines(findings: Findings): string[] {
  return [
    section(
      'First sync',
      'Durable (committed strictly), acknowledged and queryable; floor A only fetches and parses.',
      firstSync(findings),
    ),
    section(
      'Until settled',
      'From the first request until every record is in its indexed table, the two quiet seconds before settling begins included.',
      settled(findings),
    ),
    section('Latency', 'Both are compared with floor A with one GET at a time.', slow(findings)),
    section(
      'Changes and reopening',
      'Cold reopen: a second browser process, from before the code is loaded until the answer is there.',
      changes(findings),
    ),
    section(
      'Questions',
      'Ours is timed on the page, with the way to the worker and back. "Raw" is floor D timed where it runs, without that way; "from the page" is floor D with it.',
      questions(findings),
    ),
    section('While busy', 'Get, indexed query and sorted page, asked in turn.', busy(findings)),
    section(
      'Local writes',
      'From the call on the page until the edit is durable, beside one record put by the page into IndexedDB itself, strictly too. Busy ones are compared with idle ones.',
      writes(findings),
    ),
    section(
      'Live queries',
      'One record changes at the server while 200 queries are open and one of them shows it, against that one query alone.',
      live(findings),
    ),
    section(
      'The page and memory',
      "Long tasks on the page's thread during the first sync; memory of the worker once everything is settled.",
      memory(findings),
    ),
  ].flat()
}

function section(title: string, text: string, lines: readonly Line[]): string[] {
  const rows = lines.map(({ block, what, value, limit, from = 0, shown }) => {
    const size = block === undefined ? '' : `${block.size.toLocaleString('en')}: `
    const small = block !== undefined && block.size < from ? ` (meant for ${from.toLocaleString('en')} and more)` : ''
    const verdict = value === null ? 'not measured' : `${value <= limit ? 'pass' : '**miss**'}${small}`
    return [`${size}${what}`, shown ?? ratio(value), `≤ ${limit}`, verdict]
  })
  return rows.length === 0 ? [] : [`### ${title}`, text, table(['', 'figure', 'budget', ''], rows)]
}

/** The blocks of this call by what they are for. */
function blocksOf({ plan }: Findings) {
  const full = plan.blocks.filter(({ kind }) => kind === 'full')
  const sync = plan.blocks.filter(({ kind }) => kind === 'sync')
  const bySize = [...full].sort((a, b) => a.size - b.size)
  return {
    full,
    smallest: bySize[0],
    largest: bySize.at(-1),
    pages: sync.filter(({ page }) => page !== full[0]?.page),
    slow: sync.filter(({ latency }) => latency !== full[0]?.latency),
    unsettled: plan.blocks.find(({ kind }) => kind === 'unsettled'),
    load: plan.blocks.find(({ kind }) => kind === 'load'),
    writes: plan.blocks.find(({ kind }) => kind === 'writes'),
  }
}

const side = (block: Block | undefined, contestant: string, figure: string): Side => ({
  block: block?.key ?? '',
  contestant,
  figure,
})

/** Our figure over that of another contestant, or over another figure of it. */
function over(
  { results }: Findings,
  block: Block | undefined,
  figure: string,
  other: string,
  otherFigure = figure,
  ours = OURS,
): number | null {
  return pairedRatio(results, side(block, ours, figure), side(block, other, otherFigure))
}

function firstSync(findings: Findings): Line[] {
  const { full, pages, smallest, largest } = blocksOf(findings)
  const [small, large] = [over(findings, smallest, 'sync', 'floor-a'), over(findings, largest, 'sync', 'floor-a')]
  const growth = small === null || large === null ? null : large / small
  return [
    ...full.flatMap((block) => {
      const libraries = block.entries
        .filter((entry) => entry.package !== null)
        .map(({ name }) => ({ name, value: over(findings, block, 'sync', name) }))
        .sort((a, b) => (b.value ?? 0) - (a.value ?? 0))
      const { name = 'none', value = null } = libraries[0] ?? {}
      return [
        { block, what: 'against floor A', value: over(findings, block, 'sync', 'floor-a'), limit: 1.5, from: LARGE },
        { block, what: 'against Dexie', value: over(findings, block, 'sync', 'dexie'), limit: 0.33, from: LARGE },
        { block, what: 'against RxDB', value: over(findings, block, 'sync', 'rxdb'), limit: 0.2, from: LARGE },
        { block, what: `against the fastest library (${name})`, value, limit: 1, from: LARGE },
      ]
    }),
    ...pages.map((block) => ({
      block,
      what: `against floor A, ${block.page.toLocaleString('en')} a page`,
      value: over(findings, block, 'sync', 'floor-a'),
      limit: 2,
      from: LARGE,
    })),
    ...(smallest === largest
      ? []
      : [
          {
            block: largest,
            what: `growth of the ratio to floor A since ${smallest?.size.toLocaleString('en') ?? ''}`,
            value: growth,
            limit: 1.15,
            from: 100_000,
          },
        ]),
  ]
}

function settled(findings: Findings): Line[] {
  return blocksOf(findings).full.flatMap((block) => [
    {
      block,
      what: 'time / sync of floor D',
      value: over(findings, block, 'settled', 'floor-d', 'sync'),
      limit: 1.5,
      from: LARGE,
    },
    {
      block,
      what: 'CPU / sync of Dexie',
      value: over(findings, block, 'cpuSettled', 'dexie', 'cpuSync'),
      limit: 1.5,
      from: LARGE,
    },
  ])
}

function slow(findings: Findings): Line[] {
  return blocksOf(findings).slow.flatMap((block) => [
    {
      block,
      what: `${block.latency} ms, one GET at a time / floor A`,
      value: over(findings, block, 'sync', 'floor-a'),
      limit: 1.05,
      from: 10_000,
    },
    {
      block,
      what: `${block.latency} ms, four GETs at a time / floor A`,
      value: over(findings, block, 'sync', 'floor-a', 'sync', 'tidegate-4'),
      limit: 0.4,
      from: 10_000,
    },
  ])
}

function changes(findings: Findings): Line[] {
  const { full, largest, unsettled } = blocksOf(findings)
  const reopened = (figure: string): number | null =>
    pairedRatio(findings.results, side(unsettled, OURS, figure), side(largest, 'floor-c', figure))
  return [
    ...full.flatMap((block) => [
      {
        block,
        what: '1,000 changed records / Dexie',
        value: over(findings, block, 'changed', 'dexie'),
        limit: 0.4,
        from: 100_000,
      },
      {
        block,
        what: 'cold reopen, settled, to the first indexed query / Dexie',
        value: over(findings, block, 'coldQuery', 'dexie'),
        limit: 1.5,
      },
    ]),
    {
      block: unsettled,
      what: 'cold reopen, all unsettled, to the first record / floor C',
      value: reopened('coldRow'),
      limit: 1,
      from: 100_000,
    },
    {
      block: unsettled,
      what: 'the same to the first indexed query',
      value: reopened('coldQuery'),
      limit: 1,
      from: 100_000,
    },
  ]
}

function questions(findings: Findings): Line[] {
  return blocksOf(findings).full.flatMap((block) => [
    { block, what: 'warm get / raw', value: over(findings, block, 'getWarm', 'floor-d', 'getInside'), limit: 1.5 },
    { block, what: 'warm get / from the page', value: over(findings, block, 'getWarm', 'floor-d'), limit: 1.5 },
    {
      block,
      what: 'warm indexed query / raw',
      value: over(findings, block, 'groupWarm', 'floor-d', 'groupInside'),
      limit: 1.5,
    },
    {
      block,
      what: 'warm indexed query / from the page',
      value: over(findings, block, 'groupWarm', 'floor-d'),
      limit: 1.5,
    },
    {
      block,
      what: 'scan / `getAll` from the page',
      value: over(findings, block, 'scanWarm', 'floor-d'),
      limit: 1.2,
      from: 100_000,
    },
  ])
}

function busy(findings: Findings): Line[] {
  const { load: block } = blocksOf(findings)
  const p95 = (when: string): number | null => figuresOf(findings.results, block?.key ?? '').median(OURS, `${when}P95`)
  return ['draining', 'settling'].flatMap((when) => {
    const value = over(findings, block, `${when}P95`, OURS, 'idleP95')
    const figure = p95(when)
    return [
      {
        block,
        what: `p95 while ${when} / idle`,
        value,
        limit: 10,
        shown: `${ratio(value)} (${ms(figure)} / ${ms(p95('idle'))} ms)`,
      },
      { block, what: `p95 while ${when}, ms`, value: figure, limit: 30, shown: ms(figure) },
    ]
  })
}

function writes(findings: Findings): Line[] {
  const { writes: block } = blocksOf(findings)
  const figures = figuresOf(findings.results, block?.key ?? '')
  const figure = (name: string): number | null => figures.median(OURS, name)
  const against = (what: string, ours: string, other: string, limit: number): Line => {
    const value = over(findings, block, ours, OURS, other)
    return { block, what, value, limit, shown: `${ratio(value)} (${ms(figure(ours))} / ${ms(figure(other))} ms)` }
  }
  const seen = figure('writeSeen')
  return [
    against('idle, median / raw strict put', 'idleWrite', 'idleRaw', 2),
    against('p95 while settling / idle', 'settlingWriteP95', 'idleWriteP95', 10),
    against('p95 while draining / idle', 'drainingWriteP95', 'idleWriteP95', 10),
    { block, what: 'seen by a live query of the same tab, ms', value: seen, limit: 16, shown: ms(seen) },
  ]
}

function live(findings: Findings): Line[] {
  const { load: block } = blocksOf(findings)
  const figures = figuresOf(findings.results, block?.key ?? '')
  const line = (what: string, suffix: string): Line => {
    const value = over(findings, block, `liveMany${suffix}`, OURS, `liveOne${suffix}`)
    const shown = `${ratio(value)} (${ms(figures.median(OURS, `liveMany${suffix}`))} / ${ms(figures.median(OURS, `liveOne${suffix}`))} ms)`
    return { block, what, value, limit: 2, shown, from: 100_000 }
  }
  return [line("from the server's answer to the callback", ''), line('CPU of the browser for each change', 'Cpu')]
}

function memory(findings: Findings): Line[] {
  const { full, largest, smallest } = blocksOf(findings)
  const grown = (figure: string): number | null =>
    pairedRatio(findings.results, side(largest, OURS, figure), side(smallest, OURS, figure))
  return [
    ...full.flatMap((block) => {
      const figures = figuresOf(findings.results, block.key)
      const [tasks, gap] = [figures.median(OURS, 'longTasks'), figures.median(OURS, 'gap')]
      return [
        { block, what: 'long tasks', value: tasks, limit: 0, shown: ms(tasks) },
        { block, what: 'a timer of 10 ms late by, ms', value: gap, limit: 20, shown: ms(gap) },
      ]
    }),
    ...(smallest === largest
      ? []
      : [
          {
            block: largest,
            what: `heap of the worker / with ${smallest?.size.toLocaleString('en') ?? ''}`,
            value: grown('heapWorkers'),
            limit: 1.2,
            from: 100_000,
          },
          {
            block: largest,
            what: "the same with the browser's own objects in it",
            value: grown('memoryWorkers'),
            limit: 1.2,
            from: 100_000,
          },
        ]),
  ]
}
