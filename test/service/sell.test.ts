import { describe, expect, it } from 'vitest'
import { sellTypes } from '../../src/service/sell.ts'
import { createService, type TestService } from './support/service.ts'

const NOW = '2026-01-01T00:00:00Z'

/** The clock stands at NOW, and moves by whole seconds when told. */
function sell(): TestService & { tick(seconds: number): void } {
  let time = Date.parse(NOW)
  const service = createService(sellTypes({ userId: () => 5, firstStage: 1, currency: 'EUR', now: () => time }))
  return { ...service, tick: (seconds) => void (time += seconds * 1000) }
}

function post(service: TestService, path: string, data: object) {
  return service.call('POST', `/v2/${path}`, { body: { data } })
}

function put(service: TestService, path: string, data: object) {
  return service.call('PUT', `/v2/${path}`, { body: { data } })
}

/** Errors as `code field`. */
async function errorsOf(answer: ReturnType<TestService['call']>): Promise<readonly string[]> {
  const { status, json } = await answer
  if (status !== 422) return [`status ${status}`]
  return json.errors.map(({ error }: { error: { code: string; field?: string } }) => `${error.code} ${error.field}`)
}

describe('what the service adds', () => {
  it('WRITE-1 fills a new deal with defaults, owner, stage and times', async () => {
    const { json } = await post(sell(), 'deals', { name: 'Press', contact_id: 7, value: '1000.50' })
    expect(json.data).toEqual({
      ...{ id: 1, name: 'Press', contact_id: 7, value: '1000.50', currency: 'EUR', stage_id: 1, hot: false },
      ...{ creator_id: 5, owner_id: 5, tags: [], custom_fields: {} },
      ...{ last_stage_change_at: NOW, last_stage_change_by_id: 5, added_at: NOW, added_on: NOW },
      ...{ created_at: NOW, updated_at: NOW },
    })
  })

  it('WRITE-1 keeps what is given over what it would fill in', async () => {
    const service = sell()
    const { json } = await post(service, 'deals', {
      ...{ name: 'Press', contact_id: 7, owner_id: 2, stage_id: 3, currency: 'USD', hot: true, tags: ['x'] },
      ...{ added_on: '2025-05-05T05:05:05Z', last_stage_change_at: '2025-06-06T06:06:06Z' },
    })
    expect(json.data).toMatchObject({
      ...{
        owner_id: 2,
        stage_id: 3,
        currency: 'USD',
        hot: true,
        tags: ['x'],
        last_stage_change_at: '2025-06-06T06:06:06Z',
      },
      ...{ added_at: '2025-05-05T05:05:05Z', added_on: '2025-05-05T05:05:05Z' },
    })
  })

  it('WRITE-1 notes when a deal changed its stage, and only then', async () => {
    const service = sell()
    await post(service, 'deals', { name: 'Press', contact_id: 7 })
    service.tick(10)
    const named = await put(service, 'deals/1', { name: 'Cider press', stage_id: 1 })
    expect(named.json.data).toMatchObject({ last_stage_change_at: NOW, updated_at: '2026-01-01T00:00:10Z' })
    const moved = await put(service, 'deals/1', { stage_id: 2 })
    expect(moved.json.data).toMatchObject({
      last_stage_change_at: '2026-01-01T00:00:10Z',
      created_at: NOW,
      name: 'Cider press',
    })
  })

  it('WRITE-1 one value of a deal is written under either name and sent under both', async () => {
    const service = sell()
    await post(service, 'deals', { name: 'Press', contact_id: 7 })
    const moment = '2025-01-01T00:00:00Z'
    expect((await put(service, 'deals/1', { added_at: moment })).json.data).toMatchObject({
      added_at: moment,
      added_on: moment,
    })
    expect((await put(service, 'deals/1', { added_on: NOW })).json.data).toMatchObject({ added_at: NOW, added_on: NOW })
    expect(await errorsOf(put(service, 'deals/1', { added_on: moment, added_at: '2024-01-01T00:00:00Z' }))).toEqual([
      'incorrect_value /added_at',
    ])
  })

  it.each([
    [1000, 1000],
    ['1000', 1000],
    ['1000.00', 1000],
    ['1000.5', '1000.50'],
    [0.1, '0.10'],
    ['-3.05', '-3.05'],
    ['900719925474099312', '900719925474099312'],
  ])('WRITE-1 an amount %j is stored as %j', async (given, stored) => {
    const { json } = await post(sell(), 'deals', { name: 'Press', contact_id: 7, value: given })
    expect(json.data.value).toBe(stored)
  })

  it('WRITE-1 notes when a task is done, and takes it back when it is not', async () => {
    const service = sell()
    const made = await post(service, 'tasks', { content: 'Ring back', due_date: '2025-12-31T00:00:00Z' })
    expect(made.json.data).toEqual({
      ...{ id: 1, content: 'Ring back', due_date: '2025-12-31T00:00:00Z', remind_at: null, overdue: true },
      ...{ completed: false, completed_at: null, resource_type: null, resource_id: null },
      ...{ creator_id: 5, owner_id: 5, created_at: NOW, updated_at: NOW },
    })
    service.tick(10)
    const done = await put(service, 'tasks/1', { completed: true })
    expect(done.json.data).toMatchObject({ completed_at: '2026-01-01T00:00:10Z', overdue: false })
    service.tick(10)
    const renamed = await put(service, 'tasks/1', { content: 'Ring', completed: true })
    expect(renamed.json.data.completed_at).toBe('2026-01-01T00:00:10Z')
    expect((await put(service, 'tasks/1', { completed: false })).json.data).toMatchObject({
      completed_at: null,
      overdue: true,
    })
  })

  it('WRITE-1 tags replace the whole set, custom fields are merged by member', async () => {
    const service = sell()
    await post(service, 'contacts', { last_name: 'Ann', tags: ['a', 'b'], custom_fields: { x: '1', y: '2' } })
    const { json } = await put(service, 'contacts/1', { tags: ['c'], custom_fields: { y: null, z: true } })
    expect(json.data).toMatchObject({ tags: ['c'], custom_fields: { x: '1', y: null, z: true } })
  })

  it('WRITE-1 a person is named by first and last name, an organization by its name', async () => {
    const service = sell()
    expect((await post(service, 'contacts', { first_name: 'Ann', last_name: 'Lee' })).json.data).toMatchObject({
      name: 'Ann Lee',
      is_organization: false,
    })
    expect((await put(service, 'contacts/1', { last_name: 'Roe', name: 'Ann Roe' })).json.data.name).toBe('Ann Roe')
    expect(await errorsOf(put(service, 'contacts/1', { name: 'Bob' }))).toEqual(['incorrect_value /name'])
    await post(service, 'contacts', { is_organization: true, name: 'Orchard Ltd' })
    expect((await put(service, 'contacts/2', { name: 'Orchard' })).json.data.name).toBe('Orchard')
  })

  it('WRITE-1 an upsert is checked and filled like a create, then like an update', async () => {
    const service = sell()
    const call = (data: object) => post(service, 'leads/upsert?custom_fields[ext]=e1', data)
    expect(await errorsOf(call({ first_name: 'Ann' }))).toEqual(['missing /last_name'])
    expect((await call({ last_name: 'Lee' })).json.data).toMatchObject({
      ...{ id: 1, creator_id: 5, custom_fields: { ext: 'e1' }, created_at: NOW },
    })
    expect((await call({ first_name: 'Ann' })).json.data).toMatchObject({ id: 1, first_name: 'Ann', last_name: 'Lee' })
  })

  it('WRITE-1 leaves types that Sell does not have as they are', async () => {
    const service = sell()
    expect((await post(service, 'cities', { anything: 1 })).json.data).toEqual({ id: 1, anything: 1 })
  })
})

