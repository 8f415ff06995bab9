/**
 * What `npm test` runs: the build, the unit tests, the browser tests. Their output streams through; the
 * last line is the sum, `N passed, N failed`, and the exit code is 0 only if nothing failed.
 */
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'

const reports = { unit: 'test-results/unit.json', e2e: 'test-results/e2e.json' }
for (const report of Object.values(reports)) rmSync(report, { force: true })

let passed = 0
let failed = 0

const built = (await run('npm', ['run', 'build'])) === 0

const unit = await run('npx', [
  'vitest',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${reports.unit}`,
])
count(unit, reports.unit, (report) => [report.numPassedTests, report.numFailedTests])

if (built) {
  const e2e = await run('npx', ['playwright', 'test'])
  count(e2e, reports.e2e, ({ stats }) => [stats.expected + stats.flaky, stats.unexpected])
} else {
  console.error('The build failed, and with it every browser test.')
  failed += 1
}

console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

/** Adds a report's figures. A run that ends badly without naming a failed test (a crash, an error between tests) is one. */
function count(code, file, figures) {
  let [good, bad] = [0, 0]
  try {
    ;[good, bad] = figures(JSON.parse(readFileSync(file, 'utf8')))
  } catch (error) {
    console.error(`No report in ${file}: ${error.message}`)
    bad = 1
  }
  passed += good
  failed += bad === 0 && code !== 0 ? 1 : bad
}

function run(command, args) {
  console.log(`\n> ${command} ${args.join(' ')}`)
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: 'inherit', shell: process.platform === 'win32' })
    child.on('error', (error) => {
      console.error(error.message)
      resolve(1)
    })
    child.on('exit', (code) => resolve(code ?? 1))
  })
}
