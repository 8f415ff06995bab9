/**
 * The demo's CRM in a real browser, from the build, against the real service: what writing offline looks like to
 * whoever uses it. Device 1 and device 2 of the demo are two databases, so two windows of one browser are two devices.
 */
import { expect, test, type BrowserContext, type Locator, type Page } from '@playwright/test'
import { join } from 'node:path'
import type { CrmSync } from '../demo/crm/sync.ts'
import { root, run, type Running } from './support/serve.ts'

declare const sync: CrmSync

let demo: Running
test.beforeAll(async () => {
  demo = await run(process.execPath, [join(root, 'demo/serve.mjs'), '--port', '0', '--store', 'memory', '--limit', '1'])
})
test.afterAll(() => demo?.stop())

/** A window of one of the two devices, in sync. */
async function openCrm(context: BrowserContext, device: 1 | 2, hash = '#/deals'): Promise<Page> {
  const page = await context.newPage()
  const errors: string[] = []
  page.on('pageerror', (error) => errors.push(error.message))
  page.on('close', () => expect(errors).toEqual([]))
  await page.goto(`${demo.url}/crm/${device === 1 ? '' : '?device=2'}`)
  await whenInSync(page)
  await page.evaluate((to) => void (location.hash = to), hash)
  return page
}
const whenInSync = (page: Page): Promise<void> =>
  expect(page.locator('#phase')).toHaveText('In sync', { timeout: 30_000 })
const badge = (page: Page): Locator => page.locator('#badge')
const offline = (page: Page): Promise<void> => page.getByRole('switch', { name: 'Offline' }).click()
const card = (page: Page, stage: number, deal: number): Locator =>
  page.locator(`.column[data-stage="${stage}"] .deal[data-key="${deal}"]`)

/** A record as the service has it. */
const atServer = (page: Page, path: string): Promise<Record<string, unknown>> =>
  page.evaluate(async (given) => {
    const { token } = await (await fetch('/demo/crm.json')).json()
    const answer = await fetch(`/v2/${given}`, { headers: { Authorization: `Bearer ${token}` } })
    return (await answer.json()).data
  }, path)

/** Some deal of the first stage that can be seen. */
async function firstDeal(page: Page): Promise<number> {
  return Number(await page.locator('.column[data-stage="1"] .deal').first().getAttribute('data-key'))
}
async function changeField(scope: Locator, label: string, value: string): Promise<void> {
  await scope.getByRole('button', { name: 'Edit', exact: true }).first().click()
  await scope.getByLabel(label, { exact: true }).fill(value)
  await scope.getByRole('button', { name: 'Save', exact: true }).click()
}

test('a deal carried to another stage by keyboard, on a device without a network, is there at once, counted as unsent, and in the other window when the network is back (R20, R21)', async ({
  context,
}) => {
  const one = await openCrm(context, 1)
  const two = await openCrm(context, 2)
  const deal = await firstDeal(one)
  await offline(one)
  await expect(one.locator('#device-name')).toHaveText('Device 1, offline')
  await card(one, 1, deal).focus()
  for (const key of ['Space', 'ArrowRight', 'Space']) await one.keyboard.press(key)
  await expect(card(one, 2, deal)).toBeVisible()
  await expect(card(one, 2, deal).getByRole('img', { name: 'Not sent yet' })).toBeVisible()
  await expect(badge(one)).toHaveText('1')
  await expect(one.locator('#announcer')).toContainText('is in')
  await two.evaluate(() => sync.now())
  await expect(card(two, 1, deal)).toBeVisible()
  // A reload, still without a network: nothing is forgotten.
  await one.reload()
  await expect(card(one, 2, deal)).toBeVisible()
  await expect(badge(one)).toHaveText('1')
  await offline(one)
  await expect(card(two, 2, deal)).toBeVisible({ timeout: 15_000 })
  await expect(badge(one)).toBeHidden()
  await expect(card(one, 2, deal).getByRole('img')).toBeHidden()
})

test('what the server refuses waits in the outbox with the field at fault, and arrives once it is mended there (I14)', async ({
  context,
}) => {
  const one = await openCrm(context, 1)
  const deal = await firstDeal(one)
  await card(one, 1, deal).click()
  await changeField(one.getByRole('complementary', { name: /./ }), 'Value', '-5')
  await expect(badge(one)).toHaveText('1', { timeout: 15_000 })
  await expect(badge(one)).toHaveClass(/alarm/)
  await one.locator('#outbox-link').click()
  const refused = one.getByRole('region', { name: 'Refused' }).getByRole('listitem')
  await expect(refused).toContainText('Value cannot be below zero')
  await refused.getByRole('button', { name: 'Edit', exact: true }).click()
  const value = refused.getByLabel('Value', { exact: true })
  await expect(value).toHaveAttribute('aria-invalid', 'true')
  await value.fill('4321')
  await refused.getByRole('button', { name: 'Save and send' }).click()
  await expect(one.getByText('Everything is at the server')).toBeVisible({ timeout: 15_000 })
  await expect(badge(one)).toBeHidden()
  expect(Number((await atServer(one, `deals/${deal}`))['value'])).toBe(4321)
})

