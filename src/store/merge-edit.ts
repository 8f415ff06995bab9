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
  /** What there is to send; null if nothing is left to do. */
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
  if (truth === null) return { ...plain(null), deleted: 'there', value: spec.conflict === 'server-wins' ? null : value }
  const row: Record<string, unknown> = { ...truth }
  const send: Record<string, unknown> = {}
  const fields: FieldConflict[] = []

  function decide(name: string, base: unknown, ours: unknown, theirs: unknown): unknown {
    if (isSame(base, theirs) || isSame(ours, theirs)) return ours
    const chosen = choose(edit, spec, name, base, ours, theirs)
    const kept = isSame(chosen, ours) ? 'ours' : isSame(chosen, theirs) ? 'theirs' : 'other'
    fields.push({ field: name, base, ours, theirs, kept })
    return chosen
  }

  for (const [field, ours] of Object.entries(value)) {
    const base = own(edit.base, field)
    const theirs = own(truth, field)
    if (spec.deep.has(field) && isMap(ours)) {
      const members: Record<string, unknown> = { ...(isMap(theirs) ? theirs : {}) }
      for (const [name, member] of Object.entries(ours))
        define(members, name, decide(`${field}.${name}`, memberOf(base, name), member, memberOf(theirs, name)))
      define(row, field, members)
    } else define(row, field, decide(field, base, ours, theirs))
    if (!isSame(own(row, field), theirs)) define(send, field, own(row, field))
  }
  return { row, value: Object.keys(send).length === 0 ? null : send, fields, deleted: null }
}

function mergeDelete({ base, value, state }: Edit, truth: Row | null, spec: CollectionSpec): Merged {
  // The server keeps it, so it is shown again.
  if (state === 'refused') return { row: truth, value, fields: [], deleted: null }
  if (truth === null) return { row: null, value: null, fields: [], deleted: null }
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
    return conflict({ collection, key, field, base, ours, theirs })
  } catch {
    return ours
  }
}

/** The same edit, where what it was made upon has become something else: fields of `from` are those of `to` now. */
export function rebase(edit: Edit, from: Row, to: Row): Edit {
  const base: Record<string, unknown> = { ...edit.base }
  for (const field of Object.keys(edit.op === 'delete' ? { ...base, ...to } : base))
    if (Object.hasOwn(to, field) && (edit.op === 'delete' || isSame(own(base, field), own(from, field))))
      define(base, field, to[field])
  return { ...edit, base }
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

/** Data keys named `__proto__` stay data (R37). */
function define(row: Record<string, unknown>, field: string, value: unknown): void {
  if (field === '__proto__') Object.defineProperty(row, field, { value, enumerable: true, configurable: true })
  else row[field] = value
}

function isMap(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function memberOf(map: unknown, name: string): unknown {
  return isMap(map) ? own(map, name) : undefined
}
