/**
 * `npm run bench`: installs the peers once, then runs `main.ts`. Also the way to run any other module of this folder
 * in a process of its own: `node bench/run.mjs --module server.ts '{"size":1000}'` calls its `main` with that value.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const folder = dirname(fileURLToPath(import.meta.url))
const [flag, file = 'main.ts', argument = 'null'] = process.argv.slice(2)
const other = flag === '--module'

if (!other && !existsSync(join(folder, 'node_modules'))) {
  console.log('Installing the libraries to compare with (once) ...')
  const install = ['ci', '--prefix', folder, '--ignore-scripts', '--loglevel=error']
  const { status } = spawnSync('npm', install, { stdio: 'inherit', shell: process.platform === 'win32' })
  if (status !== 0) process.exit(status ?? 1)
}

const { module } = await runnerImport(join(folder, other ? file : 'main.ts'), { configFile: false, logLevel: 'error' })
await module.main(other ? JSON.parse(argument) : process.argv.slice(2))
