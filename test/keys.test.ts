/** Keys of records and of indexes (R4, ITEM-7): one order, on disk and in memory alike. */
import fc from 'fast-check'
import { indexedDB } from 'fake-indexeddb'
import { describe, expect, it } from 'vitest'
import { AFTER_ALL, afterPrefix, canonicalId, compareKeys, foldText, positionOrder, shadowKey } from '../src/keys.ts'

const jsonValue = fc.oneof(
  fc.constantFrom(undefined, null, true, false, '', 0, -0, NaN, Infinity, -Infinity, {}, []),
  fc.integer(),
  fc.double(),
  fc.string({ unit: 'binary' }),
)
const kinds = [undefined, false, true, -Infinity, -1, 0, 7.5, Infinity, '', 'Z', 'a', 'ä', {}]

describe('shadow keys', () => {
  it('put every JSON value in one order: missing and null, booleans, numbers, strings, the rest (R4)', () => {
    const keys = kinds.map((value) => shadowKey(value))
    for (const [at, key] of keys.entries())
      for (const later of keys.slice(at + 1)) expect(compareKeys(key, later)).toBeLessThan(0)
    expect(shadowKey(null)).toEqual(shadowKey(undefined))
    expect(shadowKey(NaN)).toEqual(shadowKey(null))
    expect(shadowKey([1])).toEqual(shadowKey({ a: 1 }))
  })

  it('are ordered in memory exactly as IndexedDB orders them (R4)', () => {
    fc.assert(
      fc.property(jsonValue, jsonValue, (a, b) => {
        const [x, y] = [shadowKey(a), shadowKey(b)]
        expect(Math.sign(compareKeys(x, y))).toBe(indexedDB.cmp(x, y))
        expect(indexedDB.cmp(x, AFTER_ALL)).toBe(-1)
      }),
      { numRuns: 500 },
    )
  })

  it('fold case and diacritics where asked to, and only there (R4)', () => {
    expect(shadowKey('São Paulo', true)).toEqual(shadowKey('SAO PAULO', true))
    expect(shadowKey('São Paulo')).not.toEqual(shadowKey('sao paulo'))
    expect(['Łódź', 'Straße', 'Ærø', 'Đà Nẵng', 'İstanbul'].map(foldText)).toEqual([
      'lodz',
      'strasse',
      'aero',
      'da nang',
      'istanbul',
    ])
  })

  it('folding twice is folding once, so a page may send a key folded or not', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => foldText(foldText(text)) === foldText(text)))
  })

  it('afterPrefix ends exactly what begins with the prefix', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (prefix, text) => {
        const end = afterPrefix(prefix)
        const within = text >= prefix && (end === null || text < end)
        expect(within).toBe(text.startsWith(prefix))
      }),
      { numRuns: 300 },
    )
    expect(afterPrefix('')).toBeNull()
    expect(afterPrefix('a\uffff')).toBe('b')
  })
})

describe('the order of results', () => {
  it('is by sort key, then by id, and "desc" reverses both (R4)', () => {
    const rows = [
      { key: shadowKey(1), id: '2' },
      { key: shadowKey(null), id: '3' },
      { key: shadowKey(1), id: '10' },
    ]
    expect([...rows].sort(positionOrder('asc')).map(({ id }) => id)).toEqual(['3', '10', '2'])
    expect([...rows].sort(positionOrder('desc')).map(({ id }) => id)).toEqual(['2', '10', '3'])
  })
})

describe('canonical ids', () => {
  it('1 and "1" are the same record; what cannot name one is null (ITEM-7)', () => {
    expect(canonicalId(1)).toBe(canonicalId('1'))
    for (const bad of [undefined, null, '', 1.5, NaN, Infinity, 2 ** 53, true, {}, []])
      expect(canonicalId(bad)).toBeNull()
    expect(canonicalId('__proto__')).toBe('__proto__')
  })
})
