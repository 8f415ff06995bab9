/**
 * A query as a plain value: it crosses threads, has a stable key, and can be checked against a row
 * anywhere. `matches` is the definition of what a query means; an index only finds rows faster.
 */
import { SyncError } from './errors.ts'
import {
  afterPrefix,
  canonicalId,
  compareKeys,
  positionOrder,
  shadowKey,
  type AFTER_ALL,
  type Position,
  type ShadowKey,
} from './keys.ts'
import { own, type CollectionSpec, type Row } from './schema.ts'

export type Scalar = string | number | boolean | null

/** One field's condition: a value, a range of one kind, a prefix, or one of several values. */
export type Condition<V = Scalar> =
  | V
  | null
  | { readonly gt?: V; readonly gte?: V; readonly lt?: V; readonly lte?: V }
  | { readonly startsWith: string }
  | { readonly in: ReadonlyArray<V | null> }

/** Conditions on fields; all of them must hold. */
export type Where<T> = { readonly [F in keyof T & string]?: Condition<NonNullable<T[F]>> | undefined }

export type Direction = 'asc' | 'desc'

export type { Position }

export interface Query {
  readonly collection: string
  readonly where: Readonly<Record<string, Condition>>
  readonly order?: { readonly field: string; readonly dir: Direction } | undefined
  readonly limit?: number | undefined
  /** Where the page before this one ended: its last row, as asked, or that row's place, as compiled. */
  readonly afterRow?: Row | undefined
  readonly after?: Position | undefined
  readonly select?: readonly string[] | undefined
}

type Bound = ShadowKey | typeof AFTER_ALL

/** A field's condition as stretches of shadow keys, which is what both an index and a scan test. */
export interface Stretch {
  readonly lower: ShadowKey
  readonly lowerOpen: boolean
  readonly upper: Bound
  readonly upperOpen: boolean
}

/** A query made ready for one collection: conditions as stretches, comparator, row test. */
export interface CompiledQuery {
  readonly query: Query
  readonly fields: ReadonlyMap<string, readonly Stretch[]>
  readonly matches: (row: Row) => boolean
  readonly sortKey: (row: Row) => ShadowKey | null
  /** Total order of results: sort key, then id, both reversed for `desc`. */
  readonly compare: (a: Position, b: Position) => number
}

/** @throws SyncError `invalid_argument` if a condition cannot be understood. */
export function compileQuery(query: Query, spec: CollectionSpec): CompiledQuery {
  const fields = new Map<string, readonly Stretch[]>()
  for (const [field, condition] of Object.entries(query.where)) {
    if (condition === undefined) continue
    fields.set(field, stretches(field, condition, spec.folded.has(field)))
  }
  const { order, limit } = query
  if (limit !== undefined && ((limit | 0) !== limit || limit < 0))
    bad('limit must be a whole number from 0 to 2147483647')
  if (order !== undefined && order.dir !== 'asc' && order.dir !== 'desc') bad('orderBy takes "asc" or "desc"')
  const tests = [...fields].map(([field, list]) => ({ field, list, fold: spec.folded.has(field) }))
  const matches = (row: Row): boolean =>
    tests.every(({ field, list, fold }) => contains(list, shadowKey(own(row, field), fold)))
  const sortKey =
    order === undefined ? () => null : (row: Row) => shadowKey(own(row, order.field), spec.folded.has(order.field))
  const { afterRow } = query
  const after = afterRow === undefined ? query.after : { key: sortKey(afterRow), id: placeOf(afterRow, query, spec) }
  return { query: { ...query, after }, fields, matches, sortKey, compare: positionOrder(order?.dir) }
}

function placeOf(row: Row, { order, select }: Query, { idOf }: CollectionSpec): string {
  const id = idOf(row)
  // Without a selection a missing field is data, and sorts as null.
  if (
    id === null ||
    (order !== undefined && select?.includes(order.field) === false && own(row, order.field) === undefined)
  )
    bad('after needs a row with its key and the field of orderBy; select both')
  return id
}

/** The ids under which records with these keys are stored. */
export function idsOf(keys: readonly unknown[]): readonly string[] {
  return keys.map((key) => canonicalId(key) ?? bad('a key is a string that is not empty, or a whole number below 2^53'))
}

function contains(list: readonly Stretch[], key: ShadowKey): boolean {
  return list.some(({ lower, lowerOpen, upper, upperOpen }) => {
    const low = compareKeys(lower, key)
    if (low > 0 || (low === 0 && lowerOpen)) return false
    const high = compareKeys(key, upper as ShadowKey)
    return high < 0 || (high === 0 && !upperOpen)
  })
}

function stretches(field: string, condition: Condition, fold: boolean): readonly Stretch[] {
  const refuse = (): never =>
    bad(
      `"${field}" takes a string, number, boolean or null, a range (gt, gte, lt, lte), {startsWith: string} or {in: [values]}`,
    )
  const keyOf = (value: unknown): ShadowKey =>
    value === null || ['string', 'number', 'boolean'].includes(typeof value) ? shadowKey(value, fold) : refuse()
  if (typeof condition !== 'object' || condition === null) return [exactly(keyOf(condition))]
  if ('in' in condition) {
    if (!Array.isArray(condition.in)) refuse()
    const keys = condition.in.map(keyOf).sort(compareKeys)
    return keys.filter((key, at) => at === 0 || compareKeys(keys[at - 1]!, key) !== 0).map(exactly)
  }
  if ('startsWith' in condition) {
    if (typeof condition.startsWith !== 'string') refuse()
    const lower = shadowKey(condition.startsWith, fold) as readonly [3, string]
    const after = afterPrefix(lower[1])
    return [{ lower, lowerOpen: false, upper: after === null ? [4] : [3, after], upperOpen: true }]
  }
  let lower: ShadowKey | undefined
  let upper: Bound | undefined
  let lowerOpen = false
  let upperOpen = false
  for (const [op, value] of Object.entries(condition)) {
    if (value === undefined) continue
    const key = value === null ? refuse() : keyOf(value)
    if (op === 'gt' || op === 'gte') [lower, lowerOpen] = [key, op === 'gt']
    else if (op === 'lt' || op === 'lte') [upper, upperOpen] = [key, op === 'lt']
    else refuse()
  }
  const kind = (lower ?? upper)?.[0] ?? refuse()
  if (upper !== undefined && upper[0] !== kind) refuse()
  // A range stays within its kind: {gte: 5} finds numbers, never strings.
  return [
    {
      lower: lower ?? lowest(kind),
      lowerOpen,
      upper: upper ?? ([kind + 1] as unknown as Bound),
      upperOpen: upper === undefined || upperOpen,
    },
  ]
}

function lowest(kind: number): ShadowKey {
  return kind === 1 ? [1, 0] : kind === 2 ? [2, -Infinity] : [3, '']
}

function exactly(key: ShadowKey): Stretch {
  return { lower: key, lowerOpen: false, upper: key, upperOpen: false }
}

function bad(what: string): never {
  throw new SyncError('invalid_argument', `Query: ${what}.`)
}
