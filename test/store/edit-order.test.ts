/** Which edits may leave (I13, R20): in order, after what they name, and never for another's refusal. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Edit } from '../../src/store/edit.ts'
import { refersTo, renamed, sendable } from '../../src/store/edit-order.ts'
import { makeEdit, specOf, specs } from './edit-support.ts'

const ready = (edits: readonly Edit[], ...except: string[]): number[] =>
  sendable(edits, specs, new Set(except)).map(({ n }) => n)

const edit = (n: number, some: Partial<Edit> = {}): Edit => makeEdit({ n, key: String(n), jsonKey: n, ...some })

describe('what may leave', () => {
  it('are the first edits of each record, oldest first (I13)', () => {
    expect(ready([edit(1, { key: 'a' }), edit(2, { key: 'b' }), edit(3, { key: 'a' }), edit(4, { key: 'c' })])).toEqual(
      [1, 2, 4],
    )
    const same = [edit(1, { key: 'a' }), edit(2, { key: 'a', type: 'contact' })]
    expect(ready(same)).toEqual([1, 2])
  })

  it('passes by those the server has, and hands out again those whose fate is unknown (R15)', () => {
    const of = (state: Edit['state'], parked = false): number[] =>
      ready([edit(1, { key: 'a', state, parked }), edit(2, { key: 'a' })])
    expect(of('confirmed')).toEqual([2])
    expect(of('sending')).toEqual([1])
    expect(of('unknown')).toEqual([1])
    expect(of('unknown', true)).toEqual([])
    expect(of('refused')).toEqual([])
  })

  it('keeps the order of one write; a refusal parks only what follows in it (R20)', () => {
    const group = 'g'
    expect(ready([edit(1, { group }), edit(2, { group }), edit(3)])).toEqual([1, 3])
    expect(ready([edit(1, { group, state: 'refused' }), edit(2, { group }), edit(3)])).toEqual([3])
    expect(
      ready([edit(1, { group, state: 'confirmed' }), edit(2, { group, state: 'refused' }), edit(3, { group })]),
    ).toEqual([])
  })

  it('waits for the record it names, refused and parked ones too, and for nothing else (I13, F54)', () => {
    const ann = edit(1, { op: 'insert', type: 'contact', key: '-5' })
    const deal = edit(2, { op: 'insert', type: 'deal', value: { contact_id: -5 } })
    const other = edit(3, { op: 'insert', type: 'deal', value: { contact_id: -6 } })
    expect(ready([ann, deal, other])).toEqual([1, 3])
    expect(ready([{ ...ann, state: 'refused' }, deal, other])).toEqual([3])
    expect(ready([{ ...ann, state: 'unknown', parked: true }, deal, other])).toEqual([3])
    expect(ready([{ ...ann, state: 'confirmed' }, deal, other])).toEqual([2, 3])
    expect(ready([ann, deal, other], 'edit-1')).toEqual([3])
    // A change or a deletion of a record is no reason to wait for it.
    expect(ready([{ ...ann, op: 'update' }, deal])).toEqual([1, 2])
  })

  it('waits also where both records have the same key (I13)', () => {
    const contact = edit(1, { op: 'insert', type: 'contact', key: '7' })
    const deal = edit(2, { op: 'insert', type: 'deal', key: '7', value: { contact_id: 7 } })
    expect(ready([contact, deal])).toEqual([1])
  })

  it('follows the field that names the collection, and waits for any where it is not given (I13)', () => {
    const ann = edit(1, { op: 'insert', type: 'contact', key: '-5' })
    const task = (value: Edit['value']): Edit => edit(2, { op: 'insert', type: 'task', value })
    expect(ready([ann, task({ resource_id: -5, resource_type: 'contact' })])).toEqual([1])
    expect(ready([ann, task({ resource_id: -5, resource_type: 'deal' })])).toEqual([1, 2])
    expect(ready([ann, task({ resource_id: -5 })])).toEqual([1])
    expect(ready([ann, task({ resource_id: -5, resource_type: null })])).toEqual([1])
  })

  it('lets a record go that names itself, and two in one write that name each other (I14)', () => {
    expect(ready([edit(1, { op: 'insert', type: 'contact', key: '1', value: { parent_id: 1 } })])).toEqual([1])
    const group = 'g'
    const deal = edit(1, { op: 'insert', type: 'deal', key: '1', group, value: { contact_id: 5 } })
    const contact = edit(2, { op: 'insert', type: 'contact', key: '5', group, value: { main_deal_id: 1 } })
    expect(ready([deal, contact])).toEqual([1])
    expect(ready([{ ...deal, state: 'confirmed' }, contact])).toEqual([2])
  })

  it('holds back edits of a collection the app does not know', () => {
    expect(ready([edit(1, { type: 'gone' }), edit(2)])).toEqual([2])
  })

  it('never comes to a standstill: whatever the edits, each leaves after finitely many others (I14, R20)', () => {
    const one = fc.record({
      op: fc.constantFrom('insert' as const, 'update' as const, 'delete' as const),
      type: fc.constantFrom('contact', 'deal', 'task'),
      key: fc.integer({ min: 1, max: 4 }),
      group: fc.constantFrom(null, 'g', 'h'),
      value: fc.record(
        {
          parent_id: fc.integer({ min: 1, max: 4 }),
          main_deal_id: fc.integer({ min: 1, max: 4 }),
          contact_id: fc.integer({ min: 1, max: 4 }),
          resource_id: fc.integer({ min: 1, max: 4 }),
          resource_type: fc.constantFrom('contact', 'deal'),
        },
        { requiredKeys: [] },
      ),
    })
    fc.assert(
      fc.property(fc.array(one, { maxLength: 12 }), (shapes) => {
        let edits = shapes.map(({ key, ...shape }, at) => edit(at + 1, { ...shape, key: String(key) }))
        const left: number[] = []
        while (left.length < edits.length) {
          const next = ready(edits)
          expect(next.length).toBeGreaterThan(0)
          left.push(...next)
          edits = edits.map((each) => (next.includes(each.n) ? { ...each, state: 'confirmed' } : each))
        }
        for (const type of ['contact', 'deal', 'task'])
          for (let key = 1; key <= 4; key++) {
            const mine = left.filter((n) => edits[n - 1]?.type === type && edits[n - 1]?.key === String(key))
            expect(mine).toEqual(mine.toSorted((a, b) => a - b))
          }
      }),
    )
  })

  it('is found quickly among thousands of new records', () => {
    const many = Array.from({ length: 3_000 }, (_, at) =>
      edit(at + 1, { op: 'insert', type: 'deal', key: String(-at - 1), value: { contact_id: 1, code: 2 } }),
    )
    const began = performance.now()
    expect(ready(many)).toHaveLength(3_000)
    expect(performance.now() - began).toBeLessThan(250)
  })
})

describe('a temporary key that became a real one', () => {
  it('is replaced in the fields that name this record, and in no other (R18)', () => {
    const deal = specOf('deal')
    const value = { name: 'x', contact_id: 'a', code: 'a' }
    expect(refersTo(value, deal, { type: 'contact', key: 'a' })).toBe(true)
    expect(renamed(value, deal, { type: 'contact', key: 'a' }, 7)).toEqual({ name: 'x', contact_id: 7, code: 'a' })
    expect(renamed(value, deal, { type: 'task', key: 'a' }, 7)).toBe(value)
    expect(renamed(value, deal, { type: 'contact', key: 'b' }, 7)).toBe(value)
  })

  it('is replaced where another field names its collection (R18)', () => {
    const task = specOf('task')
    const named = (value: object): unknown => renamed(value as never, task, { type: 'deal', key: '-5' }, 7)
    expect(named({ resource_id: -5, resource_type: 'deal' })).toEqual({ resource_id: 7, resource_type: 'deal' })
    expect(named({ resource_id: -5, resource_type: 'contact' })).toEqual({ resource_id: -5, resource_type: 'contact' })
    expect(named({ resource_id: '-5' })).toEqual({ resource_id: 7 })
  })
})
