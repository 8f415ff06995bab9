import { afterAll, describe, expect, it } from 'vitest'
import { createPgliteStore } from '../../src/service/pglite.ts'
import { sellTypes } from '../../src/service/sell.ts'
import type { ServiceOptions } from '../../src/service/options.ts'
import { createService, type TestService } from './support/service.ts'

const now = () => Date.UTC(2026, 0, 1)
const stores: { close(): Promise<void> }[] = []
afterAll(() => Promise.all(stores.map((store) => store.close())))

/** With deals 1 and 2, and order 1. */
async function withParents(options: Partial<ServiceOptions> = {}): Promise<TestService> {
  const service = createService({ ...sellTypes({ now }), ...options })
  const records = [
    { type: 'deal', data: { id: 1 } },
    { type: 'deal', data: { id: 2 } },
    { type: 'order', data: { id: 1 } },
  ]
  await service.store.importRecords('acme', records)
  return service
}

function post(service: TestService, path: string, data: object) {
  return service.call('POST', `/v2/${path}`, { body: { data } })
}

async function ids(service: TestService, path: string, field = 'id'): Promise<readonly unknown[]> {
  const { json } = await service.call('GET', `/v2/${path}`)
  return json.items.map(({ data }: { data: Record<string, unknown> }) => data[field])
}

describe.each(['memory', 'pglite'])('contacts of a deal, in %s', { timeout: 60_000 }, (kind) => {
  it('WRITE-1 are made, listed and deleted below it, each once, and come down the queue with both ends', async () => {
    const store = kind === 'pglite' ? await createPgliteStore() : undefined
    if (store !== undefined) stores.push(store)
    const service = await withParents(store && { store })
    const path = 'deals/1/associated_contacts'
    const made = await post(service, path, { contact_id: 7 })
    expect(made).toMatchObject({ status: 200, headers: { 'X-Tidegate-Revision': '1' } })
    expect(made.json).toMatchObject({
      data: { id: 1, deal_id: 1, contact_id: 7, role: 'involved' },
      meta: { type: 'associated_contact' },
    })
    await Promise.all([8, 8, 8].map((contact_id) => post(service, path, { contact_id })))
    await post(service, 'deals/2/associated_contacts', { contact_id: 7, deal_id: 1 })
    expect(await ids(service, path, 'contact_id')).toEqual([7, 8])
    expect(await ids(service, `${path}?per_page=1&page=2`, 'contact_id')).toEqual([8])
    expect(await ids(service, 'deals/2/associated_contacts', 'contact_id')).toEqual([7])
    expect((await service.call('DELETE', `/v2/${path}/7`)).status).toBe(204)
    expect((await service.call('DELETE', `/v2/${path}/7`)).status).toBe(404)
    expect(await ids(service, path, 'contact_id')).toEqual([8])
    expect(await ids(service, 'deals/2/associated_contacts', 'contact_id')).toEqual([7])
    const links = (await service.drain()).filter(({ meta }) => meta.type === 'associated_contact')
    expect(links.map(({ data }) => [data['deal_id'], data['contact_id']])).toEqual([
      [1, 8],
      [2, 7],
    ])
  })
})

describe('line items of an order', () => {
  it('WRITE-1 are made, listed, read and deleted below it, and not changed', async () => {
    const service = await withParents()
    const path = 'orders/1/line_items'
    for (const product_id of [5, 5]) await post(service, path, { product_id, quantity: 2 })
    expect(await ids(service, path)).toEqual([1, 2])
    expect((await service.call('GET', `/v2/${path}/2`)).json.data).toMatchObject({ id: 2, order_id: 1, product_id: 5 })
    const changed = await service.call('PUT', `/v2/${path}/2`, { body: { data: { quantity: 3 } } })
    expect([changed.status, changed.headers['Allow']]).toEqual([405, 'GET, DELETE, OPTIONS'])
    expect((await service.call('DELETE', `/v2/${path}/1`)).status).toBe(204)
    expect(await ids(service, path)).toEqual([2])
  })

  it('WRITE-1 what is wrong with them is a 422 that names the field', async () => {
    const answer = await post(await withParents(), 'orders/1/line_items', { quantity: 0 })
    expect(answer.json.errors.map(({ error }: { error: { field: string } }) => error.field)).toEqual([
      '/quantity',
      '/product_id',
    ])
  })
})

it('WRITE-1 AUTH-1 without the parent there is nothing below it; other paths, and other scopes, are refused', async () => {
  const service = await withParents()
  const gone = [
    await post(service, 'deals/9/associated_contacts', { contact_id: 7 }),
    await service.call('GET', '/v2/deals/9/associated_contacts'),
    await service.call('GET', '/v2/orders/1/line_items/1'),
    await service.call('GET', '/v2/deals/1/line_items'),
    await service.call('GET', '/v2/deals/1/constructor'),
    await service.call('GET', '/v2/deals/1/associated_contacts/7/8'),
  ]
  expect(gone.map(({ status, json }) => `${status} ${json.errors[0].error.code}`)).toEqual([
    ...['404 not_found', '404 not_found', '404 not_found'],
    ...['404 incorrect_path', '404 incorrect_path', '404 incorrect_path'],
  ])
  const path = '/v2/deals/1/associated_contacts'
  expect((await service.call('POST', path, { token: 'only-read', body: { data: {} } })).status).toBe(403)
  expect((await service.call('GET', path, { token: 'only-write' })).status).toBe(403)
})
