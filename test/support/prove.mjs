/**
 * `npm run prove [-- SCHEDULES [KILLS [all|some]]]`: the full counts, by hand before an issue closes (R42). Runs the simulation with
 * many schedules, the hunt for planted bugs, all crash points, byte cuts and hostile answers, all tests with many browser
 * kills, and the size check, and writes what
 * came out, with the commit, to `docs/proof/`.
 */
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { arch, cpus, platform } from 'node:os'

const [schedules = '10000', kills = '50', scenarios = 'all'] = process.argv.slice(2)
const git = (...args) => execFileSync('git', args, { encoding: 'utf8' }).trim()
const commit = git('rev-parse', '--short', 'HEAD')
if (git('status', '--porcelain') !== '') console.warn('The work tree has changes; the proof says so.')

const steps = [
  {
    name: `Simulation, ${schedules} schedules`,
    command: ['node', 'test/support/simulate-many.mjs', schedules],
    shows: /^(simulation|writes) |schedules a second|SEED=/,
  },
  {
    name: 'Planted bugs, each looked for in at most 2,000 schedules',
    command: ['npm', 'run', 'planted'],
    shows: /^(\||planted:)/,
  },
  {
    name: `Crash points, byte cuts, hostile answers: ${scenarios}`,
    command: ['npx', 'vitest', 'run', 'test/scenarios'],
    env: scenarios === 'all' ? { FULL: '1' } : {},
    shows: /^(crash points|bytes cut|hostile cases)|Tests .*(passed|failed)/,
  },
  {
    name: `All tests, ${kills} browser kills`,
    command: ['npm', 'test'],
    env: { KILLS: kills, WRITE_KILLS: kills },
    shows: /^kills |^\d+ passed, \d+ failed$/,
  },
  { name: 'Sizes', command: ['npm', 'run', 'size'], shows: /gzip|Size:|Size limit:/ },
]

const report = [
  `# Proof of ${commit}${git('status', '--porcelain') === '' ? '' : ' with local changes'}`,
  '',
  `${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${platform()} ${arch()}, ${cpus().length} cores`,
]
let failed = false
for (const { name, command, env = {}, shows } of steps) {
  const { code, seconds, lines } = await run(command, env)
  failed ||= code !== 0
  report.push('', `## ${name}: ${code === 0 ? 'passed' : 'FAILED'}, ${seconds} s`, '', '```')
  report.push(...lines.filter((line) => shows.test(line)).map((line) => line.trim()), '```')
  // After each step, so that a proof that is cut short is not lost.
  mkdirSync('docs/proof', { recursive: true })
  writeFileSync(`docs/proof/${commit}.md`, report.join('\n') + '\n')
}
console.log(`\nWritten to docs/proof/${commit}.md`)
process.exitCode = failed ? 1 : 0

function run([program, ...args], extra) {
  const started = Date.now()
  const env = { ...process.env, ...extra, NO_COLOR: '1' }
  const child = spawn(program, args, {
    env,
    shell: process.platform === 'win32',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    process.stdout.write(chunk)
    output += chunk
  })
  return new Promise((resolve) => {
    child.on('exit', (code) =>
      resolve({ code, seconds: Math.round((Date.now() - started) / 1000), lines: output.split('\n') }),
    )
  })
}
