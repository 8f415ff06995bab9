/** What a query means, row by row (R4): the definition that every index is later compared with. */
import { describe, expect, it } from 'vitest'
import { compileQuery, idsOf, type Query } from '../src/query.ts'
import { collection, compileSchema, defineSchema, type Row } from '../src/schema.ts'

const schema = defineSchema({
  version: 1,
  collections: { thing: collection<Row>({ indexes: [{ field: 'name', fold: true }, 'n'] }) },
})
const spec = compileSchema(schema).get('thing')
if (spec === undefined) throw new Error('no spec')
const compile = (query: Partial<Query>) => compileQuery({ collection: 'thing', where: {}, ...query }, spec)
const matching = (where: Query['where'], ...values: unknown[]) => {
  const { matches } = compile({ where })
  const field = Object.keys(where)[0] ?? ''
  return values.filter((value) => matches(value === undefined ? {} : { [field]: value }))
}
const refusal = (message: string) =>
  expect.objectContaining({ code: 'invalid_argument', message: expect.stringContaining(message) as string })

describe('conditions', () => {
  const all = [undefined, null, false, true, -1, 0, 5, 7, '5', 'a', {}, []]

  it('a value finds itself, of its own kind; null also finds what is missing (R4)', () => {
    expect(matching({ n: 5 }, ...all)).toEqual([5])
    expect(matching({ n: '5' }, ...all)).toEqual(['5'])
    expect(matching({ n: false }, ...all)).toEqual([false])
    expect(matching({ n: null }, ...all)).toEqual([undefined, null])
  })

  it('a range stays within the kind of its ends (R4)', () => {
    expect(matching({ n: { gte: 0 } }, ...all)).toEqual([0, 5, 7])
    expect(matching({ n: { gt: 0, lt: 7 } }, ...all)).toEqual([5])
    expect(matching({ n: { lte: 'a' } }, ...all)).toEqual(['5', 'a'])
    expect(matching({ n: { gt: false } }, ...all)).toEqual([true])
    expect(matching({ n: { gt: 7, lt: 0 } }, ...all)).toEqual([])
    expect(matching({ n: { gte: 0, lt: undefined } as never }, ...all)).toEqual([0, 5, 7])
  })

  it('"in" finds any of its values, "startsWith" a prefix, the empty one all texts', () => {
    expect(matching({ n: { in: [7, null, 'a', 7] } }, ...all)).toEqual([undefined, null, 7, 'a'])
    expect(matching({ n: { in: [] } }, ...all)).toEqual([])
    expect(matching({ n: { startsWith: '' } }, ...all)).toEqual(['5', 'a'])
    expect(matching({ n: { startsWith: 'ab' } }, 'ab', 'abc', 'a', 'b')).toEqual(['ab', 'abc'])
  })

  it('a folded field is compared without case and diacritics, in every condition (R4)', () => {
    const names = ['São Paulo', 'SAO TOMÉ', 'Santos', 'Łódź']
    expect(matching({ name: { startsWith: 'são' } }, ...names)).toEqual(['São Paulo', 'SAO TOMÉ'])
    expect(matching({ name: 'lodz' }, ...names)).toEqual(['Łódź'])
    expect(matching({ name: { in: ['SANTOS'] } }, ...names)).toEqual(['Santos'])
    expect(matching({ name: { gt: 'SAO' } }, ...names)).toEqual(['São Paulo', 'SAO TOMÉ'])
  })

  it('fields are AND; fields of the prototype are no fields (I22)', () => {
    const { matches } = compile({ where: { n: 1, name: 'a' } })
    expect(matches({ n: 1, name: 'A' })).toBe(true)
    expect(matches({ n: 1 })).toBe(false)
    expect(matching({ toString: null } as never, undefined, 1)).toEqual([undefined])
  })

  it('that make no sense are refused, with the field named', () => {
    const where = (n: unknown) => () => compile({ where: { n } as never })
    for (const senseless of [
      {},
      { gte: 1, lt: 'x' },
      { near: 1 },
      { gt: null },
      { gt: {} },
      { in: 5 },
      { in: [{}] },
      { startsWith: 1 },
      5n,
    ])
      expect(where(senseless)).toThrow(refusal('"n" takes a string'))
    expect(() => compile({ limit: -1 })).toThrow(refusal('limit'))
    expect(() => compile({ limit: 1.5 })).toThrow(refusal('limit'))
    expect(() => compile({ order: { field: 'n', dir: 'up' as never } })).toThrow(refusal('asc'))
  })
})

describe('after a row', () => {
  const row = { id: 5, name: 'Łódź', n: 10 }
  const place = (query: Partial<Query>, afterRow: Row = row) => compile({ afterRow, ...query }).query.after

  it('begins at its sort key and id, folded where the field is (R4)', () => {
    expect(place({ order: { field: 'n', dir: 'desc' } })).toEqual({ key: [2, 10], id: '5' })
    expect(place({ order: { field: 'name', dir: 'asc' } })).toEqual({ key: [3, 'lodz'], id: '5' })
    expect(place({})).toEqual({ key: null, id: '5' })
  })

  it('takes a missing field as data, which sorts as null', () => {
    expect(place({ order: { field: 'n', dir: 'asc' } }, { id: 5 })).toEqual({ key: [0], id: '5' })
  })

  it('refuses a row without its key, and a selected row without the field it sorts by', () => {
    expect(() => place({}, { name: 'Lima' })).toThrow(refusal('its key'))
    const selected = { select: ['id', 'name'], order: { field: 'n', dir: 'asc' } } as const
    expect(() => place(selected, { id: 5, name: 'Lima' })).toThrow(refusal('the field of orderBy'))
  })
})

describe('keys', () => {
  it('become the id of the record: 1 and "1" are the same (ITEM-7)', () => {
    expect(idsOf([1, '1', 'x'])).toEqual(['1', '1', 'x'])
  })

  it.each([[''], [1.5], [2 ** 53], [null], [undefined], [{}]])('refuse %j', (key) => {
    expect(() => idsOf([key])).toThrow(refusal('a key is'))
  })
})
