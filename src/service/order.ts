/**
 * Order of the Core API's lists. Values of unlike kinds stand in the order of R4: missing and null,
 * booleans, numbers, strings, the rest; equal ones by id, whole numbers before other texts.
 */
import { naturalId } from './identity.ts'
import type { ListPage } from './store.ts'

export interface Sortable {
  readonly id: string
  field(name: string): unknown
}

export function compareBy(sortBy: ListPage['sortBy']): (one: Sortable, other: Sortable) => number {
  const { field, dir } = sortBy ?? { field: 'id', dir: 'asc' }
  const sign = dir === 'asc' ? 1 : -1
  if (field === 'id') return (one, other) => sign * compareIds(one.id, other.id)
  return (one, other) => sign * (compareValues(one.field(field), other.field(field)) || compareIds(one.id, other.id))
}

function compareIds(one: string, other: string): number {
  const [a, b] = [naturalId(one), naturalId(other)]
  if (a !== null && b !== null) return a - b
  if (a !== null || b !== null) return a === null ? 1 : -1
  return compareTexts(one, other)
}

function compareValues(one: unknown, other: unknown): number {
  const [a, b] = [rank(one), rank(other)]
  if (a !== b) return a - b
  if (typeof one === 'string' && typeof other === 'string') return compareTexts(one, other)
  return typeof one === 'number' || typeof one === 'boolean' ? Number(one) - Number(other) : 0
}

function rank(value: unknown): number {
  if (value === undefined || value === null) return 0
  return { boolean: 1, number: 2, string: 3 }[typeof value as string] ?? 4
}

function compareTexts(one: string, other: string): number {
  return one < other ? -1 : Number(one > other)
}
