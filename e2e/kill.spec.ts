/**
 * The browser killed in the middle of a sync, again and again on one profile. An ack is a deletion order:
 * what the server was told this device holds must be there after every kill (promise 1, F22, DEV-5).
 * `KILLS=n` sets how many; the full count is run by `npm run prove`.
 */
import { createServer } from 'node:http'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { expect, test, type Page } from '@playwright/test'
import { createApp } from '../demo/server/app.mjs'
import { listen } from '../demo/server/listen.mjs'
import { importPlaces, readPlaces } from '../demo/server/places.mjs'
import type { schema } from '../demo/schema.ts'
import type { Sync } from '../src/index.ts'
import * as service from '../src/service/index.ts'
import { root } from './support/serve.ts'
import { launchKillable, type KillableBrowser } from './support/killable.ts'

declare const sync: Sync<(typeof schema)['collections']>

const KILLS = Number(process.env['KILLS'] ?? 10)
const PLACES = 20_000

/** A store that remembers which records each device has acknowledged, and how often each was handed out. */
function watched(store: service.SyncStore): {
  store: service.SyncStore
  ackedBy: Map<string, Set<string>>
  handedOut: Map<string, number>
} {
  const idByKey = new Map<string, string>()
  const ackedBy = new Map<string, Set<string>>()
  const handedOut = new Map<string, number>()
  return {
    ackedBy,
    handedOut,
    store: {
      ...store,
      async takePage(device, ...rest) {
        const page = await store.takePage(device, ...rest)
        if (page.kind === 'page')
          for (const { ackKey, id } of page.items) {
            idByKey.set(ackKey, id)
            handedOut.set(id, (handedOut.get(id) ?? 0) + 1)
          }
        return page
      },
      async acceptAcks(device, keys) {
        await store.acceptAcks(device, keys)
        const acked = ackedBy.get(device.device) ?? new Set()
        ackedBy.set(device.device, acked)
        for (const key of keys) acked.add(idByKey.get(key) ?? `unknown key ${key}`)
      },
    },
  }
}

test(`promise 1, F22: ${KILLS} SIGKILLs in mid-sync, nothing acknowledged is missing`, async () => {
  test.setTimeout(60_000 + KILLS * 20_000)
  const { store, ackedBy, handedOut } = watched(service.createMemoryStore())
  const places = readPlaces(PLACES)
  await importPlaces(store, places)
  let frozen = false
  const options = { dev: false, store: 'memory', port: 0, limit: PLACES, pageSize: 100, ackDelayMs: 0 }
  const app = createApp({ service, store, places, options, site: join(root, 'dist-demo') })
  const answer = getRequestListener((request) =>
    frozen && new URL(request.url).pathname.startsWith('/v2/')
      ? new Response(null, { status: 503 })
      : app.fetch(request),
  )
  const server = createServer((request, response) => void answer(request, response))
  const url = `http://127.0.0.1:${await listen(server, 0)}/`
  const profile = mkdtempSync(join(tmpdir(), 'tidegate-kill-'))
  const databases = join(profile, 'Default', 'IndexedDB')
  let running: KillableBrowser | null = null
  const figures: Array<{ acked: number; stored: number; missing: number }> = []
  const seen = new Set<string>()
  /** Times the browser itself came back with an empty disk: data and device UUID are gone together (DEV-5, F32). */
  let emptied = 0

  const disk = (page: Page): Promise<{ device: string; ids: string[] }> =>
    page.evaluate(async () => {
      await sync.ready
      const ids = (await sync.city.select('id').all()).map(({ id }) => String(id))
      return { device: sync.status.getSnapshot().deviceId ?? '', ids }
    })
  const ackedOf = (device: string): ReadonlySet<string> => ackedBy.get(device) ?? new Set()

  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const left = existsSync(databases) ? readdirSync(databases, { recursive: true }) : []
      running = await launchKillable(profile)
      const page = await running.browser.contexts()[0]!.newPage()
      // First the word of the disk alone, before the server adds anything.
      frozen = true
      await page.goto(url)
      await page.waitForFunction(() => typeof sync !== 'undefined')
      await expect.poll(async () => (await disk(page)).device).not.toBe('')
      const { device, ids } = await disk(page)
      if (seen.size > 0 && !seen.has(device)) {
        emptied++
        console.log(`kill ${kill}: the browser came back with an empty disk; before it started there was`, left)
        expect(ids, 'a new device UUID begins with nothing').toEqual([])
      }
      seen.add(device)
      const here = new Set(ids)
      const missing = [...ackedOf(device)].filter((id) => !here.has(id))
      figures.push({ acked: ackedOf(device).size, stored: here.size, missing: missing.length })
      expect(missing.length, `acknowledged by ${device} and missing after kill ${kill}`).toBe(0)
      // Then a stretch of syncing, cut off at a moment that differs each time.
      frozen = false
      const before = ackedOf(device).size
      await page.evaluate(() => void sync.now().catch(() => undefined))
      const more = Math.min(PLACES - 1, before + 300 + ((kill * 7919) % 1_200))
      await expect.poll(() => ackedOf(device).size, { timeout: 30_000, intervals: [5] }).toBeGreaterThanOrEqual(more)
      await running.kill()
    }

    running = await launchKillable(profile)
    const page = await running.browser.contexts()[0]!.newPage()
    await page.goto(url)
    await page.waitForFunction(() => typeof sync !== 'undefined')
    await page.evaluate(() => sync.now())
    const { device, ids } = await disk(page)
    expect(new Set(ids).size, 'every place is here in the end').toBe(PLACES)
    expect(seen.has(device) || ackedOf(device).size > 0).toBe(true)
    expect(seen.size, 'one device for as long as the disk keeps its data (FAQ-1.3)').toBe(1 + emptied)
    await running.kill()
    const again = [...handedOut.values()].reduce((sum, times) => sum + times - 1, 0)
    test
      .info()
      .annotations.push({ type: 'figures', description: JSON.stringify({ kills: KILLS, figures, redelivered: again }) })
    // A kill costs at most the group being gathered, one commit, one GET, and keys not yet acknowledged.
    if (emptied === 0) expect(again / KILLS, 'items sent again, per kill').toBeLessThanOrEqual(4_000)
    const perKill = Math.round(again / KILLS)
    console.log(
      `kills ${KILLS}, acked but missing 0, sent again ${perKill} a kill, disk emptied by the browser ${emptied}`,
    )
  } finally {
    await running?.kill()
    server.close()
    server.closeAllConnections()
    await store.close()
    // The last of a killed browser may still be writing.
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
})