describe('what is refused', () => {
  it.each([
    ['leads', {}, ['missing /last_name']],
    ['leads', { organization_name: 'Orchard' }, ['status 200']],
    ['leads', { last_name: ' ' }, ['blank /last_name']],
    ['contacts', { first_name: 'Ann' }, ['missing /last_name']],
    ['contacts', { is_organization: true, last_name: 'x' }, ['missing /name']],
    ['contacts', { last_name: 'x', parent_organization_id: 1 }, ['incorrect_value /parent_organization_id']],
    ['deals', {}, ['missing /name', 'missing /contact_id']],
    ['notes', { content: 'x' }, ['missing /resource_type', 'missing /resource_id']],
    [
      'notes',
      { content: '', resource_type: 'order', resource_id: 1 },
      ['incorrect_value /resource_type', 'blank /content'],
    ],
    ['tasks', {}, ['missing /content']],
    ['tasks', { content: 'x', resource_type: 'deal' }, ['incorrect_value /resource_id']],
    ['tags', { name: 'x' }, ['missing /resource_type']],
    ['products', {}, ['missing /name']],
    ['orders', { discount: 101 }, ['incorrect_value /discount', 'missing /deal_id']],
    ['calls', {}, ['missing /phone_number']],
    ['loss_reasons', { name: null }, ['blank /name']],
    ['contacts', { id: 'own', last_name: 'x' }, ['invalid_type /id']],
    ['contacts', { id: -4, last_name: 'x' }, ['invalid_type /id']],
  ])('WRITE-1 a new record of %s from %j: %j', async (path, data, wanted) => {
    expect(await errorsOf(post(sell(), path, data))).toEqual(wanted)
  })

  it('ERR-1 WRITE-1 unknown, read-only and fixed fields, all named at once', async () => {
    const service = sell()
    await post(service, 'contacts', { last_name: 'Lee' })
    const answer = await put(service, 'contacts/1', {
      'col/our': 1,
      creator_id: 6,
      created_at: 'x',
      is_organization: true,
    })
    expect(answer.json.errors.map(({ error }: { error: object }) => error)).toEqual([
      {
        ...{ code: 'unknown', message: 'unknown attribute', resource: 'contact', field: '/col~1our' },
        details: 'The contact resource has no attribute named col/our.',
      },
      { code: 'incorrect_value', message: 'creator_id cannot be written.', resource: 'contact', field: '/creator_id' },
      { code: 'incorrect_value', message: 'created_at cannot be written.', resource: 'contact', field: '/created_at' },
      expect.objectContaining({ code: 'incorrect_value', field: '/is_organization' }),
    ])
  })

  it('WRITE-1 a record sent back as it came is fine, and changes nothing', async () => {
    const service = sell()
    const { json } = await post(service, 'deals', { name: 'Press', contact_id: 7 })
    service.tick(10)
    const again = await put(service, 'deals/1', json.data)
    expect([again.status, again.headers['X-Tidegate-Revision']]).toEqual([200, '1'])
    const changed = await put(service, 'deals/1', { ...json.data, hot: true })
    expect(changed.json.data).toMatchObject({
      hot: true,
      creator_id: 5,
      created_at: NOW,
      updated_at: '2026-01-01T00:00:10Z',
    })
  })

  it.each([
    ['contact_id', '7', 'invalid_type'],
    ['contact_id', -1, 'incorrect_value'],
    ['name', 5, 'invalid_type'],
    ['hot', 'true', 'invalid_type'],
    ['value', '1.005', 'incorrect_value'],
    ['value', 'much', 'incorrect_value'],
    ['value', {}, 'invalid_type'],
    ['estimated_close_date', '2026-13-01', 'incorrect_value'],
    ['estimated_close_date', '2026-01-01T00:00:00Z', 'incorrect_value'],
    ['last_stage_change_at', '2026-01-01', 'incorrect_value'],
    ['customized_win_likelihood', 101, 'incorrect_value'],
    ['customized_win_likelihood', 1.5, 'invalid_type'],
    ['tags', 'a', 'invalid_type'],
    ['tags', [1], 'invalid_type'],
    ['custom_fields', [], 'invalid_type'],
  ])('WRITE-1 a deal with %s %j: %s', async (field, value, code) => {
    const data = { name: 'Press', contact_id: 7, [field]: value }
    expect(await errorsOf(post(sell(), 'deals', data))).toEqual([`${code} /${field}`])
  })

  it('WRITE-1 an address has its own parts only', async () => {
    const make = (address: unknown) => errorsOf(post(sell(), 'leads', { last_name: 'x', address }))
    expect(await make({ line1: 'a', city: null })).toEqual(['status 200'])
    expect(await make({ street: 'a' })).toEqual(['incorrect_value /address'])
    expect(await make('a')).toEqual(['invalid_type /address'])
  })

  it('WRITE-1 what a record needs cannot be emptied', async () => {
    const service = sell()
    await post(service, 'leads', { organization_name: 'Orchard' })
    expect(await errorsOf(put(service, 'leads/1', { organization_name: null }))).toEqual(['missing /last_name'])
    expect(await errorsOf(put(service, 'leads/1', { phone: null }))).toEqual(['status 200'])
  })

  it('WRITE-1 types without calls that write can only be imported', async () => {
    const service = sell()
    await service.store.importRecords('acme', [{ type: 'stage', data: { id: 1, name: 'Won' } }])
    for (const answer of [
      await post(service, 'stages', { name: 'x' }),
      await put(service, 'stages/1', { name: 'x' }),
      await service.call('DELETE', '/v2/stages/1'),
      await post(service, 'users', { name: 'x' }),
    ])
      expect([answer.status, answer.json.errors[0].error.code]).toEqual([422, 'incorrect_value'])
    expect((await service.call('GET', '/v2/stages/1')).json.data.name).toBe('Won')
  })

  it('WRITE-1 a writable record can be deleted', async () => {
    const service = sell()
    await post(service, 'leads', { last_name: 'x' })
    expect((await service.call('DELETE', '/v2/leads/1')).status).toBe(204)
  })
})
