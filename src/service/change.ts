/**
 * What a write makes of one object: the same rules for every store, pure. A store finds the object, asks
 * here, and keeps what comes back under a new change number.
 */
import { fromJson, mergeFields, sameJson, toJson } from './data.ts'
import { idOf, keyFieldsOf } from './identity.ts'
import { overlap, sameScopes, scopeSet } from './pending.ts'
import { EVERYONE, type Draft, type ImportRecord, type JsonObject, type Reviewed, type WriteOp } from './store.ts'

/** A write of an object that is named, or about to be. */
export type SingleOp = Exclude<WriteOp, { readonly kind: 'upsert' }>

export interface ObjectState {
  readonly revision: number
  readonly dead: boolean
  /** The data; of a dead object its key fields. */
  readonly json: string
  readonly scopes: readonly string[]
  readonly ever: readonly string[]
}

export type Change =
  /** `moved`: the object died, or left some scope. */
  | { readonly kind: 'changed'; readonly state: ObjectState; readonly moved: boolean }
  | { readonly kind: 'same' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'exists' }

export function planWrite(op: SingleOp, found: ObjectState | undefined, sees: readonly string[] | undefined): Change {
  if (op.kind === 'create') {
    return found === undefined || found.dead
      ? upsert(found, toJson(op.data), op.scopes ?? [EVERYONE])
      : { kind: 'exists' }
  }
  if (found === undefined || found.dead || (sees !== undefined && !overlap(found.scopes, sees)))
    return { kind: 'missing' }
  const data = fromJson(found.json)
  if (op.kind === 'update') return upsert(found, toJson(mergeFields(data, op.patch)), op.scopes ?? found.scopes)
  const json = toJson(keyFieldsOf(op.type, data))
  return { kind: 'changed', state: { ...found, revision: found.revision + 1, dead: true, json }, moved: true }
}

/** Sets the whole state of an object, present, dead or new. */
export function upsert(found: ObjectState | undefined, json: string, scopes: readonly string[]): Change {
  const set = scopeSet(scopes)
  if (found === undefined) {
    return { kind: 'changed', state: { revision: 1, dead: false, json, scopes: set, ever: set }, moved: false }
  }
  const stays = sameScopes(set, found.scopes)
  if (!found.dead && stays && sameJson(json, found.json)) return { kind: 'same' }
  const ever = stays ? found.ever : scopeSet([...found.ever, ...set])
  return {
    kind: 'changed',
    state: { revision: found.revision + 1, dead: false, json, scopes: set, ever },
    moved: !stays,
  }
}

/** What a reviewer is shown of a write that would change something. */
export function draftOf(op: SingleOp, id: string, found: ObjectState | undefined): Draft {
  const data = op.kind === 'create' ? op.data : op.kind === 'update' ? op.patch : {}
  return { op: op.kind, type: op.type, id, data, current: found && !found.dead ? fromJson(found.json) : null }
}

/** The write with the reviewer's data. The id is not the reviewer's to change. */
export function reviewedOp(op: SingleOp, { data }: Reviewed & { kind: 'fine' }): SingleOp {
  if (op.kind === 'delete') return op
  const { id: _, ...rest } = data
  return op.kind === 'create' ? { ...op, data: { id: op.data['id'], ...rest } } : { ...op, patch: rest }
}

/** The id a create asks for; null: the store makes one. */
export function requestedId(op: SingleOp & { kind: 'create' }): string | null {
  return op.id ?? idOf(op.data['id'])
}

/** A create whose data names its id. */
export function withId(op: SingleOp & { kind: 'create' }, id: string | number): SingleOp & { kind: 'create' } {
  return Object.hasOwn(op.data, 'id') ? op : { ...op, data: { id, ...op.data } }
}

export interface ImportEntry {
  readonly type: string
  readonly id: string
  readonly json: string
  readonly scopes: readonly string[]
}

/**
 * Records ready to be stored, each object once: of several for one object the last counts.
 * @throws TypeError for a record without a fit id.
 */
export function importEntries(records: readonly ImportRecord[]): readonly ImportEntry[] {
  const entries = new Map<string, ImportEntry>()
  for (const { type, data, scopes } of records) {
    const id = requireId(data)
    entries.set(`${type} ${id}`, { type, id, json: toJson(data), scopes: scopes ?? [EVERYONE] })
  }
  return [...entries.values()]
}

function requireId(data: JsonObject): string {
  const id = idOf(data['id'])
  if (id === null) throw new TypeError('A record needs an id: a whole number or a string.')
  return id
}
