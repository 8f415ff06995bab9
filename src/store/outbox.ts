/**
 * The outbox as apps write it: every edit is durable before its promise resolves, from any tab (I11), and leaves
 * only when the server has it or the user takes it back (I14, promise 6). One strict transaction for each call;
 * where another tab was quicker, it reads what that one did and begins again.
 */
import type { Clock, Random } from '../clock.ts'
import { SyncError } from '../errors.ts'
import { canonicalId } from '../keys.ts'
import { own, type CollectionSpec, type Row } from '../schema.ts'
import type { Edit, EditInfo, EditProblem, EditRequest, OutboxSnapshot, WriteOp } from './edit.ts'
import { infoOf } from './edit.ts'
import { refersTo, renamed } from './edit-order.ts'
import type { Edits } from './edits.ts'
import type { Lease } from './guard.ts'
import { fieldsOf, patched, rebase } from './merge-edit.ts'
import type { Draft, OutboxLog } from './outbox-log.ts'
import { createPushLog } from './push-log.ts'
import type { TypeAndId } from './rows.ts'

/** What is known of the server, which decides how an edit may be sent (R13, R17). */
export interface WriteTerms {
  /** Milliseconds it remembers an `Idempotency-Key`; null: it takes none. */
  readonly keyMemoryMs: number | null
  /** It takes keys made by clients. */
  readonly clientIds: boolean
}

/** An edit whose state `sending` and frozen request are durable: it may leave now. */
export interface OutgoingEdit {
  readonly id: string
  readonly request: EditRequest
  /** It may have left before, with an unknown outcome. */
  readonly again: boolean
}

export type EditOutcome = { readonly id: string } & (
  | { readonly kind: 'accepted'; readonly row: Row | null; readonly revision: number | null }
  | { readonly kind: 'refused'; readonly problem: EditProblem }
  /** The server has certainly not done it. */
  | { readonly kind: 'untouched' }
  /** It may have. */
  | { readonly kind: 'unknown' }
)

export interface Outbox {
  /**
   * Makes edits durable, in one strict transaction, from any tab (I11, R20).
   * @returns what became of each, in the order of `ops`; updates may have joined an edit that waited.
   * @throws SyncError `invalid_argument`, `record_missing`, `record_exists`, `generation_changed`, `storage_*`
   */
  write(ops: readonly WriteOp[]): Promise<readonly EditInfo[]>
  /** @throws SyncError `edit_missing`, `edit_in_flight` */
  retry(id: string): Promise<void>
  edit(id: string, patch: Row): Promise<void>
  discard(id: string): Promise<void>
  /** The user's word on an unknown create (R17). */
  resend(id: string): Promise<void>
  arrived(id: string, key: string | number | null): Promise<void>
  /** Forgets a conflict. */
  dismiss(id: string): Promise<void>
  /** From memory. Null: nothing is known of it any more, so it was synced. */
  find(id: string): EditInfo | null
  snapshot(): OutboxSnapshot
  counts(): { readonly pending: number; readonly failed: number; readonly conflicts: number }
  /** The leader's: the next edits that may leave, in order (I13), conflicts resolved, made durable as `sending`. */
  take(lease: Lease, most: number, terms: WriteTerms, except: ReadonlySet<string>): Promise<readonly OutgoingEdit[]>
  /** The leader's: what the server said. */
  answer(lease: Lease, outcomes: readonly EditOutcome[]): Promise<void>
}

export interface OutboxDeps {
  readonly log: OutboxLog
  readonly edits: Edits
  readonly specs: ReadonlyMap<string, CollectionSpec>
  readonly clock: Clock
  readonly random: Random
}

