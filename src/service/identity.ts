/**
 * What names an object: a type in lower snake case and an id that is a whole number or a string, compared
 * as text (ITEM-7). Also the key fields that a deletion still carries (ITEM-2).
 */
import type { JsonObject } from './store.ts'

const TYPE = /^[a-z][a-z0-9_]{0,63}$/
// Control characters and half characters have no place in a name, and would make ids unfit for paths.
// oxlint-disable-next-line no-control-regex
const ID = /^[^\u0000-\u001f\u007f\p{Surrogate}]{1,200}$/u

export function isTypeName(value: unknown): value is string {
  return typeof value === 'string' && TYPE.test(value)
}

/** The canonical form of an id; null if the value cannot be one. */
export function idOf(value: unknown): string | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : null
  return typeof value === 'string' && ID.test(value) ? value : null
}

/** The id as a number if it is a natural one in plain notation, for handing out the next. */
export function naturalId(id: string): number | null {
  return /^(0|[1-9]\d{0,14})$/.test(id) ? Number(id) : null
}

// An associated contact is known by its two ends where it has no id of its own (O-9).
const FURTHER_KEYS: Readonly<Record<string, readonly string[]>> = { associated_contact: ['deal_id', 'contact_id'] }

/** What stays of an object when it is deleted. */
export function keyFieldsOf(type: string, data: JsonObject): JsonObject {
  const further = Object.hasOwn(FURTHER_KEYS, type) ? (FURTHER_KEYS[type] ?? []) : []
  return Object.fromEntries(
    ['id', ...further].filter((field) => Object.hasOwn(data, field)).map((field) => [field, data[field]]),
  )
}
