import { describe, expect, it } from 'vitest'
import { crmRecords, importCrm } from '../../demo/server/crm.mjs'
import { createMemoryStore } from '../../src/service/memory.ts'
import { sellTypes } from '../../src/service/sell.ts'
import { readOnlyTypes, writableTypes } from '../../src/service/sell/types.ts'

const now = Date.UTC(2026, 5, 1)

describe('the data of the CRM', () => {
  const records = crmRecords({ now })
  const ofType = (type: string) => records.filter((record) => record.type === type).map(({ data }) => data)

  it('is the same for the same seed and moment, and another for another seed', () => {
    expect(crmRecords({ now })).toEqual(records)
    expect(crmRecords({ now, seed: 8 })).not.toEqual(records)
  })

  it('has what the view shows', () => {
    const counts = ['contact', 'deal', 'task', 'note', 'stage', 'pipeline'].map((type) => ofType(type).length)
    expect(counts).toEqual([3000, 600, 1000, 700, 6, 1])
    expect(new Set(ofType('deal').map((deal) => deal['stage_id'])).size).toBe(6)
    expect(ofType('contact').filter((contact) => contact['is_organization'])).toHaveLength(600)
  })

  it('refers only to records that there are', () => {
    const ids = new Map(
      [...new Set(records.map(({ type }) => type))].map((type) => [type, new Set(ofType(type).map(({ id }) => id))]),
    )
    const dangling = records.flatMap(({ type, data }) =>
      Object.entries({
        ...{
          contact_id: 'contact',
          organization_id: 'contact',
          stage_id: 'stage',
          owner_id: 'user',
          creator_id: 'user',
        },
        ...{ loss_reason_id: 'loss_reason', source_id: 'deal_source', resource_id: String(data['resource_type']) },
      }).filter(
        ([field, target]) => typeof data[field] === 'number' && !ids.get(target)?.has(data[field]) && type !== '',
      ),
    )
    expect(dangling).toEqual([])
  })

  it('lies around the moment it is made for: nothing was made or changed later, and tasks are due before and after', () => {
    const times = records
      .flatMap(({ data }) => [data['created_at'], data['updated_at']])
      .map((time) => Date.parse(String(time)))
    expect(Math.max(...times)).toBeLessThanOrEqual(now)
    const due = ofType('task').map((task) => Date.parse(String(task['due_date'])))
    expect([due.some((time) => time < now), due.some((time) => time > now)]).toEqual([true, true])
  })

  it('WRITE-1 is what the rules of Sell would have taken', async () => {
    const { validate } = sellTypes()
    const wrong = []
    for (const { type, data } of records) {
      const rules = writableTypes[type]
      if (rules === undefined) {
        expect(readOnlyTypes).toContain(type)
        continue
      }
      const given = Object.fromEntries(
        Object.entries(data).filter(([field]) => field === 'id' || field in rules.writable),
      )
      const found = await validate({ op: 'create', type, id: String(data.id), data: given, current: null, user: '1' })
      if (found !== undefined && found.length > 0) wrong.push({ type, data, found })
    }
    expect(wrong).toEqual([])
  })

  it('R37 is imported once: a later start changes nothing', async () => {
    const store = createMemoryStore()
    const size = { contacts: 10, deals: 4, tasks: 3, notes: 2 }
    await importCrm(store, 'a', size)
    const first = await store.list('a', ['everyone'], 'deal', { page: 1, perPage: 10 })
    await importCrm(store, 'a', { ...size, seed: 9 })
    expect(await store.list('a', ['everyone'], 'deal', { page: 1, perPage: 10 })).toEqual(first)
    expect(first.count).toBe(4)
  })
})
