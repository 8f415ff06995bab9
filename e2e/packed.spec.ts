/**
 * The package as others get it (R40): packed, installed into a fresh Vite app, run from Vite's dev server and from its
 * build, with the packaged worker and with the app's own three-line worker file, against `tidegate serve`. The app's page
 * allows scripts and workers from its own origin only, and the service is on another origin (CORS-1).
 */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from '@playwright/test'
import { root, run, sample, serve, type Running } from './support/serve.ts'

const records = readFileSync(sample, 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line) as { type: string; data: { id: number } })
const contacts = records.filter(({ type }) => type === 'contact')
/** The app knows contacts only; the other types go to quarantine (R31). */
const unknown = records.length - contacts.length
const refused = contacts.filter(({ data }) => data.id % 10 === 0)

const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
const vite = join(root, 'node_modules/vite/bin/vite.js')
let app: string

test.beforeAll(() => {
  test.setTimeout(180_000)
  app = mkdtempSync(join(tmpdir(), 'tidegate-packed-'))
  const [packed] = JSON.parse(
    execFileSync(npm, ['pack', '--ignore-scripts', '--json', '--pack-destination', app], {
      cwd: root,
      encoding: 'utf8',
    }),
  ) as [{ filename: string }]
  cpSync(join(root, 'e2e/packed-app'), app, { recursive: true })
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts']
  execFileSync(npm, [...install, join(app, packed.filename)], { cwd: app, stdio: 'pipe' })
})

test.afterAll(() => rmSync(app, { recursive: true, force: true }))

test('the packed types suit a strict app (R40)', () => {
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [tsc, '-p', app], { stdio: 'pipe', encoding: 'utf8' })
})

for (const mode of ['dev', 'build'] as const) {
  test.describe(`a fresh Vite app, ${mode}`, () => {
    let page: Running
    let service: Running

    test.beforeAll(async () => {
      test.setTimeout(120_000)
      const port = String(await freePort())
      if (mode === 'build') execFileSync(process.execPath, [vite, 'build'], { cwd: app, stdio: 'pipe' })
      const command = mode === 'dev' ? [] : ['preview']
      page = await run(process.execPath, [vite, ...command, '--host', '127.0.0.1', '--port', port, '--strictPort'], app)
      service = await serve('--store', 'memory', '--import', sample, '--token', 'packed', '--origin', page.url)
    })

    test.afterAll(async () => {
      await page?.stop()
      await service?.stop()
    })

    for (const worker of ['packaged', 'own'] as const) {
      test(`syncs with the ${worker} worker (R40, CORS-1)`, async ({ page: tab }) => {
        const problems: string[] = []
        tab.on('pageerror', (error) => problems.push(error.message))
        tab.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
        await tab.goto(`${page.url}/?worker=${worker}&endpoint=${encodeURIComponent(service.url)}`)

        const dropped = worker === 'own' ? refused.length : 0
        await expect(tab.locator('#rows')).toHaveText(String(contacts.length - dropped), { timeout: 20_000 })
        await expect(tab.locator('#refused')).toHaveText(String(unknown + dropped))
        await expect(tab.locator('#phase')).toHaveText(/settling|idle/)
        expect(problems).toEqual([])
      })
    }
  })
}

/** A port nobody listens on now; the service must know the page's origin before it starts. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
