/** Text to value without losing a digit, and without breaking what JSON.parse understands (R8, F11). */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { holdsUnsafeInteger, inspect, parseJson } from '../../src/protocol/json.ts'

describe('parseJson', () => {
  it('marks a text nested unusually deep for a closer look, wherever quotes and brackets stand in its strings (F11)', () => {
    const nested = (levels: number): string => `${'{"a":['.repeat(levels / 2)}1${']}'.repeat(levels / 2)}`
    expect(parseJson(nested(100)).suspect).toBe(false)
    expect(parseJson(nested(102)).suspect).toBe(true)
    expect(parseJson(`[${Array.from({ length: 500 }, () => '{"a":[]}').join(',')}]`).suspect).toBe(false)
    for (const text of ['['.repeat(200), '\\', '"'.repeat(9), `\\"${'{'.repeat(200)}`, `${'\\\\'}"[`])
      expect(parseJson(JSON.stringify({ [text]: [text, text] })).suspect).toBe(false)
    expect(parseJson(`["\\\\",${nested(102)},"\\""]`).suspect).toBe(true)
  })

  it('is JSON.parse for every text whose numbers JavaScript can hold (R8)', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), (text) => {
        const { value } = parseJson(text)
        fc.pre(!holdsUnsafeInteger(value))
        expect(value).toEqual(JSON.parse(text))
      }),
      { numRuns: 500 },
    )
  })

  it('reads numbers with many digits after the point as the numbers they are (F11)', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        const text = JSON.stringify(number)
        const { value } = parseJson(`{"lat":${text},"id":1}`)
        const unsafe = /^-?\d+$/.test(text) && !Number.isSafeInteger(number)
        expect(holdsUnsafeInteger(value)).toBe(unsafe)
        if (!unsafe) expect(value).toEqual({ lat: JSON.parse(text), id: 1 })
      }),
      { numRuns: 500, examples: [[0.30000000000000004], [-46.633333000000012], [1e21], [1.2345678901234567e-7]] },
    )
    expect(parseJson('[1e0000000000000000001, -0.1234567890123456789]').value).toEqual([10, -0.12345678901234568])
  })

  it('marks whole numbers that JavaScript would round, with all their digits (R8)', () => {
    const { value, suspect } = parseJson(
      '{"id":9007199254740993,"ok":9007199254740991,"deep":[{"n":-12345678901234567890}]}',
    )
    expect(suspect).toBe(true)
    expect(holdsUnsafeInteger(value)).toBe(true)
    expect(JSON.stringify(value)).toContain('9007199254740993')
    expect(JSON.stringify(value)).toContain('-12345678901234567890')
    expect(value).toMatchObject({ ok: 9007199254740991 })
  })

  it('leaves long digits inside strings alone, escapes and all (R8)', () => {
    const data = { phone: '12345678901234567890', quote: 'a"12345678901234567890\\', 'key 12345678901234567890': 1 }
    const { value } = parseJson(JSON.stringify(data))
    expect(value).toEqual(data)
    expect(holdsUnsafeInteger(value)).toBe(false)
  })

  it('throws for text that was cut, at any place (F1, F11)', () => {
    const text = JSON.stringify({ items: [{ id: 1234567890123456, name: 'é"\\' }], meta: { count: 1 } })
    for (let end = 0; end < text.length; end++) expect(() => parseJson(text.slice(0, end))).toThrow(SyntaxError)
  })

  it('takes a long string and a cut long string in its stride (F13)', () => {
    const long = JSON.stringify({ id: 9007199254740993n.toString(), text: `${'x'.repeat(4_000_000)}\\"`.repeat(2) })
    expect(parseJson(long).suspect).toBe(false)
    expect(() => parseJson(long.slice(0, -3))).toThrow(SyntaxError)
  })

  it('refuses a cut body full of escaped quotes without reading it again and again (F1, F11)', () => {
    const cut = `{"b":12345678901234567890,"a":"${'x\\"'.repeat(60_000)}`
    expect(() => parseJson(cut)).toThrow(SyntaxError)
  }, 5_000)

  it('finds the long number behind a string of 12 MB, and one of a million digits (R8, F13)', () => {
    const digits = '9'.repeat(1_000_000)
    const text = `{"a":"${'x'.repeat(12_000_000)}","b":12345678901234567890,"c":[-1,${digits}]}`
    const value = JSON.stringify(parseJson(text).value)
    expect(value).toContain('"12345678901234567890"')
    expect(value.includes(`[-1,{"$unsafeInteger":"${digits}"}]`)).toBe(true)
  })
})

describe('inspect', () => {
  const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth))

  it('counts levels of objects and lists, at any depth (F11)', () => {
    expect(inspect(nested(5), 5).tooDeep).toBe(false)
    expect(inspect(nested(6), 5).tooDeep).toBe(true)
    expect(inspect({ a: [{ b: 1 }], c: 'x' }, 3).tooDeep).toBe(false)
    expect(inspect({ a: [{ b: 1 }], c: 'x' }, 2).tooDeep).toBe(true)
    expect(inspect('flat', 0).tooDeep).toBe(false)
    expect(inspect(nested(200_000), 500).tooDeep).toBe(true)
    expect(inspect(nested(200_000))).toEqual({ unsafeInteger: false, tooDeep: false })
  })
})
