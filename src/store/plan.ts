/**
 * Which index answers a query. The plan only narrows what is read; every row found is still tested against
 * the whole query, so a poor plan is slow but never wrong (R4).
 */
import { AFTER_ALL, compareKeys, type ShadowKey } from '../keys.ts'
import type { CompiledQuery, Stretch } from '../query.ts'
import type { CollectionSpec, IndexSpec } from '../schema.ts'
import { indexPath } from './rows.ts'

type Key = ShadowKey | typeof AFTER_ALL | ReadonlyArray<ShadowKey | typeof AFTER_ALL>

export interface KeyRange {
  readonly lower: Key
  readonly upper: Key
  readonly lowerOpen: boolean
  readonly upperOpen: boolean
}

export interface Plan {
  /** Dexie's name of the index; null: the table itself, by id. */
  readonly path: string | null
  readonly ranges: readonly KeyRange[]
  /** Rows come in the query's order. */
  readonly ordered: boolean
  /** The ranges alone say which rows match. */
  readonly exact: boolean
  /** A field with a condition that no index helped with: worth a word to the developer. */
  readonly scanned: string | null
}

export function planQuery(query: CompiledQuery, spec: CollectionSpec): Plan {
  const { order, limit } = query.query
  let best: { plan: Plan; score: number } | null = null
  for (const index of spec.indexes) {
    const candidate = planIndex(query, index)
    if (candidate !== null && candidate.score > (best?.score ?? 0)) best = candidate
  }
  const conditions = [...query.fields.keys()]
  if (best !== null) return best.plan
  const scanned = conditions[0] ?? (order !== undefined && limit !== undefined ? order.field : null)
  return { path: null, ranges: [], ordered: order === undefined, exact: conditions.length === 0, scanned }
}

function planIndex(query: CompiledQuery, index: IndexSpec): { plan: Plan; score: number } | null {
  const fields = index.parts.map(({ field }) => field)
  const equal: ShadowKey[] = []
  for (const field of fields) {
    const list = query.fields.get(field)
    if (list?.length !== 1 || !isPoint(list[0]!)) break
    equal.push(list[0]!.lower)
  }
  const next = fields[equal.length]
  const nextStretches = next === undefined ? undefined : query.fields.get(next)
  const { order } = query.query
  const oneStretch = (nextStretches?.length ?? 1) === 1
  // Rows of equal sort key come by id, so no further field of the index may stand between the two.
  const isLast = equal.length + 1 === fields.length
  const ordered =
    order === undefined
      ? next === undefined
      : oneStretch && ((order.field === next && isLast) || (next === undefined && fields.includes(order.field)))
  const used = equal.length + (nextStretches === undefined ? 0 : 1)
  if (used === 0 && !(ordered && query.query.limit !== undefined)) return null
  const stretches = nextStretches ?? [undefined]
  const position = ordered && order !== undefined && order.field === next ? (query.query.after?.key ?? null) : null
  const ranges = stretches
    .map((stretch) => (position === null ? stretch : startAt(stretch, position, order?.dir === 'desc')))
    .map((stretch) => keyRange(equal, stretch, fields.length))
  const plan: Plan = { path: indexPath(fields), ranges, ordered, exact: query.fields.size === used, scanned: null }
  return {
    plan,
    score: equal.length * 8 + (nextStretches === undefined ? 0 : 4) + (ordered ? 2 : 0) + (plan.exact ? 1 : 0),
  }
}

function isPoint({ lower, upper, lowerOpen, upperOpen }: Stretch): boolean {
  return !lowerOpen && !upperOpen && compareKeys(lower, upper as ShadowKey) === 0
}

/** The stretch from a position onwards; rows of equal key are told apart later, by id. */
function startAt(stretch: Stretch | undefined, position: ShadowKey, desc: boolean): Stretch {
  const whole: Stretch = stretch ?? { lower: [0], lowerOpen: false, upper: AFTER_ALL, upperOpen: true }
  if (desc)
    return compareKeys(position, whole.upper as ShadowKey) < 0 ? { ...whole, upper: position, upperOpen: false } : whole
  return compareKeys(whole.lower, position) < 0 ? { ...whole, lower: position, lowerOpen: false } : whole
}

function keyRange(equal: readonly ShadowKey[], stretch: Stretch | undefined, parts: number): KeyRange {
  if (parts === 1) {
    if (stretch !== undefined) return stretch
    const only = equal[0]
    if (only !== undefined) return { lower: only, upper: only, lowerOpen: false, upperOpen: false }
    return { lower: [0], upper: AFTER_ALL, lowerOpen: false, upperOpen: true }
  }
  if (stretch === undefined) {
    // Arrays sort before longer ones with the same beginning: a bound of all that begins with `equal`.
    return { lower: [...equal], upper: [...equal, AFTER_ALL], lowerOpen: false, upperOpen: false }
  }
  const more = equal.length + 1 < parts
  return {
    lower: stretch.lowerOpen && more ? [...equal, stretch.lower, AFTER_ALL] : [...equal, stretch.lower],
    lowerOpen: stretch.lowerOpen,
    upper: !stretch.upperOpen && more ? [...equal, stretch.upper, AFTER_ALL] : [...equal, stretch.upper],
    upperOpen: stretch.upperOpen,
  }
}
