/**
 * How much of the packaged worker is our own code (R41): built and minified as it ships, but with the packages left
 * out, then compressed as size-limit does it (gzip, level 9; 1 kB is 1,000 bytes). Fails above the budget, which
 * is what reading (25 kB) and writing take together (docs/architecture.md).
 */
import { gzipSync } from 'node:zlib'
import { build } from 'vite'

const BUDGET = 35_500

const [{ output }] = await build({
  configFile: 'vite.worker.config.ts',
  logLevel: 'error',
  build: { write: false, rolldownOptions: { external: [/^dexie/, /^comlink/, /^zod/] } },
})
const size = gzipSync(output[0].code, { level: 9 }).length
console.log(`our own code in the packaged worker, gzip: ${(size / 1000).toFixed(2)} kB of ${BUDGET / 1000} kB`)
if (size > BUDGET) process.exitCode = 1