export function createOutbox(deps: OutboxDeps): Outbox {
  const { log, edits, specs, clock, random } = deps

  /** The edit with this id, if it is the user's to change. */
  function changeable(draft: Draft, id: string): Edit {
    const edit = draft.edits().find((one) => one.id === id)
    if (edit === undefined || edit.state === 'confirmed')
      throw new SyncError('edit_missing', 'This edit does not wait any more: write another.')
    if (edit.state === 'sending' || (edit.state === 'unknown' && !edit.parked))
      throw new SyncError('edit_in_flight', 'This edit is being sent: write another, which follows it.')
    return edit
  }

  const change = (id: string, work: (edit: Edit, draft: Draft) => void | Promise<void>): Promise<void> =>
    log.change(null, [], async (draft) => work(changeable(draft, id), draft))

  /** Takes an edit back: what was made upon it is made upon what was before it. */
  function takeBack(draft: Draft, edit: Edit): void {
    draft.remove(edit, true)
    if (edit.op !== 'insert') return moveLater(draft, edit, edit.value, edit.base)
    for (const later of draft.edits()) {
      const spec = specs.get(later.type)
      if (later.n < edit.n) continue
      if (later.type === edit.type && later.key === edit.key) draft.remove(later, true)
      // It would leave with a key that means nothing to the server; what else it says is the user's to keep.
      else if (spec !== undefined && refersTo(later.value, spec, edit))
        draft.put({ ...later, state: 'refused', problem: TAKEN_BACK })
    }
  }

  /** Later edits of the record were made upon this one, where fields of `from` are those of `to` now. */
  function moveLater(draft: Draft, { type, key, n }: Edit, from: Row, to: Row): void {
    const spec = specs.get(type)
    if (spec === undefined) return
    for (const later of draft.edits())
      if (later.type === type && later.key === key && later.n > n && later.state !== 'confirmed')
        draft.put(rebase(later, from, to, spec))
  }

  /** With real keys in place of temporary ones. */
  function named(value: Row, spec: CollectionSpec): Row {
    return edits
      .aliases()
      .reduce((now, { type, from, jsonKey }) => renamed(now, spec, { type, key: from }, jsonKey), value)
  }

  async function writeOne(
    draft: Draft,
    { op, collection, key, value, temporary }: WriteOp,
    group: string | null,
  ): Promise<Edit> {
    const spec = specs.get(collection)
    const given = canonicalId(key)
    if (spec === undefined || spec.keyField === null || given === null)
      throw new SyncError(
        'invalid_argument',
        `"${collection}" cannot be written: no such collection, or not one key field.`,
      )
    const alias = edits.alias(collection, given)
    const id = alias?.to ?? given
    const row = await draft.look(collection, id)
    if (op === 'insert' && row !== null) throw new SyncError('record_exists', `There already is a ${collection} ${id}.`)
    if (op !== 'insert' && row === null) throw new SyncError('record_missing', `There is no ${collection} ${id}.`)
    const fresh: Edit = {
      kind: 'edit',
      id: random.uuid(),
      n: draft.next(),
      at: clock.now(),
      group,
      op,
      type: collection,
      key: id,
      jsonKey: alias?.jsonKey ?? keyOf(row, spec) ?? key,
      temporary,
      value: named(value ?? {}, spec),
      base: op === 'insert' ? {} : op === 'delete' ? (row ?? {}) : fieldsOf(row ?? {}, value ?? {}),
      baseRev: draft.revision(collection, id),
      state: 'queued',
      parked: false,
      attempt: 0,
      epoch: 0,
      firstSentAt: null,
      request: null,
      answer: null,
      problem: null,
    }
    const last = draft.edits().findLast((edit) => edit.type === collection && edit.key === id)
    const joined = last === undefined ? null : join(last, fresh, spec, draft)
    if (joined !== null) return joined
    draft.put(fresh)
    return fresh
  }

  /** One edit of two, where nothing of the first has left. Null: they stay two. */
  function join(first: Edit, second: Edit, spec: CollectionSpec, draft: Draft): Edit | null {
    if (first.state !== 'queued' || first.group !== second.group || first.op === 'delete') return null
    if (second.op === 'delete') {
      takeBack(draft, first)
      // What the server never heard of needs no deletion.
      if (first.op === 'insert') return { ...second, state: 'confirmed' }
      const whole = rebase(second, first.value, first.base, spec)
      draft.put(whole)
      return whole
    }
    // A record that another waiting edit makes must exist before this one leaves, so it keeps its place.
    if (draft.edits().some((edit) => edit.op === 'insert' && refersTo(second.value, spec, edit))) return null
    const both: Edit = {
      ...first,
      value: patched(first.value, second.value, spec),
      base: { ...rebase(second, first.value, first.base, spec).base, ...first.base },
    }
    draft.put(both)
    return both
  }

  return {
    write: (ops) => {
      const group = ops.length > 1 ? random.uuid() : null
      const known = ops.filter(({ collection }) => specs.has(collection))
      const records = known.flatMap(({ collection, key, temporary }): TypeAndId[] =>
        temporary ? [] : [[collection, edits.realId(collection, String(key))]],
      )
      return log.change(
        null,
        known.map(({ collection }) => collection),
        async (draft) => {
          const written: EditInfo[] = []
          for (const op of ops) written.push(infoOf(await writeOne(draft, op, group)))
          return written
        },
        records,
      )
    },
    retry: (id) =>
      change(id, (edit, draft) => {
        if (edit.state === 'refused') draft.put(again(edit))
      }),
    edit: (id, given) =>
      change(id, (edit, draft) => {
        const spec = specs.get(edit.type)
        if (spec === undefined || edit.op === 'delete' || edit.parked)
          throw new SyncError(
            'invalid_argument',
            'Only inserts and updates that the server does not have can be edited.',
          )
        const { [spec.keyField as string]: key, ...fields } = given
        if (key !== undefined && edits.realId(edit.type, canonicalId(key) ?? '') !== edit.key)
          throw new SyncError('invalid_argument', 'A key cannot be changed.')
        const patch = named(fields, spec)
        if (draft.edits().some((one) => one.op === 'insert' && one.n > edit.n && refersTo(patch, spec, one)))
          throw new SyncError('invalid_argument', 'It names a record that is made later: write another edit.')
        const was = { ...fieldsOf(edits.before(edit) ?? {}, patch), ...edit.value }
        const added = Object.entries(was).filter(([field]) => !Object.hasOwn(edit.value, field))
        const value = patched(edit.value, patch, spec)
        draft.put({ ...again(edit), value, base: { ...Object.fromEntries(added), ...edit.base } })
        moveLater(draft, edit, was, value)
      }),
    discard: (id) => change(id, (edit, draft) => takeBack(draft, edit)),
    resend: (id) =>
      change(id, (edit, draft) => {
        if (edit.parked) draft.put(again(edit))
      }),
    arrived: (id, key) =>
      log.change(null, [...specs.keys()], async (draft) => {
        const edit = changeable(draft, id)
        if (!edit.parked)
          throw new SyncError('invalid_argument', 'Only the user knows of an unknown edit whether it arrived.')
        const real = key === null ? null : canonicalId(key)
        const others = draft.edits().filter((one) => {
          const spec = specs.get(one.type)
          if (one.type === edit.type && one.key === edit.key) return one !== edit
          return spec !== undefined && refersTo(one.value, spec, edit)
        })
        if (key !== null && real === null) throw new SyncError('invalid_argument', 'This cannot be a key.')
        if (real === null && others.length > 0)
          throw new SyncError('invalid_argument', 'Other edits wait for this record: say which key it got.')
        const done: Edit = {
          ...edit,
          state: 'confirmed',
          parked: false,
          problem: null,
          answer: { row: null, revision: null, run: draft.run },
        }
        draft.put(done)
        if (key === null || real === null) return
        draft.rename(done, real, key)
        // The record may be here already.
        await draft.truth(edit.type, real)
      }),
    dismiss: (id) =>
      log.change(null, [], async (draft) => {
        const conflict = edits.conflict(id)
        if (conflict !== undefined) draft.drop(conflict)
      }),
    find(id) {
      const edit = edits.find(id)
      return edit === undefined ? (edits.ended(id) ?? null) : infoOf(edit)
    },
    snapshot: edits.snapshot,
    counts: edits.counts,
    ...createPushLog(deps),
  }
}

const TAKEN_BACK: EditProblem = {
  code: 'missing',
  status: null,
  message: 'The record it names was taken back; edit or discard it.',
  fields: [],
}

/** As it was before it was sent. */
function again(edit: Edit): Edit {
  return { ...edit, state: 'queued', parked: false, attempt: 0, request: null, problem: null, firstSentAt: null }
}

function keyOf(row: Row | null, { keyField }: CollectionSpec): string | number | undefined {
  const key = row === null || keyField === null ? undefined : own(row, keyField)
  return typeof key === 'string' || typeof key === 'number' ? key : undefined
}
