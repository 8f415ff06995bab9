/** Packs what `npm publish` would send and lets publint and attw judge it: entries, types, files. Needs a build. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const shell = process.platform === 'win32'
const folder = mkdtempSync(join(tmpdir(), 'tidegate-pack-'))
try {
  const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const [{ filename, size, files }] = JSON.parse(execFileSync('npm', pack, { encoding: 'utf8', shell }))
  console.log(`${filename}: ${files.length} files, ${(size / 1000).toFixed(0)} kB`)
  const checks = [
    ['publint', 'run', join(folder, filename), '--strict'],
    ['attw', join(folder, filename), '--profile', 'esm-only'],
  ]
  for (const check of checks) {
    if (spawnSync('npx', check, { stdio: 'inherit', shell }).status !== 0) process.exitCode = 1
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
