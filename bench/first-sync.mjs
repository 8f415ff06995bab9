/**
 * The main job, timed: the demo server on a fresh PGlite folder, a browser with a fresh profile, all 135,233 places.
 * `npm run build && node bench/first-sync.mjs` prints milliseconds from the navigation, and the same after a reload
 * without network. Figures differ from machine to machine; they are for the README, not for a test.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium } from 'playwright'
import { createServer } from 'vite'

const PLACES = 135_233
const folder = mkdtempSync(join(tmpdir(), 'tidegate-first-'))
// The browser finder is TypeScript; Vite is here anyway.
const vite = await createServer({ server: { middlewareMode: true }, appType: 'custom', logLevel: 'silent' })
const { findBrowser } = await vite.ssrLoadModule('/test/support/browser.ts')
await vite.close()

const started = performance.now()
const server = spawn(process.execPath, ['demo/serve.mjs', '--port', '0', '--store', `pglite:${join(folder, 'data')}`], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
const url = await new Promise((resolve) => {
  createInterface({ input: server.stdout }).on('line', (line) => {
    const found = /http:\/\/\S+/.exec(line)?.[0]
    if (found !== undefined) resolve(found)
  })
})
console.log(`server up, ${PLACES} places imported: ${Math.round(performance.now() - started)} ms`)

const { executablePath, args, env } = findBrowser()
const context = await chromium.launchPersistentContext(join(folder, 'profile'), {
  executablePath,
  args,
  env,
  viewport: { width: 1440, height: 900 },
})
try {
  const page = context.pages()[0] ?? (await context.newPage())
  await page.goto(url)
  const figures = await page.evaluate(async (places) => {
    const marks = {}
    const mark = (name) => (marks[name] ??= Math.round(performance.now()))
    const points = sync.city.select('lon', 'lat').columns()
    await new Promise((resolve) => {
      const look = () => {
        const { size } = points.getSnapshot()
        if (size > 0) mark('first points')
        if (size >= places) {
          mark('all queryable')
          resolve()
        }
      }
      points.subscribe(look)
      look()
    })
    await new Promise((resolve) => {
      const look = () => {
        const status = sync.status.getSnapshot()
        if (status.pendingAcks === 0 && status.lastSyncedAt !== null) mark('all acknowledged')
        if (status.lastSyncedAt !== null && status.inbox.pages === 0) {
          mark('settled')
          resolve()
        }
      }
      sync.status.subscribe(look)
      look()
    })
    return marks
  }, PLACES)
  for (const [name, ms] of Object.entries(figures)) console.log(`${name}: ${ms} ms`)

  await context.setOffline(true)
  await page.reload()
  const again = await page.evaluate(async (places) => {
    await sync.ready
    while ((await sync.city.where({}).count()) < places) await new Promise((resolve) => setTimeout(resolve, 20))
    return Math.round(performance.now())
  }, PLACES)
  console.log(`reload without network, all ${PLACES} there: ${again} ms`)
} finally {
  await context.close()
  server.kill('SIGTERM')
  await new Promise((resolve) => server.once('exit', resolve))
  rmSync(folder, { recursive: true, force: true })
}
