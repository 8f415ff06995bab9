/** The promises about speed, each with its figure of this run: pass, miss, or not measured. */
import { ms, ratio, table } from './format.ts'
import type { Block } from './plan.ts'
import type { Findings } from './findings.ts'
import { figuresOf, pairedRatio, type Side } from './stats.ts'

interface Line {
  readonly what: string
  /** Null: not measured in this run. */
  readonly value: number | null
  readonly limit: number
  readonly shown?: string
}

const OURS = 'tidegate'

export function budgetLines(findings: Findings): string[] {
  return [
    ...section(
      'First sync',
      firstSync(findings),
      'Durable (committed strictly), acknowledged and queryable, against floor A, which only fetches and parses.',
    ),
    ...section(
      'Until settled',
      settled(findings),
      'The second copy into indexed tables costs CPU in idle time; here it is counted in full.',
    ),
    ...section(
      'Latency',
      latency(findings),
      'With 50 ms for every answer round trips are all that counts. Both are compared with floor A with one GET at a time.',
    ),
    ...section(
      'Changes and reopening',
      changes(findings),
      'Cold reopen: a second browser process, from before the code is loaded until 50 records of an indexed query are there.',
    ),
    ...section(
      'Questions',
      questions(findings),
      'Ours is timed on the page, with the way to the worker and back; raw IndexedDB (floor D) where it runs, without that way.',
    ),
    ...section(
      'While busy',
      busy(findings),
      'p95 of get, indexed query and sorted page, asked in turn. Local writes are not part of this version.',
    ),
    ...section(
      'Live queries',
      live(findings),
      'One record changes at the server; 200 queries are open, one of them shows it. Compared with that one query alone.',
    ),
    ...section(
      'The page and memory',
      memory(findings),
      "Long tasks on the page's thread during the first sync; memory of the worker once everything is settled.",
    ),
  ]
}

function section(title: string, lines: readonly Line[], text: string): string[] {
  const rows = lines.map(({ what, value, limit, shown }) => [
    what,
    shown ?? ratio(value),
    `≤ ${limit}`,
    value === null ? 'not measured' : value <= limit ? 'pass' : '**miss**',
  ])
  return [`### ${title}`, text, table(['', 'figure', 'budget', ''], rows)]
}

/** Blocks of this run, found by what they are; all with the first page size unless said. */
function blocksOf({ plan }: Findings) {
  const full = plan.blocks.filter(({ kind }) => kind === 'full')
  const page = full[0]?.page ?? 0
  const latency = full[0]?.latency ?? 0
  return {
    full,
    largest: full.reduce<Block | undefined>((a, b) => (a === undefined || b.size > a.size ? b : a), undefined),
    smallest: full.reduce<Block | undefined>((a, b) => (a === undefined || b.size < a.size ? b : a), undefined),
    pages: plan.blocks.filter((block) => block.kind === 'sync' && block.page !== page),
    slow: plan.blocks.filter((block) => block.kind === 'sync' && block.latency !== latency),
    unsettled: plan.blocks.find(({ kind }) => kind === 'unsettled'),
    load: plan.blocks.find(({ kind }) => kind === 'load'),
  }
}

const side = (block: Block | undefined, contestant: string, figure: string): Side => ({
  block: block?.key ?? '',
  contestant,
  figure,
})

function against(
  findings: Findings,
  block: Block | undefined,
  figure: string,
  contestant: string,
  other = figure,
  ours = OURS,
): number | null {
  return pairedRatio(findings.results, side(block, ours, figure), side(block, contestant, other))
}

const sizeOf = (block: Block | undefined): string => block?.size.toLocaleString('en') ?? 'the largest size'

function firstSync(findings: Findings): Line[] {
  const { full, pages, smallest, largest } = blocksOf(findings)
  const lines: Line[] = []
  for (const block of full) {
    const name = `${sizeOf(block)}, page ${block.page}`
    lines.push({ what: `${name}: / floor A`, value: against(findings, block, 'sync', 'floor-a'), limit: 1.5 })
    lines.push({ what: `${name}: / Dexie`, value: against(findings, block, 'sync', 'dexie'), limit: 0.33 })
    lines.push({ what: `${name}: / RxDB`, value: against(findings, block, 'sync', 'rxdb'), limit: 0.2 })
    const peers = block.entries.filter(({ name, package: peer }) => peer !== null && name !== OURS)
    const best = peers
      .map(({ name }) => ({ name, value: against(findings, block, 'sync', name) }))
      .filter((one) => one.value !== null)
    const nearest = best.sort((a, b) => (b.value ?? 0) - (a.value ?? 0))[0]
    lines.push({
      what: `${name}: / fastest library${nearest === undefined ? '' : ` (${nearest.name})`}`,
      value: nearest?.value ?? null,
      limit: 1,
    })
  }
  for (const block of pages)
    lines.push({
      what: `${sizeOf(block)}, page ${block.page}: / floor A`,
      value: against(findings, block, 'sync', 'floor-a'),
      limit: 2,
    })
  const [small, large] = [against(findings, smallest, 'sync', 'floor-a'), against(findings, largest, 'sync', 'floor-a')]
  const growth = small === null || large === null || smallest === largest ? null : large / small
  lines.push({ what: `the ratio to floor A, ${sizeOf(largest)} / ${sizeOf(smallest)}`, value: growth, limit: 1.15 })
  return lines
}

