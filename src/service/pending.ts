/**
 * The one rule of what a device still has to be told (protocol section 2), for one object. The SQL stores
 * say the same in `sql/pending.ts`.
 *
 * An object in sight is pending if its revision is above the acknowledged one. One that is gone (deleted,
 * or moved out of the user's scopes) is pending as a deletion if it went after what was acknowledged, and
 * the device may hold some version: it acknowledged one, or the object went after the device's first
 * start. The latter over-reports deletions, which the protocol allows (FAQ-4.2, FAQ-4.3), and never
 * reports what lived and died before the device (FAQ-4.1). Nobody hears of objects that were never in
 * one of the scopes he has.
 */

export interface Placed {
  readonly revision: number
  readonly dead: boolean
  /** Scopes it belongs to now (a dead one: belonged to last). */
  readonly scopes: readonly string[]
  /** Every scope it ever belonged to. */
  readonly ever: readonly string[]
  /** Revision and change number at which it last left a scope or died; 0 if never. */
  readonly movedRevision: number
  readonly movedSeq: number
}

export interface Viewpoint {
  /** Change number at the device's first start. */
  readonly firstSeq: number
  readonly sees: readonly string[]
}

export function inSight(object: Placed, sees: readonly string[]): boolean {
  return !object.dead && overlap(object.scopes, sees)
}

/** @param acked highest revision acknowledged; 0: owed a deletion, none acknowledged; undefined: none. */
export function isPending(object: Placed, acked: number | undefined, { firstSeq, sees }: Viewpoint): boolean {
  if (inSight(object, sees)) return object.revision > (acked ?? 0)
  if (object.movedRevision <= (acked ?? 0)) return false
  return acked !== undefined || (object.movedSeq > firstSeq && overlap(object.ever, sees))
}

export function overlap(scopes: readonly string[], others: readonly string[]): boolean {
  return scopes.some((scope) => others.includes(scope))
}

/** Scopes as a set: each once, in order, so that two of them can be compared. */
export function scopeSet(scopes: readonly string[]): readonly string[] {
  return [...new Set(scopes)].sort()
}

export function sameScopes(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((scope, index) => scope === other[index])
}
