/** Windows of the page of `fixtures/writes`: opening them, and waiting for what they come to. */
import { expect, type BrowserContext, type Page } from '@playwright/test'
import type { Helpers } from '../fixtures/writes/page.ts'
import type { World } from './world.ts'

declare const sync: Helpers['sync']
declare const outbox: Helpers['outbox']

export interface WindowOptions {
  readonly token?: string
  readonly account?: string
  /** How contacts are created (R17). */
  readonly via?: string
  readonly poll?: number
}

/** A window whose storage is open; it need not have a network. */
export async function openWindow(context: BrowserContext, { url }: World, options: WindowOptions = {}): Promise<Page> {
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('close', () => expect(errors).toEqual([]))
  const { token = 'ann-1', account = 'ann', ...rest } = options
  const query = new URLSearchParams({ token, account })
  for (const [name, value] of Object.entries(rest)) query.set(name, String(value))
  await page.goto(`${url}/?${query}`)
  await whenOpen(page)
  return page
}

export async function whenOpen(page: Page): Promise<void> {
  await page.waitForFunction(() => 'sync' in window)
  await page.evaluate(() => sync.ready)
}

/** Edits that the server does not have, as this tab knows them. */
export const unsent = (page: Page): Promise<number> => page.evaluate(() => outbox().edits.length)

/** The network is back: what the browser would say, and what follows. */
export async function reconnect(page: Page, world: World, token = 'ann-1'): Promise<void> {
  world.line(token).network = 'on'
  await page.evaluate(() => window.dispatchEvent(new Event('online')))
}

/** Everything written before is sent, whatever fails meanwhile. */
export async function whenSent(page: Page, timeout = 20_000): Promise<void> {
  // The list of the outbox comes a frame after a write.
  await page.evaluate(async (frames) => {
    await new Promise((resolve) => setTimeout(resolve, frames))
    await sync.outbox.find('a question that follows the list')
  }, 50)
  await expect(async () => {
    // Whoever waits for a retry is woken.
    await page.evaluate(() => window.dispatchEvent(new Event('online')))
    expect(await unsent(page)).toBe(0)
  }).toPass({ timeout, intervals: [20, 50, 100, 200] })
}

export const roleOf = (page: Page): Promise<string> => page.evaluate(() => sync.status.getSnapshot().role)
export const inSync = (page: Page): Promise<void> => page.evaluate(() => sync.now({ timeout: 20_000 }))
