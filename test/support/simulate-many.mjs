/**
 * Many schedules of the simulation: `node test/support/simulate-many.mjs 10000 [FROM]`, divided among processes, one for
 * each core, each short enough that what a thousand killed processes leave in memory does not matter. Prints the sums
 * in two lines, `simulation {...}` and `writes {...}`, and every violation with the line that replays it.
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'

const [total = 10_000, first = 0] = process.argv.slice(2).map(Number)
const PER_PROCESS = 250
const starts = Array.from({ length: Math.ceil(total / PER_PROCESS) }, (_, at) => first + at * PER_PROCESS)
const sums = { simulation: {}, writes: {} }
let failed = 0
const began = Date.now()

await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let from = starts.shift(); from !== undefined; from = starts.shift()) await run(from)
  }),
)
for (const [name, counts] of Object.entries(sums)) console.log(`${name} ${JSON.stringify(counts)}`)
console.log(`${(sums.simulation.schedules / ((Date.now() - began) / 1000)).toFixed(1)} schedules a second`)
process.exitCode = failed === 0 ? 0 : 1

/** @param {number} from */
function run(from) {
  const schedules = Math.min(PER_PROCESS, first + total - from)
  const child = spawn(
    'npx',
    ['vitest', 'run', 'test/simulation/simulation.test.ts', ...(from === first ? [] : ['-t', 'promises'])],
    {
      env: { ...process.env, SCHEDULES: String(schedules), FROM: String(from), NO_COLOR: '1' },
      shell: process.platform === 'win32',
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  return new Promise((resolve) => {
    child.on('exit', (code) => {
      for (const [, name, json] of output.matchAll(/^(simulation|writes) (\{.*\})$/gm))
        for (const [what, count] of Object.entries(JSON.parse(json))) sums[name][what] = (sums[name][what] ?? 0) + count
      if (code !== 0) {
        failed++
        console.log(output.match(/SEED=\d+ npm run simulate: .*/g)?.join('\n') ?? output)
      }
      console.log(`${from + 1} to ${from + schedules}: ${code === 0 ? 'passed' : 'FAILED'}`)
      resolve(undefined)
    })
  })
}
