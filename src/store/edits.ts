/**
 * The outbox in memory, on top of every read (R2, I15): for each record with local edits server truth as this
 * worker knows it, the edits, and the record as it looks with them. Every tab has its own, made from the same rows
 * by the same pure functions.
 *
 * Invariants
 * - Truth of a record with edits is the newest this worker has read, whether it lies in inbox or table.
 * - A confirmed edit stays until truth has its revision, or a session that started after it proved clean (R16).
 */
import type { CollectionSpec, Row } from '../schema.ts'
import {
  infoOf,
  stateOf,
  type Alias,
  type ConflictRow,
  type Edit,
  type EditInfo,
  type OutboxRow,
  type OutboxSnapshot,
  type RowState,
} from './edit.ts'
import type { StoredItem } from './item.ts'
import { mergeEdit } from './merge-edit.ts'
import { createRecordMap, type RecordMap } from './record-map.ts'
import type { OutboxMeta, TypeAndId } from './rows.ts'

/** What the server says of a record: revision 0 and null if nothing is known of it. */
export interface Truth {
  readonly rev: number
  readonly row: Row | null
}

/** A record as it is now: null if it is gone, undefined if only its state changed (a newer version went to quarantine). */
export interface Change {
  readonly type: string
  readonly id: string
  readonly rev: number
  /** Grows with every change of this record's local edits. */
  readonly local: number
  readonly row: Row | null | undefined
}

/** A record with local edits. */
export interface Edited {
  readonly truth: Truth
  readonly edits: readonly Edit[]
  /** How it looks; null if it does not. */
  readonly row: Row | null
  readonly state: RowState
  /** Which version of the look this is. */
  readonly local: number
}

/** Undefined: it was not looked at. */
export type TruthOf = (type: string, id: string) => Truth | undefined

export interface Edits {
  /** The outbox row of `meta` as read last. */
  readonly meta: OutboxMeta
  readonly truths: RecordMap<Edited>
  all(): readonly Edit[]
  find(id: string): Edit | undefined
  /** An edit that is not in the outbox any more, as far as this worker saw it end. */
  ended(id: string): EditInfo | undefined
  aliases(): readonly Alias[]
  conflict(id: string): ConflictRow | undefined
  /** The real key of a record that was known by a temporary one, else the same (R18). */
  realId(type: string, id: string): string
  alias(type: string, id: string): Alias | undefined
  stateOf(type: string, id: string): RowState | undefined
  /** The record as its edits up to this one leave it, from server truth. */
  before(edit: Edit): Row | null
  /**
   * Rows written and rows gone; `truth` gives server truth of records that had no edits before.
   * @returns the records that look different.
   */
  apply(change: OutboxChange, truth: TruthOf): Change[]
  /** Server truth of these records moved, if they have edits. */
  newTruth(records: Iterable<TypeAndId>, truth: TruthOf): void
  /** Confirmed edits that these items of session number `run` make superfluous (R16). */
  caughtUp(items: readonly Pick<StoredItem, 'type' | 'id' | 'rev' | 'kind'>[], run: number): string[]
  /** Confirmed edits that a clean session of this number makes superfluous. */
  proven(run: number): Edit[]
  /** Forgets server truth: the data was replaced. */
  clear(): void
  snapshot(): OutboxSnapshot
  counts(): { readonly pending: number; readonly failed: number; readonly conflicts: number }
}

export interface OutboxChange {
  readonly meta: OutboxMeta
  /** Everything there is, or only what changed. */
  readonly whole: boolean
  readonly puts: readonly OutboxRow[]
  readonly deletes: readonly string[]
}

/** Edits that ended, remembered for whoever waits for them. */
const ENDED_KEPT = 1_000

