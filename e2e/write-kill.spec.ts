/**
 * The browser killed in the middle of writing, again and again on one profile: while edits wait for a network that
 * holds them, while they are pushed, while answers are lost. A write whose promise had resolved outlives the kill and
 * takes effect at the server once (promise 6, I11, I12, F22, F53).
 * `WRITE_KILLS=n` sets how many; the full count is run by `npm run prove`.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, type Page } from '@playwright/test'
import type { Helpers } from './fixtures/writes/page.ts'
import type { Line } from './support/line.ts'
import { launchKillable, type KillableBrowser } from './support/killable.ts'
import { inSync, openWindow, whenSent } from './support/windows.ts'
import { buildPage, openWorld } from './support/world.ts'

declare const sync: Helpers['sync']
declare const resolved: (what: string) => void

const KILLS = Number(process.env['WRITE_KILLS'] ?? 6)
/** Writes of one round; the kill comes after a part of them. */
const WRITES = 60

/** What the network does while a round writes. */
const ROUNDS: ReadonlyArray<(line: Line) => void> = [
  // Between "resolved" and "sent".
  (line) => void (line.network = 'held'),
  // While pushing.
  () => undefined,
  // While answers are lost: between the effect and its answer.
  (line) => {
    let n = 0
    line.fault = () => (n++ % 2 === 0 ? 'lost' : null)
  },
]

test(`promise 6: ${KILLS} SIGKILLs while writing, each resolved write is at the server once (I11, I12, F22)`, async () => {
  test.setTimeout(60_000 + KILLS * 20_000)
  const { site, remove } = await buildPage()
  const records = Array.from({ length: KILLS * WRITES }, (_, id) => ({ type: 'contact', data: { id, name: `c${id}` } }))
  const world = await openWorld({ site, records })
  const line = world.line('ann-1')
  const profile = mkdtempSync(join(tmpdir(), 'tidegate-write-kill-'))
  let running: KillableBrowser | null = null
  /** By kind and round, what the page was told to be durable. */
  const done = new Set<string>()
  const devices = new Set<string>()
  /** Times the browser itself came back with an empty disk (F32), and the writes that were on it and nowhere else. */
  let emptied = 0
  const gone = new Set<string>()

  async function open(): Promise<Page> {
    const databases = join(profile, 'Default', 'IndexedDB')
    const left = existsSync(databases) ? readdirSync(databases, { recursive: true }) : []
    running = await launchKillable(profile)
    const page = await openWindow(running.browser.contexts()[0]!, world)
    await expect.poll(() => page.evaluate(() => sync.status.getSnapshot().deviceId)).not.toBeNull()
    const device = await page.evaluate(() => sync.status.getSnapshot().deviceId ?? '')
    if (devices.size > 0 && !devices.has(device)) {
      emptied++
      const there = await atServer()
      for (const what of done) if (!there.has(what)) gone.add(what)
      console.log(`the browser came back with an empty disk; before it started there was`, left)
      const begins = await page.evaluate(() => sync.outbox.getSnapshot().edits.length)
      expect(begins, 'a new device UUID begins with nothing').toBe(0)
      // What it is to write on has to come down again.
      const { network, fault } = line
      Object.assign(line, { network: 'on', fault: null })
      await inSync(page)
      Object.assign(line, { network, fault })
    }
    devices.add(device)
    return page
  }

  /** How often each write is at the server. */
  async function atServer(): Promise<Map<string, number>> {
    const times = new Map<string, number>()
    for (const { name, phone } of await world.records('contact'))
      for (const what of [name, phone as string | undefined])
        if (what?.startsWith('round ')) times.set(what, (times.get(what) ?? 0) + 1)
    return times
  }

  try {
    const first = await open()
    await inSync(first)
    await running!.kill()
    let unsentAtKill = 0
    for (let kill = 0; kill < KILLS; kill++) {
      Object.assign(line, { network: 'on', fault: null })
      ROUNDS[kill % ROUNDS.length]!(line)
      const page = await open()
      let told = 0
      await page.exposeFunction('resolved', (what: string) => {
        told++
        done.add(what)
      })
      void page
        .evaluate(
          async ([round, writes]) => {
            for (let n = 0; n < writes; n++) {
              const what = `round ${round} write ${n}`
              if (n % 3 === 0) await sync.contact.insert({ name: what })
              else await sync.contact.update(round * writes + n, { phone: what })
              resolved(what)
            }
          },
          [kill, WRITES] as const,
        )
        .catch(() => undefined)
      const enough = 8 + ((kill * 7919) % (WRITES - 10))
      await expect.poll(() => told, { timeout: 20_000, intervals: [3] }).toBeGreaterThanOrEqual(enough)
      await running!.kill()
      const there = await atServer()
      unsentAtKill += [...done].filter((what) => what.startsWith(`round ${kill} `) && !there.has(what)).length
    }

    Object.assign(line, { network: 'on', fault: null })
    const page = await open()
    await whenSent(page)
    await inSync(page)
    const times = await atServer()
    const missing = [...done].filter((what) => !times.has(what) && !gone.has(what))
    const double = [...times].filter(([, count]) => count > 1)
    console.log(
      `kills ${KILLS}, resolved writes ${done.size}, missing ${missing.length}, double ${double.length}; ` +
        `at the server ${times.size} by ${world.effects()} changes, requests ${world.writes.length}, ` +
        `resolved and not there when killed ${unsentAtKill}, disk emptied by the browser ${emptied}`,
    )
    test.info().annotations.push({
      type: 'figures',
      description: JSON.stringify({ kills: KILLS, resolved: done.size, unsentAtKill }),
    })
    expect(missing).toEqual([])
    expect(double).toEqual([])
    expect(world.effects(), 'every change is one of the writes, and no write made two').toBe(times.size)
    expect(devices.size, 'one device for as long as the disk keeps its data (FAQ-1.3)').toBe(1 + emptied)
    const there = await world.records('contact')
    const here = await page.evaluate(() => sync.contact.all())
    const byId = (a: { id: number }, b: { id: number }): number => a.id - b.id
    expect([...here].sort(byId)).toEqual([...there].sort(byId))
    await running!.kill()
  } finally {
    await (running as KillableBrowser | null)?.kill()
    await world.close()
    remove()
    // The last of a killed browser may still be writing.
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
})
