/** The app's schema: what is refused by name, how records are keyed and checked (R29, R30, R31, ITEM-7). */
import { describe, expect, it } from 'vitest'
import * as z from 'zod/mini'
import {
  collection,
  compileSchema,
  defineSchema,
  own,
  schemaHash,
  toPlainSchema,
  type CollectionOptions,
  type Row,
  type Schema,
} from '../src/schema.ts'

const one = (options: CollectionOptions<Row> = {}, name = 'contact', version = 1) =>
  defineSchema({ version, collections: { [name]: collection<Row>(options) } })
const specOf = (options: CollectionOptions<Row> = {}) => {
  const spec = compileSchema(one(options)).get('contact')
  if (spec === undefined) throw new Error('no spec')
  return spec
}
const refusal = (message: string) =>
  expect.objectContaining({
    name: 'SyncError',
    code: 'schema_invalid',
    message: expect.stringContaining(message) as string,
  })

describe('defineSchema', () => {
  it('refuses what cannot work, and names it', () => {
    expect(() => one({}, 'contact', 0)).toThrow(refusal('version'))
    expect(() => one({}, 'contact', 1.5)).toThrow(refusal('version'))
    expect(() => defineSchema({ version: 1, collections: {} })).toThrow(refusal('at least one'))
    for (const name of ['Contact', '__proto__x', '1st', 'a-b', '', 'a'.repeat(65)])
      expect(() => one({}, name)).toThrow(refusal('cannot be a collection'))
    for (const name of ['status', 'then', 'outbox', 'close'])
      expect(() => one({}, name)).toThrow(refusal(`"${name}" cannot be a collection`))
    expect(() => one({ key: '' })).toThrow(refusal('key must name a field'))
    expect(() => one({ key: [] })).toThrow(refusal('key must name a field'))
    expect(() => one({ key: ['a', 'b', 'a'] })).toThrow(refusal('twice'))
    expect(() => one({ indexes: ['a', 'b', 'a'] })).toThrow(refusal('contact: an index is declared twice'))
    expect(() =>
      one({
        indexes: [
          ['a', 'b'],
          ['a', 'b'],
        ],
      }),
    ).toThrow(refusal('contact: an index is declared twice'))
  })

  it('refuses indexes over names that are dangerous or no names at all (I22, F44)', () => {
    for (const field of ['__proto__', 'constructor', 'prototype', 'a.b', 'a b', '', '[a+b]', '1a'])
      expect(() => one({ indexes: [field] })).toThrow(refusal('cannot be indexed'))
  })
})

describe('record keys', () => {
  it('are one field, several, or a function, always as text (ITEM-7)', () => {
    expect(specOf().idOf({ id: 7 })).toBe('7')
    expect(specOf().idOf({ id: '7' })).toBe('7')
    expect(specOf({ key: 'code' }).idOf({ id: 1, code: 'x' })).toBe('x')
    expect(specOf({ key: ['deal_id', 'contact_id'] }).idOf({ deal_id: 3, contact_id: '4' })).toBe('3:4')
    expect(specOf({ key: ['deal_id', 'contact_id'] }).idOf({ deal_id: 3 })).toBeNull()
    expect(specOf({ key: (row) => `k${String(row['id'])}` }).idOf({ id: 1 })).toBe('k1')
  })

  it('of several fields differ where any field does, whatever the texts hold (ITEM-7)', () => {
    const { idOf } = specOf({ key: ['a', 'b'] })
    const texts = ['x', 'x:', ':x', ':', '::', '\\', '\\:', ':\\', 'x\\', 'x:y', 'y', 'y:z', 'z']
    const ids = texts.flatMap((a) => texts.map((b) => idOf({ a, b })))
    expect(new Set(ids).size).toBe(texts.length ** 2)
  })

  it('are never read from a prototype (I22, F44)', () => {
    expect(specOf({ key: 'constructor' }).idOf({})).toBeNull()
    expect(own({}, 'toString')).toBeUndefined()
    expect(own(JSON.parse('{"__proto__":5}') as Row, '__proto__')).toBe(5)
  })
})

describe('validators', () => {
  const validate = z.object({ id: z.number(), name: z.string() })

  it('say why a row does not fit, with the path, and null if it does (R29)', () => {
    const { check } = specOf({ validate })
    expect(check({ id: 1, name: 'a', more: true })).toBeNull()
    expect(check({ id: 1 })).toMatch(/^name: /)
  })

  it('that are asynchronous are refused by name (R29)', () => {
    const asynchronous = {
      '~standard': { version: 1 as const, vendor: 'test', validate: () => Promise.reject(new Error('later')) },
    }
    expect(() => specOf({ validate: asynchronous }).check({})).toThrow(
      expect.objectContaining({ code: 'schema_async', message: expect.stringContaining('contact') as string }),
    )
  })

  it("and key functions need the app's own worker (R29)", () => {
    for (const options of [{ validate }, { key: () => 'k' }]) {
      expect(() => toPlainSchema(one(options), true)).toThrow(expect.objectContaining({ code: 'schema_needs_worker' }))
      const plain = structuredClone(toPlainSchema(one(options), false))
      expect(schemaHash(plain)).toBe(schemaHash(one(options)))
    }
    const schema = one({ key: ['a', 'b'], indexes: ['n', { field: 'm', fold: true }, ['n', 'm']] })
    const plain = structuredClone(toPlainSchema(schema, true))
    expect(schemaHash(defineSchema(plain as Schema))).toBe(schemaHash(schema))
  })
})

describe("the schema's hash", () => {
  it('changes with keys and indexes and with nothing else (R30)', () => {
    const base = one({ indexes: ['a', 'b'] })
    expect(schemaHash(one({ indexes: ['a', 'b'] }, 'contact', 9))).toBe(schemaHash(base))
    expect(schemaHash(one({ indexes: ['a', 'b'], key: 'id' }))).toBe(schemaHash(base))
    const others = [
      one({ indexes: ['a'] }),
      one({ indexes: ['a', { field: 'b', fold: true }] }),
      one({ indexes: ['a', 'b'], key: 'code' }),
      one({ indexes: ['a', 'b'] }, 'deal'),
    ]
    for (const other of others) expect(schemaHash(other)).not.toBe(schemaHash(base))
    const two = { contact: collection(), deal: collection({ indexes: ['n'] }) }
    expect(schemaHash(defineSchema({ version: 1, collections: { deal: two.deal, contact: two.contact } }))).toBe(
      schemaHash(defineSchema({ version: 1, collections: two })),
    )
  })

  it('a field that is folded in one index is folded in all of them (R4)', () => {
    const { indexes } = specOf({ indexes: [{ field: 'name', fold: true }, ['name', 'n']] })
    expect(indexes.map(({ parts }) => parts[0])).toEqual([
      { field: 'name', fold: true },
      { field: 'name', fold: true },
    ])
  })
})