test('a field changed on both devices is shown side by side, and taking theirs is heard everywhere (R19)', async ({
  context,
}) => {
  const id = 700
  const one = await openCrm(context, 1, `#/contacts/${id}`)
  const two = await openCrm(context, 2, `#/contacts/${id}`)
  const phone = (page: Page): Promise<unknown> => page.evaluate(async (key) => (await sync.contact.get(key))?.phone, id)
  await offline(one)
  await changeField(one.getByRole('article'), 'Phone', '111')
  await expect(badge(one)).toHaveText('1')
  await two.evaluate(async (key) => (await sync.contact.update(key, { phone: '222' })).synced(), id)
  await offline(one)
  await expect(badge(one)).toHaveClass(/alarm/, { timeout: 15_000 })
  await one.locator('#outbox-link').click()
  const conflict = one.getByRole('region', { name: 'Changed on both sides' }).getByRole('listitem')
  await expect(conflict.getByRole('row', { name: /Phone/ })).toContainText(/111.*in use.*222/)
  await expect.poll(() => phone(two), { timeout: 15_000 }).toBe('111')
  await conflict.getByRole('button', { name: 'Take theirs' }).click()
  await expect(conflict).toBeHidden()
  await expect.poll(() => phone(two), { timeout: 15_000 }).toBe('222')
  await expect(badge(one)).toBeHidden({ timeout: 15_000 })
  expect(await phone(one)).toBe('222')
})

test('a contact and a deal made offline arrive after a reload, the deal with its contact (R18)', async ({
  context,
}) => {
  const one = await openCrm(context, 1, '#/contacts')
  await offline(one)
  const made = await one.evaluate(async () => {
    const [ada] = await sync.write((tx) => {
      const contact = tx.contact.insert({ first_name: 'Ada', last_name: 'Offline', is_organization: false })
      tx.deal.insert({ name: 'Made offline', contact_id: contact, stage_id: 1 })
    })
    return Number(ada!.key)
  })
  await expect(badge(one)).toHaveText('2')
  await one.goto(`${demo.url}/crm/#/contacts/${made}`)
  await one.reload()
  await expect(one.getByRole('article').getByRole('heading', { name: 'Ada Offline' })).toBeVisible()
  await expect(one.getByRole('article')).toContainText('Made offline')
  await offline(one)
  await expect(badge(one)).toBeHidden({ timeout: 15_000 })
  // The address still names the key it was made with.
  await expect(one.getByRole('article').getByRole('heading', { name: 'Ada Offline' })).toBeVisible()
  await expect(one.getByRole('article')).toContainText('Made offline')
  const here = await one.evaluate(async (key) => {
    const deal = await sync.deal.where({ name: 'Made offline' }).first()
    return { contact: (await sync.contact.get(key))!.id, deal: deal!.id }
  }, made)
  expect(here.contact).toBeGreaterThan(0)
  expect(await atServer(one, `contacts/${here.contact}`)).toMatchObject({ last_name: 'Offline' })
  expect(await atServer(one, `deals/${here.deal}`)).toMatchObject({ contact_id: here.contact })
})

test('on a phone no view scrolls sideways, and the badge can be seen', async ({ browser }) => {
  const context = await browser.newContext({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true })
  const page = await openCrm(context, 1)
  const deal = await firstDeal(page)
  await offline(page)
  await page.evaluate(
    (id) => sync.deal.update(id, { name: 'A name '.repeat(20), value: -1 }).then(() => undefined),
    deal,
  )
  await expect(badge(page)).toBeVisible()
  for (const hash of ['#/contacts', '#/contacts/700', '#/deals', `#/deals/${deal}`, '#/tasks', '#/outbox']) {
    await page.evaluate((next) => void (location.hash = next), hash)
    await expect(page.locator('main > :not([hidden])')).toBeVisible()
    await expect(badge(page), hash).toBeInViewport()
    const width = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.body.scrollWidth,
      Math.round(window.visualViewport?.width ?? 0),
    ])
    expect(width, hash).toEqual([360, 360, 360])
  }
  await offline(page)
  await context.close()
})
