/** What an app writes becomes plain operations on the page, or is refused there by name (R18, R20, F50). */
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Transaction } from '../../src/client/api.ts'
import { record } from '../../src/client/write.ts'
import type { SyncError } from '../../src/errors.ts'
import { collection, defineSchema } from '../../src/schema.ts'

interface Contact {
  readonly id: number
  readonly name: string
  readonly tags?: readonly unknown[]
  readonly address?: unknown
}

const { collections } = defineSchema({
  version: 1,
  collections: {
    contact: collection<Contact>(),
    deal: collection<{ id: number; contact_id: number }>({ references: { contact_id: 'contact' } }),
    note: collection<{ id: string; text: string }>({ keyType: 'string' }),
    country: collection<{ code: string; name: string }>({ key: 'code', keyType: 'string' }),
  },
})
type Tx = Transaction<typeof collections>

const written = (callback: (tx: Tx) => unknown) => record(collections, callback)
const refused = (named: string): SyncError =>
  expect.objectContaining({ code: 'invalid_argument', message: expect.stringContaining(named) as string }) as SyncError

afterEach(() => vi.unstubAllGlobals())

describe('recorded writes', () => {
  it('are operations in the order of the calls; a new key can be named by what follows (R18, R20)', () => {
    let key = 0
    const ops = written((tx) => {
      key = tx.contact.insert({ name: 'Ann' })
      tx.deal.insert({ contact_id: key })
      tx.contact.update(7, { name: 'Bo' })
      tx.contact.delete('8')
    })
    expect(ops).toEqual([
      { op: 'insert', collection: 'contact', key, value: { name: 'Ann' }, temporary: true },
      { op: 'insert', collection: 'deal', key: ops[1]?.key, value: { contact_id: key }, temporary: true },
      { op: 'update', collection: 'contact', key: 7, value: { name: 'Bo' }, temporary: false },
      { op: 'delete', collection: 'contact', key: '8', value: null, temporary: false },
    ])
    expect(Number.isSafeInteger(key) && key < 0).toBe(true)
  })

  it('have temporary keys of the JSON type of the collection, also where there is no randomUUID (R18)', () => {
    const uuid = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/
    const keys = (): unknown[] =>
      written((tx) => Array.from({ length: 500 }, () => tx.note.insert({}))).map(({ key }) => key)
    expect(keys()).toEqual(Array.from({ length: 500 }, () => expect.stringMatching(uuid) as string))
    vi.stubGlobal('crypto', { getRandomValues: (bytes: Uint8Array) => bytes.fill(0xa5) })
    expect(keys()[0]).toMatch(uuid)
    vi.unstubAllGlobals()
    const numbers = written((tx) => Array.from({ length: 500 }, () => tx.contact.insert({}))).map(({ key }) => key)
    expect(new Set(numbers).size).toBe(500)
    expect(numbers.every((key) => Number.isSafeInteger(key) && Number(key) < 0)).toBe(true)
  })

  it('take the key that an app gives itself, in the field the collection names', () => {
    expect(
      written((tx) => {
        expect(tx.contact.insert({ id: 5, name: 'Ann' })).toBe(5)
        expect(tx.country.insert({ code: 'PE', name: 'Peru' })).toBe('PE')
        tx.contact.insert({ id: undefined, name: 'Bo' })
        tx.contact.insert({ id: null as never, name: 'Cy' })
      }).map(({ key, value, temporary }) => [typeof key, value, temporary]),
    ).toEqual([
      ['number', { id: 5, name: 'Ann' }, false],
      ['string', { code: 'PE', name: 'Peru' }, false],
      ['number', { name: 'Bo' }, true],
      ['number', { name: 'Cy' }, true],
    ])
  })

  it('of a record may carry its key if it is the same, and cannot change it', () => {
    expect(written((tx) => tx.contact.update('7', { id: 7, name: 'Bo' }))).toMatchObject([{ value: { name: 'Bo' } }])
    expect(() => written((tx) => tx.contact.update(7, { id: 8 }))).toThrow(refused('key'))
    expect(() => written((tx) => tx.contact.update(7, { id: null as never }))).toThrow(refused('key'))
  })

  it('are all or nothing: a throw passes on, and a callback that waits is refused and can record no more (R20)', async () => {
    expect(() =>
      written((tx) => {
        tx.contact.delete(1)
        throw new Error('mine')
      }),
    ).toThrow('mine')
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    let late: unknown
    const waits = async (tx: Tx): Promise<void> => {
      tx.contact.delete(1)
      await null
      try {
        tx.contact.delete(2)
      } catch (error) {
        late = error
        throw error
      }
    }
    expect(() => written(waits)).toThrow(refused('synchronous'))
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(late).toEqual(refused('synchronous'))
    expect(unhandled).not.toHaveBeenCalled()
    process.off('unhandledRejection', unhandled)
  })
})

describe('written values', () => {
  const valueOf = (value: unknown): unknown => written((tx) => tx.contact.insert(value as Contact))[0]?.value

  it('are copies in plain JSON, without what is undefined, free of proxies and classes (F50)', () => {
    class Address {
      street = 'Main'
      #secret = 1
      read(): number {
        return this.#secret
      }
    }
    const tags = [1, { deep: true }]
    const given = new Proxy({ name: 'Ann', tags: new Proxy(tags, {}), address: new Address(), gone: undefined }, {})
    const value = valueOf(given)
    expect(structuredClone(value)).toEqual({ name: 'Ann', tags: [1, { deep: true }], address: { street: 'Main' } })
    expect(Object.keys(value as object)).toEqual(['name', 'tags', 'address'])
    tags.push(2)
    expect(value).toMatchObject({ tags: [1, { deep: true }] })
    expect(JSON.stringify(valueOf(JSON.parse('{"a":{"__proto__":{"b":1}},"n":null,"f":false}')))).toBe(
      '{"a":{"__proto__":{"b":1}},"n":null,"f":false}',
    )
  })

  const circle: Record<string, unknown> = { name: 'x' }
  circle['self'] = [circle]
  it.each<[string, unknown, string]>([
    ['a function', { name: () => 'x' }, 'contact.name: function'],
    ['a symbol', { tags: [Symbol('x')] }, 'contact.tags.0: symbol'],
    ['a bigint', { address: { no: 5n } }, 'contact.address.no: bigint'],
    ['a date', { address: { since: new Date(0) } }, 'contact.address.since: Date'],
    ['a map', { address: new Map() }, 'contact.address: Map'],
    ['a typed array', { address: new Uint8Array(2) }, 'contact.address: Uint8Array'],
    ['NaN', { name: NaN }, 'contact.name: NaN'],
    ['Infinity', { tags: [1, -Infinity] }, 'contact.tags.1: -Infinity'],
    ['a hole in a list', { tags: [1, undefined] }, 'contact.tags.1: undefined'],
    ['a circle', circle, 'contact.self.0.self'],
    ['no object', 'Ann', 'object'],
    ['a list', [1], 'object'],
    ['nothing', undefined, 'contact'],
  ])('that hold %s are refused by the name of the field', (_what, value, named) => {
    expect(() => valueOf(value)).toThrow(refused(named))
    if (value !== undefined)
      expect(() => written((tx) => tx.contact.update(1, value as Contact))).toThrow(refused(named))
  })
})
