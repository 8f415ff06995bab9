/** The objects of one account in memory, their numbers, and the log of their changes. */
import {
  draftOf,
  importEntries,
  planWrite,
  requestedId,
  reviewedOp,
  upsert,
  withId,
  type Change,
  type ImportEntry,
  type ObjectState,
  type SingleOp,
} from '../change.ts'
import { fromJson } from '../data.ts'
import { naturalId } from '../identity.ts'
import { overlap, type Placed } from '../pending.ts'
import type { Draft, ImportRecord, Reviewed, StoredObject, WriteOp, WriteResult } from '../store.ts'
import { matches, resolveUpsert, type Upsert } from '../upsert.ts'

/** An object as kept. Mutable: sessions refer to it and so meet its newest state (ITEM-1). */
export interface Kept extends Placed, ObjectState {
  readonly n: number
  readonly type: string
  readonly id: string
  revision: number
  seq: number
  dead: boolean
  json: string
  scopes: readonly string[]
  ever: readonly string[]
  movedRevision: number
  movedSeq: number
}

export interface Objects {
  find(type: string, id: string): Kept | undefined
  ofType(type: string): readonly Kept[]
  all(): Iterable<Kept>
  /** @param review undefined: not decided yet, and nothing is changed */
  write(
    op: WriteOp,
    sees: readonly string[] | undefined,
    review?: (draft: Draft) => Reviewed | undefined,
  ): WriteResult | { readonly kind: 'undecided' }
  importRecords(records: readonly ImportRecord[], progress: (done: number) => void): number
  /** Gives an object its next revision; `moved`: by leaving somebody's sight. */
  touch(object: Kept, moved: boolean): void
  /** Objects whose last change came after `seq`, each once. */
  changedAfter(seq: number): Iterable<Kept>
}

/** Counters that all accounts of a store share. */
export interface Numbers {
  lastSeq: number
  /** Every object by its number. */
  readonly byNumber: Kept[]
}

interface TypeRow {
  readonly all: Kept[]
  nextId: number
}

export function createObjects(numbers: Numbers): Objects {
  const objects = new Map<string, Kept>()
  const types = new Map<string, TypeRow>()
  /** In order; an entry whose object has changed since is void. */
  let changes: { readonly seq: number; readonly object: Kept }[] = []

  function typeRow(type: string): TypeRow {
    const row = types.get(type) ?? { all: [], nextId: 1 }
    types.set(type, row)
    return row
  }

  function record(object: Kept, moved: boolean): void {
    object.seq = ++numbers.lastSeq
    if (moved) {
      object.movedRevision = object.revision
      object.movedSeq = object.seq
    }
    changes.push({ seq: object.seq, object })
    if (changes.length > 1000 + 2 * objects.size) changes = changes.filter((change) => change.seq === change.object.seq)
  }

  function keep(type: string, id: string, found: Kept | undefined, change: Change & { kind: 'changed' }): Kept {
    const object = found ?? insert(type, id, change.state)
    Object.assign(object, change.state)
    record(object, change.moved)
    return object
  }

  function insert(type: string, id: string, state: ObjectState): Kept {
    const object: Kept = { n: numbers.byNumber.length, type, id, ...state, seq: 0, movedRevision: 0, movedSeq: 0 }
    const row = typeRow(type)
    numbers.byNumber.push(object)
    row.all.push(object)
    row.nextId = Math.max(row.nextId, (naturalId(id) ?? 0) + 1)
    objects.set(keyOf(type, id), object)
    return object
  }

  function identified(op: SingleOp): { readonly id: string; readonly ready: SingleOp } {
    if (op.kind !== 'create') return { id: op.id, ready: op }
    const id = requestedId(op) ?? typeRow(op.type).nextId
    return { id: String(id), ready: withId(op, id) }
  }

  function matching({ type, match }: Upsert, sees: readonly string[] | undefined): readonly string[] {
    return typeRow(type)
      .all.filter(({ dead, scopes, json }) => {
        return !dead && (sees === undefined || overlap(scopes, sees)) && matches(json, match)
      })
      .map((object) => object.id)
  }

  function importEntry({ type, id, json, scopes }: ImportEntry): boolean {
    const found = objects.get(keyOf(type, id))
    const change = upsert(found, json, scopes)
    if (change.kind === 'changed') keep(type, id, found, change)
    return change.kind === 'changed'
  }

  return {
    find: (type, id) => objects.get(keyOf(type, id)),
    ofType: (type) => types.get(type)?.all ?? [],
    all: () => objects.values(),

    write(op, sees, review) {
      const named = op.kind === 'upsert' ? resolveUpsert(op, matching(op, sees)) : op
      if (named.kind === 'ambiguous' || named.kind === 'exists') return named
      const { id, ready } = identified(named)
      const found = objects.get(keyOf(op.type, id))
      let change = planWrite(ready, found, sees)
      if (change.kind === 'changed' && review !== undefined) {
        const reviewed = review(draftOf(ready, id, found))
        if (reviewed === undefined) return { kind: 'undecided' }
        if (reviewed.kind === 'refused') return reviewed
        change = planWrite(reviewedOp(ready, reviewed), found, sees)
      }
      if (change.kind === 'missing' || change.kind === 'exists') return change
      const object = change.kind === 'changed' ? keep(op.type, id, found, change) : found
      if (object === undefined) throw new Error('An unchanged object was not found.')
      return { kind: 'written', object: storedOf(object) }
    },

    importRecords(records, progress) {
      // All of the input is read before any of it is stored: all or nothing.
      const entries = importEntries(records)
      let changed = 0
      entries.forEach((entry, index) => {
        if (importEntry(entry)) changed += 1
        if ((index + 1) % 1000 === 0 || index + 1 === entries.length) progress(index + 1)
      })
      return changed
    },

    touch(object, moved) {
      object.revision += 1
      record(object, moved)
    },

    *changedAfter(seq) {
      for (let at = firstAfter(changes, seq); at < changes.length; at++) {
        const change = changes[at]
        if (change !== undefined && change.seq === change.object.seq) yield change.object
      }
    },
  }
}

export function storedOf({ type, id, revision, dead, json }: Kept): StoredObject {
  return { type, id, revision, data: dead ? null : fromJson(json) }
}

function keyOf(type: string, id: string): string {
  return `${type} ${id}`
}

/** Index of the first change after `seq`. */
function firstAfter(changes: readonly { readonly seq: number }[], seq: number): number {
  let [low, high] = [0, changes.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((changes[middle]?.seq ?? 0) <= seq) low = middle + 1
    else high = middle
  }
  return low
}