export function createEdits(specs: ReadonlyMap<string, CollectionSpec>): Edits {
  let meta: OutboxMeta = NO_OUTBOX
  let rows = new Map<string, OutboxRow>()
  let ordered: readonly Edit[] | null = null
  const truths = createRecordMap<Edited>()
  const aliasOf = createRecordMap<Alias>()
  const conflicts = createRecordMap<number>()
  const ended = new Map<string, EditInfo>()
  let versions = 0

  const all = (): readonly Edit[] =>
    (ordered ??= [...rows.values()].filter((row) => row.kind === 'edit').sort((a, b) => a.n - b.n))

  const conflictRows = (): ConflictRow[] => [...rows.values()].filter((row) => row.kind === 'conflict')

  function look(type: string, edits: readonly Edit[], truth: Truth): Row | null {
    const spec = specs.get(type)
    if (spec === undefined) return truth.row
    return edits.reduce<Row | null>((row, edit) => mergeEdit(edit, row, spec).row, truth.row)
  }

  function remake(type: string, id: string, edits: readonly Edit[], known: Truth | undefined): Change {
    const truth = known ?? UNKNOWN
    const { rev } = truth
    if (edits.length === 0) {
      truths.delete(type, id)
      // A record that only a conflict is about looks as it did.
      return { type, id, rev, local: 0, row: known?.row }
    }
    const row = look(type, edits, truth)
    const state = stateOfRecord(edits, (conflicts.get(type, id) ?? 0) > 0)
    truths.set(type, id, { truth, edits, row, state, local: ++versions })
    return { type, id, rev, local: versions, row }
  }

  function end(gone: Edit, discarded: boolean): void {
    const key = aliasOf.get(gone.type, gone.key)?.jsonKey ?? gone.jsonKey
    ended.set(gone.id, { ...infoOf(gone), key, state: discarded ? 'discarded' : 'synced' })
    if (ended.size > ENDED_KEPT) for (const [oldest] of ended) if (ended.delete(oldest)) break
  }

  return {
    get meta() {
      return meta
    },
    truths,
    all,
    find(id) {
      const row = rows.get(id)
      return row?.kind === 'edit' ? row : undefined
    },
    ended: (id) => ended.get(id),
    aliases: () => [...rows.values()].filter((row) => row.kind === 'alias'),
    conflict(id) {
      const row = rows.get(id)
      return row?.kind === 'conflict' ? row : undefined
    },
    realId: (type, id) => aliasOf.get(type, id)?.to ?? id,
    alias: aliasOf.get,
    stateOf: (type, id) => truths.get(type, id)?.state ?? ((conflicts.get(type, id) ?? 0) > 0 ? 'conflict' : undefined),
    before(edit) {
      const known = truths.get(edit.type, edit.key)
      if (known === undefined) return null
      return look(edit.type, known.edits.slice(0, known.edits.indexOf(edit)), known.truth)
    },
    apply({ meta: next, whole, puts, deletes }, truthOf) {
      meta = next
      const touched = createRecordMap<TypeAndId>()
      const touch = (row: OutboxRow | undefined): void => {
        if (row === undefined) return
        if (row.kind === 'alias') aliasOf.set(row.type, row.from, row)
        else {
          const [type, id] = row.kind === 'edit' ? [row.type, row.key] : [row.collection, String(row.key)]
          touched.set(type, id, [type, id])
        }
      }
      const before = rows
      rows = new Map(whole ? [] : rows)
      for (const row of puts) rows.set(row.id, row)
      for (const id of deletes) rows.delete(id)
      for (const row of whole
        ? before.values()
        : [...puts.map(({ id }) => before.get(id)), ...deletes.map((id) => before.get(id))])
        touch(row)
      for (const row of puts) touch(row)
      for (const row of before.values())
        if (row.kind === 'edit' && !rows.has(row.id)) end(row, meta.discarded.includes(row.id))
      ordered = null
      conflicts.clear()
      for (const { collection, key } of conflictRows())
        conflicts.set(collection, String(key), (conflicts.get(collection, String(key)) ?? 0) + 1)
      const edits = createRecordMap<Edit[]>()
      for (const edit of all()) {
        const list = edits.get(edit.type, edit.key)
        if (list === undefined) edits.set(edit.type, edit.key, [edit])
        else list.push(edit)
      }
      return touched
        .values()
        .map(([type, id]) =>
          remake(type, id, edits.get(type, id) ?? [], newer(truths.get(type, id)?.truth, truthOf(type, id))),
        )
    },
    newTruth(records, truthOf) {
      for (const [type, id] of records) {
        const known = truths.get(type, id)
        if (known !== undefined) remake(type, id, known.edits, newer(known.truth, truthOf(type, id)))
      }
    },
    caughtUp: (items, run) =>
      items.flatMap(({ type, id, rev, kind }) =>
        (kind === 'bad' ? [] : (truths.get(type, id)?.edits ?? []))
          .filter(
            ({ answer, state }) =>
              state === 'confirmed' &&
              answer !== null &&
              (answer.revision === null ? answer.run < run : answer.revision <= rev),
          )
          .map((edit) => edit.id),
      ),
    proven: (run) => all().filter(({ state, answer }) => state === 'confirmed' && answer !== null && answer.run < run),
    clear: truths.clear,
    snapshot() {
      const shown = all().filter(({ state }) => state !== 'confirmed')
      const { pending, failed } = countOf(shown)
      const conflictsShown = conflictRows().sort((a, b) => a.n - b.n)
      return {
        edits: shown.map(infoOf),
        conflicts: conflictsShown.map(({ kind: _kind, n: _n, ...one }) => one),
        pending,
        failed,
      }
    },
    counts: () => ({ ...countOf(all()), conflicts: conflictRows().length }),
  }
}

export const NO_OUTBOX: OutboxMeta = { key: 'outbox', version: 0, next: 1, discarded: [] }

export function newer(a: Truth | undefined, b: Truth | undefined): Truth | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return b.rev >= a.rev ? b : a
}

const UNKNOWN: Truth = { rev: 0, row: null }

function countOf(edits: readonly Edit[]): { pending: number; failed: number } {
  const states = edits.map(stateOf)
  const count = (...of: string[]): number => states.filter((state) => of.includes(state)).length
  return { pending: count('pending', 'sending'), failed: count('failed', 'unknown') }
}

function stateOfRecord(edits: readonly Edit[], conflict: boolean): RowState {
  if (conflict || edits.some(({ problem, state }) => state === 'refused' && problem?.code === 'conflict'))
    return 'conflict'
  const states = edits.map(stateOf)
  if (states.includes('failed') || states.includes('unknown')) return 'failed'
  return states.every((state) => state === 'synced') ? 'synced' : 'pending'
}
