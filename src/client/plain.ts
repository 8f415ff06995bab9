/**
 * Values from the app as copies in plain data: reactive proxies and class instances cannot cross to the worker (F50),
 * and what JSON cannot say is refused here, by the name of its field, instead of being lost on the way.
 */

/** Deeper than anybody nests; what goes in a circle gets there. */
const DEEPEST = 100

/** Throws, or gives what stands for the value. */
export type Refuse = (path: string, what: string, value: unknown) => unknown

export function plainCopy(value: unknown, path: string, refuse: Refuse, depth = 0): unknown {
  const copy = (one: unknown, at: string | number): unknown => plainCopy(one, `${path}.${at}`, refuse, depth + 1)
  const bad = (what: string): unknown => refuse(path, what, value)
  switch (typeof value) {
    case 'object': {
      if (value === null) return null
      if (depth > DEEPEST) return bad('an object that holds itself')
      if (Array.isArray(value)) return Array.from(value, copy)
      // A date, a map, a file: they have no fields that say what they are.
      const kind = Object.prototype.toString.call(value).slice(8, -1)
      if (kind !== 'Object') return bad(kind)
      const fields = Object.entries(value).filter(([, one]) => one !== undefined)
      return Object.fromEntries(fields.map(([field, one]) => [field, copy(one, field)]))
    }
    case 'number':
      return Number.isFinite(value) ? value : bad(String(value))
    case 'string':
    case 'boolean':
      return value
    default:
      return bad(typeof value)
  }
}