function settled(findings: Findings): Line[] {
  return blocksOf(findings).full.flatMap((block) => [
    {
      what: `${sizeOf(block)}: until settled / floor D`,
      value: against(findings, block, 'settled', 'floor-d', 'sync'),
      limit: 1.5,
    },
    {
      what: `${sizeOf(block)}: CPU until settled / Dexie's CPU`,
      value: against(findings, block, 'cpuSettled', 'dexie', 'cpuSync'),
      limit: 1.5,
    },
  ])
}

function latency(findings: Findings): Line[] {
  return blocksOf(findings).slow.flatMap((block) => [
    {
      what: `${sizeOf(block)}, ${block.latency} ms: one GET at a time / floor A`,
      value: against(findings, block, 'sync', 'floor-a'),
      limit: 1.05,
    },
    {
      what: `${sizeOf(block)}, ${block.latency} ms: four GETs at a time / floor A`,
      value: against(findings, block, 'sync', 'floor-a', 'sync', 'tidegate-4'),
      limit: 0.4,
    },
  ])
}

function changes(findings: Findings): Line[] {
  const { full, largest, unsettled } = blocksOf(findings)
  const reopened = (figure: string): number | null =>
    pairedRatio(findings.results, side(unsettled, OURS, figure), side(largest, 'floor-c', figure))
  return [
    ...full.map((block) => ({
      what: `1,000 changed among ${sizeOf(block)} / Dexie`,
      value: against(findings, block, 'changed', 'dexie'),
      limit: 0.4,
    })),
    ...full.map((block) => ({
      what: `cold reopen with ${sizeOf(block)} settled / Dexie`,
      value: against(findings, block, 'coldQuery', 'dexie'),
      limit: 1.5,
    })),
    {
      what: `cold reopen with ${sizeOf(unsettled)} unsettled, first record / floor C`,
      value: reopened('coldRow'),
      limit: 1,
    },
    { what: `the same, first indexed query / floor C`, value: reopened('coldQuery'), limit: 1 },
  ]
}

function questions(findings: Findings): Line[] {
  return blocksOf(findings).full.flatMap((block) => [
    {
      what: `${sizeOf(block)}: warm get / raw`,
      value: against(findings, block, 'getWarm', 'floor-d', 'getInside'),
      limit: 1.5,
    },
    {
      what: `${sizeOf(block)}: warm indexed query / raw`,
      value: against(findings, block, 'groupWarm', 'floor-d', 'groupInside'),
      limit: 1.5,
    },
    {
      what: `${sizeOf(block)}: warm get / floor D from the page`,
      value: against(findings, block, 'getWarm', 'floor-d'),
      limit: 1.5,
    },
    {
      what: `${sizeOf(block)}: warm indexed query / floor D from the page`,
      value: against(findings, block, 'groupWarm', 'floor-d'),
      limit: 1.5,
    },
    {
      what: `${sizeOf(block)}: scan / floor D (raw \`getAll\`) from the page`,
      value: against(findings, block, 'scanWarm', 'floor-d'),
      limit: 1.2,
    },
  ])
}

function busy(findings: Findings): Line[] {
  const { load } = blocksOf(findings)
  const figures = figuresOf(findings.results, load?.key ?? '')
  return ['draining', 'settling'].map((when) => {
    const value = pairedRatio(findings.results, side(load, OURS, `${when}P95`), side(load, OURS, 'idleP95'))
    const shown = `${ratio(value)} (${ms(figures.median(OURS, `${when}P95`))} ms; idle ${ms(figures.median(OURS, 'idleP95'))} ms)`
    return { what: `${sizeOf(load)}: p95 while ${when} / idle`, value, limit: 10, shown }
  })
}

function live(findings: Findings): Line[] {
  const { load } = blocksOf(findings)
  const figures = figuresOf(findings.results, load?.key ?? '')
  const line = (what: string, suffix: string, unit: string): Line => {
    const value = pairedRatio(
      findings.results,
      side(load, OURS, `liveMany${suffix}`),
      side(load, OURS, `liveOne${suffix}`),
    )
    const shown = `${ratio(value)} (${ms(figures.median(OURS, `liveMany${suffix}`))} / ${ms(figures.median(OURS, `liveOne${suffix}`))} ${unit})`
    return { what: `${sizeOf(load)}: ${what}`, value, limit: 2, shown }
  }
  return [line('arrival to callback', '', 'ms'), line('CPU of the browser for each change', 'Cpu', 'ms')]
}

function memory(findings: Findings): Line[] {
  const { largest, smallest } = blocksOf(findings)
  const figures = figuresOf(findings.results, largest?.key ?? '')
  const tasks = figures.median(OURS, 'longTasks')
  const grown =
    largest === smallest
      ? null
      : pairedRatio(findings.results, side(largest, OURS, 'memoryWorkers'), side(smallest, OURS, 'memoryWorkers'))
  const gap = figures.median(OURS, 'gap')
  return [
    { what: `${sizeOf(largest)}: long tasks`, value: tasks, limit: 0, shown: ms(tasks) },
    { what: `${sizeOf(largest)}: a timer of 10 ms late by, ms`, value: gap, limit: 20, shown: ms(gap) },
    { what: `worker's memory, ${sizeOf(largest)} / ${sizeOf(smallest)}`, value: grown, limit: 1.2 },
  ]
}
