/**
 * Keys: canonical record ids and the *shadow keys* that indexes and sorting use (R4).
 * IndexedDB cannot index null, booleans, objects or missing values, so every indexed field is stored
 * as a small array that can always be compared: missing or null [0], boolean [1, 0|1],
 * number [2, n], string [3, s], object or array [4]. That order is the sort order: nulls come first.
 */

export type ShadowKey = readonly [0] | readonly [1, 0 | 1] | readonly [2, number] | readonly [3, string] | readonly [4]

/** Sorts before every shadow key but null's, and after every other: bounds for "anything of this kind". */
export const AFTER_ALL: readonly [5] = [5]

export function shadowKey(value: unknown, fold = false): ShadowKey {
  switch (typeof value) {
    case 'boolean':
      return [1, value ? 1 : 0]
    case 'number':
      return Number.isNaN(value) ? [0] : [2, value]
    case 'string':
      return [3, fold ? foldText(value) : value]
    case 'object':
      return value === null ? [0] : [4]
    default:
      return [0]
  }
}

/** The order IndexedDB gives shadow keys: kind first, then numbers by value, strings by UTF-16 code unit. */
export function compareKeys(a: ShadowKey, b: ShadowKey): number {
  if (a[0] !== b[0]) return a[0] < b[0] ? -1 : 1
  const x = a[1]
  const y = b[1]
  if (x === y || x === undefined || y === undefined) return 0
  return x < y ? -1 : 1
}

export function compareIds(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}

/** Where a row stands in a query's order: its sort key (null without an order) and its id. */
export interface Position {
  readonly key: ShadowKey | null
  readonly id: string
}

/** The total order of results: sort key, then id, both reversed for `desc`. */
export function positionOrder(dir?: 'asc' | 'desc'): (a: Position, b: Position) => number {
  const sign = dir === 'desc' ? -1 : 1
  return (a, b) => sign * ((a.key !== null && b.key !== null && compareKeys(a.key, b.key)) || compareIds(a.id, b.id))
}

// Letters that Unicode does not take apart into a base letter and a mark, and what they become.
const UNDECOMPOSED = 'ßæœøđðþłħıŧ'
const BASES = ['ss', 'ae', 'oe', 'o', 'd', 'd', 'th', 'l', 'h', 'i', 't']

/** Lower case, no diacritics: `Łódź` and `lodz` are the same for a folded index. */
export function foldText(text: string): string {
  return text
    .toLowerCase()
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .replace(/[ßæœøđðþłħıŧ]/g, (letter) => BASES[UNDECOMPOSED.indexOf(letter)] ?? letter)
}

/** The smallest string above every string that starts with `prefix`; null if there is none. */
export function afterPrefix(prefix: string): string | null {
  for (let end = prefix.length; end > 0; end--) {
    const unit = prefix.charCodeAt(end - 1)
    if (unit < 0xffff) return prefix.slice(0, end - 1) + String.fromCharCode(unit + 1)
  }
  return null
}

/** The string under which a record is stored: `1` and `"1"` are the same record (ITEM-7). Null if unusable. */
export function canonicalId(value: unknown): string | null {
  if (typeof value === 'string') return value === '' ? null : value
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : null
}
