/**
 * The browser killed in the middle of a sync, again and again on one profile. An ack is a deletion order:
 * what the server was told this device holds must be there after every kill (promise 1, F22, DEV-5).
 * `KILLS=n` sets how many; the full count is run by `npm run prove`.
 */
import { createServer } from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
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
import { launchKillable } from './support/killable.ts'

declare const sync: Sync<(typeof schema)['collections']>

const KILLS = Number(process.env['KILLS'] ?? 10)
const PLACES = 20_000

/** A store that remembers which records devices have acknowledged, and how often each was handed out. */
function watched(store: service.SyncStore): {
  store: service.SyncStore
  acked: Set<string>
  handedOut: Map<string, number>
  devices: Set<string>
} {
  const idByKey = new Map<string, string>()
  const acked = new Set<string>()
  const handedOut = new Map<string, number>()
  const devices = new Set<string>()
  return {
    acked,
    handedOut,
    devices,
    store: {
      ...store,
      async takePage(device, ...rest) {
        devices.add(device.device)
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
        for (const key of keys) acked.add(idByKey.get(key) ?? `unknown key ${key}`)
      },
    },
  }
}

test(`promise 1, F22: ${KILLS} SIGKILLs in mid-sync, nothing acknowledged is missing`, async () => {
  test.setTimeout(60_000 + KILLS * 20_000)
  const { store, acked, handedOut, devices } = watched(service.createMemoryStore())
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
  const figures: Array<{ acked: number; stored: number; missing: number }> = []

  const stored = (page: Page): Promise<string[]> =>
    page.evaluate(async () => {
      await sync.ready
      return (await sync.city.select('id').all()).map(({ id }) => String(id))
    })

  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const running = await launchKillable(profile)
      const page = await running.browser.contexts()[0]!.newPage()
      // First the word of the disk alone, before the server adds anything.
      frozen = true
      await page.goto(url)
      await page.waitForFunction(() => typeof sync !== 'undefined')
      const here = new Set(await stored(page))
      const missing = [...acked].filter((id) => !here.has(id))
      figures.push({ acked: acked.size, stored: here.size, missing: missing.length })
      expect(missing, `after kill ${kill}`).toEqual([])
      // Then a stretch of syncing, cut off at a moment that differs each time.
      frozen = false
      const before = acked.size
      await page.evaluate(() => void sync.now().catch(() => undefined))
      const more = Math.min(PLACES - 1, before + 300 + ((kill * 7919) % 1_200))
      await expect.poll(() => acked.size, { timeout: 30_000, intervals: [5] }).toBeGreaterThanOrEqual(more)
      await running.kill()
    }

    const last = await launchKillable(profile)
    const page = await last.browser.contexts()[0]!.newPage()
    await page.goto(url)
    await page.waitForFunction(() => typeof sync !== 'undefined')
    await page.evaluate(() => sync.now())
    expect(new Set(await stored(page)).size, 'every place is here in the end').toBe(PLACES)
    expect(devices.size, 'one device all along (FAQ-1.3)').toBe(1)
    await last.kill()
    const again = [...handedOut.values()].reduce((sum, times) => sum + times - 1, 0)
    test
      .info()
      .annotations.push({ type: 'figures', description: JSON.stringify({ kills: KILLS, figures, redelivered: again }) })
    // A kill costs at most the group being gathered, one commit, one GET, and keys not yet acknowledged.
    expect(again / KILLS, 'items sent again, per kill').toBeLessThanOrEqual(4_000)
    console.log(`kills ${KILLS}, acked but missing 0, sent again ${again} (${Math.round(again / KILLS)} a kill)`)
  } finally {
    server.close()
    server.closeAllConnections()
    await store.close()
    rmSync(profile, { recursive: true, force: true })
  }
})
