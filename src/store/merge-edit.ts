/**
 * What an edit makes of a record, given server truth: how it looks, what is to be sent, and where both sides
 * changed the same (R19). Pure, so every tab shows the same and the leader sends what was shown.
 *
 * A field is in conflict if what it was when the user changed it is no longer true, and truth is not what the
 * user wants either.
 */
import { own, type CollectionSpec, type Row } from '../schema.ts'
import type { Edit, FieldConflict } from './edit.ts'
import { isSame } from './same.ts'

export interface Merged {
  /** The record as it looks with the edit; null if there is none. */
  readonly row: Row | null
  /** The fields to send, of maps that merge only the members of the edit; null if nothing is left to do. */
  readonly value: Row | null
  readonly fields: readonly FieldConflict[]
  readonly deleted: 'here' | 'there' | null
}

/** @param truth the record as it is without the edit, earlier edits of it included */
export function mergeEdit(edit: Edit, truth: Row | null, spec: CollectionSpec): Merged {
  const { op, value, state, answer } = edit
  const plain = (row: Row | null): Merged => ({ row, value, fields: [], deleted: null })
  if (state === 'confirmed' && answer !== null && (answer.row !== null || op === 'delete')) return plain(answer.row)
  if (op === 'insert') return plain(truth ?? { ...value, ...(spec.keyField && { [spec.keyField]: edit.jsonKey }) })
  if (op === 'delete') return mergeDelete(edit, truth, spec)
  if (truth === null) {
    const lost = Object.entries(value).map(([field, ours]): FieldConflict => {
      return { field, base: own(edit.base, field), ours, theirs: undefined, kept: 'theirs' }
    })
    const ends = spec.conflict === 'server-wins'
    return { row: null, value: ends ? null : value, fields: ends ? lost : [], deleted: 'there' }
  }
  const row: Record<string, unknown> = { ...truth }
  const send: Record<string, unknown> = {}
  const fields: FieldConflict[] = []

  function decide(name: string, base: unknown, ours: unknown, theirs: unknown): unknown {
    // What has left will be so, or comes again.
    if (edit.request !== null || isSame(base, theirs) || isSame(ours, theirs)) return ours
    const chosen = choose(edit, spec, name, base, ours, theirs)
    const kept = isSame(chosen, ours) ? 'ours' : isSame(chosen, theirs) ? 'theirs' : 'other'
    fields.push({ field: name, base, ours, theirs, kept })
    return chosen
  }

  for (const [field, ours] of Object.entries(value)) {
    const base = own(edit.base, field)
    const theirs = own(truth, field)
    let kept: unknown
    if (spec.deep.has(field) && isMap(ours)) {
      const mine: Record<string, unknown> = {}
      for (const [name, member] of Object.entries(ours))
        define(mine, name, decide(`${field}.${name}`, memberOf(base, name), member, memberOf(theirs, name)))
      define(row, field, { ...(isMap(theirs) ? theirs : {}), ...mine })
      kept = mine
    } else define(row, field, (kept = decide(field, base, ours, theirs)))
    if (!isSame(own(row, field), theirs)) define(send, field, kept)
  }
  return { row, value: Object.keys(send).length === 0 ? null : send, fields, deleted: null }
}

function mergeDelete({ base, value, state, request }: Edit, truth: Row | null, spec: CollectionSpec): Merged {
  // The server keeps it, so it is shown again.
  if (state === 'refused') return { row: truth, value, fields: [], deleted: null }
  if (truth === null) return { row: null, value: null, fields: [], deleted: null }
  if (request !== null) return { row: null, value, fields: [], deleted: null }
  const names = [...new Set([...Object.keys(base), ...Object.keys(truth)])]
  const kept = spec.conflict === 'server-wins' ? 'theirs' : 'ours'
  const fields = names.flatMap((field): FieldConflict[] => {
    const [before, theirs] = [own(base, field), own(truth, field)]
    return isSame(before, theirs) ? [] : [{ field, base: before, ours: undefined, theirs, kept }]
  })
  if (fields.length === 0) return { row: null, value, fields, deleted: null }
  const stays = kept === 'theirs'
  return { row: stays ? truth : null, value: stays ? null : value, fields, deleted: 'here' }
}

function choose(
  { key }: Edit,
  { conflict, name: collection }: CollectionSpec,
  field: string,
  base: unknown,
  ours: unknown,
  theirs: unknown,
): unknown {
  if (typeof conflict !== 'function') return conflict === 'server-wins' ? theirs : ours
  try {
    const value = conflict({ collection, key, field, base, ours, theirs })
    if (value instanceof Promise) value.catch(() => undefined)
    // What is no JSON could not be stored, and would keep every edit from leaving.
    return isSame(value, theirs) ? theirs : value instanceof Promise ? ours : JSON.parse(JSON.stringify(value))
  } catch {
    return ours
  }
}

/** The same edit, where what it was made upon has become something else: fields of `from` are those of `to` now. */
export function rebase(edit: Edit, from: Row, to: Row, { deep }: CollectionSpec): Edit {
  return { ...edit, base: moved(edit.base, from, to, deep) }
}

const NONE: ReadonlySet<string> = new Set()

function moved(base: Row, from: Row, to: Row, deep: ReadonlySet<string>): Row {
  const next: Record<string, unknown> = { ...base }
  for (const [field, old] of Object.entries(from)) {
    const now = own(base, field)
    const then = own(to, field)
    if (deep.has(field) && isMap(old) && isMap(now)) {
      const members = moved(now, old, isMap(then) ? then : {}, NONE)
      // A map that the edit made goes with it: an empty one would look like a change.
      define(next, field, isMap(then) || Object.keys(members).length > 0 ? members : then)
    } else if (isSame(now, old)) define(next, field, then)
  }
  return next
}

/** The fields an edit touches, as they are now. */
export function fieldsOf(row: Row, value: Row): Row {
  const base: Record<string, unknown> = {}
  for (const field of Object.keys(value)) if (Object.hasOwn(row, field)) define(base, field, row[field])
  return base
}

/** Values over values; maps that merge do so member by member. */
export function patched(before: Row, patch: Row, { deep }: CollectionSpec): Row {
  const after: Record<string, unknown> = { ...before }
  for (const [field, value] of Object.entries(patch)) {
    const old = own(before, field)
    define(after, field, deep.has(field) && isMap(value) && isMap(old) ? { ...old, ...value } : value)
  }
  return after
}

/** Data keys named `__proto__` stay data (R37); what is not there is left out. */
function define(row: Record<string, unknown>, field: string, value: unknown): void {
  if (value === undefined) delete row[field]
  else if (field === '__proto__') Object.defineProperty(row, field, { value, enumerable: true, configurable: true })
  else row[field] = value
}

function isMap(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function memberOf(map: unknown, name: string): unknown {
  return isMap(map) ? own(map, name) : undefined
}
