/**
 * What an upsert comes to, once the store has found the objects that match: the same rules for every store.
 * It must be decided and kept in one transaction, or two of them would both create (O-25).
 */
import type { SingleOp } from './change.ts'
import { isObject } from './body.ts'
import { fromJson } from './data.ts'
import { idOf } from './identity.ts'
import type { JsonObject, Match, WriteOp } from './store.ts'

export type Upsert = WriteOp & { kind: 'upsert' }

export type Resolved = SingleOp | { readonly kind: 'ambiguous' } | { readonly kind: 'exists' }

export function resolveUpsert({ type, match, data, scopes }: Upsert, ids: readonly string[]): Resolved {
  const [found, ...others] = ids
  if (others.length > 0) return { kind: 'ambiguous' }
  if (found === undefined) return { kind: 'create', type, data: match.reduce(withValue, data), scopes }
  const { id, ...patch } = data
  // Somebody else's record has that value already.
  if (id !== undefined && idOf(id) !== found) return { kind: 'exists' }
  return { kind: 'update', type, id: found, patch }
}

export function matches(json: string, match: readonly Match[]): boolean {
  // The value stands in the text whatever its type: an object without it need not be taken apart.
  if (!match.every((part) => json.includes(jsonTextOf(part)))) return false
  const data = fromJson(json)
  return match.every(({ field, member, value }) => {
    const outer = valueOf(data, field)
    const inner = member === undefined ? outer : isObject(outer) ? valueOf(outer, member) : undefined
    return ['string', 'number', 'boolean'].includes(typeof inner) && String(inner) === value
  })
}

/** How the value stands in JSON text. */
export function jsonTextOf({ value }: Match): string {
  return JSON.stringify(value).slice(1, -1)
}

/** A created object matches from then on, even if its data left the value out. */
function withValue(data: JsonObject, { field, member, value }: Match): JsonObject {
  const outer = valueOf(data, field)
  if (member === undefined) return outer === undefined ? { ...data, [field]: value } : data
  if (outer !== undefined && !isObject(outer)) return data
  return { ...data, [field]: { [member]: value, ...outer } }
}

function valueOf(data: JsonObject, name: string): unknown {
  return Object.hasOwn(data, name) ? data[name] : undefined
}
