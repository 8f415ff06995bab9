/**
 * What a hostile or broken server may say, as JSON text, since what hurts most cannot be said in values that went
 * through `JSON.stringify`: prototype names as keys, whole numbers beyond 2^53, duplicate keys, depth.
 */
import fc from 'fast-check'

const nested = (depth: number, open: string, close: string): string => open.repeat(depth) + '1' + close.repeat(depth)

/** Names that mean something to JavaScript, to a URL or to a store. */
export const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'then',
  'toJSON',
  'length',
  'valueOf',
  '$unsafeInteger',
  '',
  '.',
  '..',
  '../../admin',
  'a/b?c#d',
  '%',
  '%2e',
  '\u0000',
  '\ud800',
  '\udfff\ud800',
  '\uffff',
  'é́',
]

const FRAGMENTS = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '-1',
  '1e308',
  '1e400',
  '-1e400',
  '1e-320',
  '0.1',
  '9007199254740991',
  '9007199254740993',
  '-9007199254740993',
  '1'.repeat(400),
  '""',
  '[]',
  '{}',
  '[null]',
  '"x"',
  `"${'x'.repeat(5_000)}"`,
  '"2026-01-01"',
  '{"__proto__":{"polluted":1}}',
  '{"__proto__":null}',
  '{"constructor":{"prototype":{"polluted":1}}}',
  '{"toString":null,"valueOf":1,"hasOwnProperty":false}',
  '{"then":"x","toJSON":"x"}',
  '{"length":-1,"0":1}',
  '{"a":1,"a":2}',
  '{"$unsafeInteger":"1"}',
  nested(90, '[', ']'),
  nested(300, '{"a":', '}'),
  nested(2_000, '[', ']'),
  nested(5_000, '{"__proto__":', '}'),
]

const name = fc.constantFrom(...NAMES)

/** The text of one JSON value. */
export const fragment: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...FRAGMENTS) },
  { weight: 2, arbitrary: name.map((text) => JSON.stringify(text)) },
  { weight: 1, arbitrary: fc.json({ maxDepth: 4 }) },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.tuple(name, fc.constantFrom(...FRAGMENTS)), { maxLength: 4 })
      .map((fields) => `{${fields.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join()}}`),
  },
)

/** How one place of an answer is spoilt. */
export interface Spoil {
  /** Which place, as a share of all places. */
  readonly at: number
  readonly how: 'replace' | 'drop' | 'rename' | 'add'
  readonly fragment: string
  readonly name: string
}

export const spoil: fc.Arbitrary<Spoil> = fc.record({
  at: fc.double({ min: 0, max: 0.999, noNaN: true }),
  how: fc.constantFrom('replace', 'replace', 'replace', 'drop', 'rename', 'add'),
  fragment,
  name,
})

type Path = readonly string[]

function placesIn(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return [path, ...Object.entries(value).flatMap(([key, one]) => placesIn(one, [...path, key]))]
}

/** The share that names this place. */
export function placeOf(value: unknown, path: string): number {
  const places = placesIn(value).map((one) => one.join('.'))
  return (places.indexOf(path) + 0.5) / places.length
}

export interface Spoilt {
  readonly text: string
  readonly path: Path
}

/** The text of a value with one place spoilt. */
export function spoilt(value: unknown, { at, how, fragment: text, name: field }: Spoil): Spoilt {
  const places = placesIn(value)
  const path = places[Math.floor(at * places.length)]!
  return { text: write(value, path, how, text, field), path }
}

function write(value: unknown, path: Path | null, how: Spoil['how'], text: string, field: string): string {
  const [here, ...below] = path ?? []
  if (path !== null && here === undefined) {
    if (how === 'add' && typeof value === 'object' && value !== null && !Array.isArray(value)) {
      const own = write(value, null, how, text, field)
      return `${own.slice(0, -1)}${own === '{}' ? '' : ','}${JSON.stringify(field)}:${text}}`
    }
    return text
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const parts = Object.entries(value).flatMap(([key, one]) => {
    const mine = here === key
    if (mine && below.length === 0 && how === 'drop') return []
    const shown = mine && below.length === 0 && how === 'rename' ? field : key
    const inner = write(one, mine && shown === key ? below : null, how, text, field)
    return [Array.isArray(value) ? inner : `${JSON.stringify(shown)}:${inner}`]
  })
  return Array.isArray(value) ? `[${parts.join()}]` : `{${parts.join()}}`
}

/** What is done to the whole text of a body. */
export const mangle: fc.Arbitrary<(text: string) => string> = fc.oneof(
  { weight: 8, arbitrary: fc.constant((text: string) => text) },
  {
    weight: 1,
    arbitrary: fc
      .double({ min: 0, max: 1, noNaN: true })
      .map((share) => (text: string) => text.slice(0, share * text.length)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      (text: string) => `\ufeff${text}`,
      (text: string) => `${text}}`,
      (text: string) => text.replaceAll('"', "'"),
      (text: string) => `${text.slice(0, 20)}\ufffd${text.slice(21)}`,
      () => '',
      () => 'NaN',
      () => '<html></html>',
      () => nested(50_000, '[', ']'),
    ),
  },
)

/** Everything that all code shares: a change to any of it is somebody's doing. */
export function globals(): string {
  const shared: Array<[string, object]> = [
    ['Object', Object],
    ['Object.prototype', Object.prototype],
    ['Array.prototype', Array.prototype],
    ['Function.prototype', Function.prototype],
    ['String.prototype', String.prototype],
    ['Number.prototype', Number.prototype],
    ['Boolean.prototype', Boolean.prototype],
    ['Map.prototype', Map.prototype],
    ['Set.prototype', Set.prototype],
    ['Promise', Promise],
    ['Promise.prototype', Promise.prototype],
    ['RegExp.prototype', RegExp.prototype],
    ['Error.prototype', Error.prototype],
    ['Date.prototype', Date.prototype],
    ['JSON', JSON],
    ['Math', Math],
    ['Reflect', Reflect],
  ]
  const known = (value: unknown): string => {
    if (typeof value !== 'object' && typeof value !== 'function') return String(value as number)
    if (value === null) return 'null'
    let number = identities.get(value)
    if (number === undefined) identities.set(value, (number = identities.size))
    return `#${number}`
  }
  return [...shared, ['globalThis', globalThis] as const]
    .map(([name, object]) => {
      const keys = Reflect.ownKeys(object).map((key) => {
        const { value, get, set } = Object.getOwnPropertyDescriptor(object, key) ?? {}
        return `${String(key)}=${name === 'globalThis' ? '' : known(value)},${name === 'globalThis' ? '' : known(get) + known(set)}`
      })
      return `${name}: ${keys.join(' ')}`
    })
    .join('\n')
}
const identities = new Map<object, number>()
