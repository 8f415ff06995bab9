/**
 * The leader's side of the outbox (R15, R16): an edit is durably `sending`, with its body frozen, before its request
 * leaves, and what the server said is durable before anything is built on it. A confirmed edit stays until server
 * truth has caught up with it.
 */
import { canonicalId } from '../keys.ts'
import { pluralOf } from '../protocol/resource.ts'
import { own, type CollectionSpec, type Row } from '../schema.ts'
import type { ConflictRow, Edit, EditProblem, EditRequest } from './edit.ts'
import { sendable } from './edit-order.ts'
import { fieldsOf, mergeEdit, rebase, type Merged } from './merge-edit.ts'
import type { EditOutcome, OutgoingEdit, Outbox, OutboxDeps, WriteTerms } from './outbox.ts'
import type { Draft } from './outbox-log.ts'

const LOST: EditProblem = {
  code: 'lost',
  status: null,
  message: 'The answer was lost; look whether the record arrived, then choose "resend" or "arrived".',
  fields: [],
}

export function createPushLog({ log, edits, specs, clock, random }: OutboxDeps): Pick<Outbox, 'take' | 'answer'> {
  function resolve(draft: Draft, edit: Edit, terms: WriteTerms, epoch: number, row: Row | null): OutgoingEdit | null {
    const spec = specs.get(edit.type) as CollectionSpec
    const merged = mergeEdit(edit, row, spec)
    const deletedThere = merged.deleted === 'there'
    const report = merged.fields.length > 0 || (deletedThere && merged.value === null)
    if (report) draft.put(conflictRow(edit, merged, draft))
    if (deletedThere && merged.value !== null) {
      draft.put({ ...edit, state: 'refused', problem: GONE })
      return null
    }
    if (merged.value === null) {
      // Nothing is left to do: truth already says so, or the other side won.
      draft.remove(edit, report)
      return null
    }
    const now = fieldsOf(merged.row ?? {}, merged.value)
    let request: EditRequest
    try {
      request = requestFor(edit, edit.op === 'update' ? now : merged.value, spec, terms)
    } catch {
      // It would fail each time, and hold up all others (L3).
      draft.put({ ...edit, state: 'refused', problem: UNSAYABLE })
      return null
    }
    draft.put({
      ...edit,
      value: merged.value,
      // What was in conflict is decided: where it has to be sent anew, it is so no more.
      base: edit.op === 'insert' || row === null ? edit.base : edit.op === 'delete' ? row : fieldsOf(row, merged.value),
      state: 'sending',
      request,
      epoch,
      attempt: edit.attempt + 1,
      firstSentAt: clock.now(),
    })
    return { id: edit.id, request, again: false }
  }

  function conflictRow(edit: Edit, { fields, deleted }: Merged, draft: Draft): ConflictRow {
    const { id, type, jsonKey } = edit
    return {
      kind: 'conflict',
      id: random.uuid(),
      n: draft.next(),
      edit: id,
      collection: type,
      key: jsonKey,
      at: clock.now(),
      deleted,
      fields,
    }
  }

  /** Whether a request whose outcome is unknown may be sent again as it was (R17). */
  function repeatable({ request, firstSentAt }: Edit, { keyMemoryMs }: WriteTerms): boolean {
    if (request === null || request.method !== 'POST' || request.path.includes('?')) return true
    return request.idempotencyKey !== null && keyMemoryMs !== null && clock.now() - (firstSentAt ?? 0) < keyMemoryMs
  }

  function park(draft: Draft, edit: Edit): void {
    draft.put({ ...edit, state: 'unknown', parked: true, problem: LOST })
  }

  async function settle(draft: Draft, outcome: EditOutcome): Promise<void> {
    const edit = draft.edits().find(({ id }) => id === outcome.id)
    // Answers for nothing that was asked are ignored (F52).
    if (edit === undefined || edit.state !== 'sending') return
    switch (outcome.kind) {
      case 'unknown':
        return draft.put({ ...edit, state: 'unknown' })
      case 'untouched':
        // An earlier attempt may still have taken effect.
        return draft.put(
          edit.attempt > 1
            ? { ...edit, state: 'unknown' }
            : { ...edit, state: 'queued', request: null, attempt: 0, firstSentAt: null },
        )
      case 'refused':
        return draft.put({ ...edit, state: 'refused', attempt: 0, request: null, problem: outcome.problem })
      case 'accepted':
        return confirm(draft, edit, outcome.row, outcome.revision)
    }
  }

  async function confirm(draft: Draft, edit: Edit, row: Row | null, revision: number | null): Promise<void> {
    const { type, op, jsonKey } = edit
    const spec = specs.get(type) as CollectionSpec
    const { keyField } = spec
    const named = row === null || keyField === null ? undefined : own(row, keyField)
    const real = op === 'insert' ? (canonicalId(named) ?? edit.key) : edit.key
    const done: Edit = {
      ...edit,
      state: 'confirmed',
      problem: null,
      request: null,
      answer: { row, revision, run: draft.run },
    }
    draft.put(done)
    if (real !== edit.key) draft.rename(done, real, named as typeof jsonKey)
    if (row !== null)
      for (const later of draft.edits())
        if (later.type === type && later.key === real && later.n > edit.n && later.state === 'queued')
          draft.put(later.op === 'delete' ? { ...later, base: row } : rebase(later, edit.value, row, spec))
    // Truth may have come before the answer.
    const { rev } = await draft.truth(type, real)
    if (revision !== null && rev >= revision)
      draft.remove(draft.edits().find(({ id }) => id === edit.id) as Edit, false)
  }

  return {
    take: (lease, most, terms, except) => {
      if (sendable(edits.all(), specs, except).length === 0) return Promise.resolve([])
      return log.change(lease, [...specs.keys()], async (draft) => {
        const outgoing: OutgoingEdit[] = []
        const ready = (): readonly Edit[] => sendable(draft.edits(), specs, except)
        // Where all that was ready ended here, others wait no more.
        for (let next = ready(); outgoing.length === 0 && next.length > 0; next = ready())
          for (const edit of next) {
            if (outgoing.length === most) break
            if (edit.request !== null) {
              // It may have left: the same request again, or nobody's guess (R15, R17).
              if (!repeatable(edit, terms)) park(draft, edit)
              else {
                draft.put({ ...edit, state: 'sending', epoch: lease.epoch, attempt: edit.attempt + 1 })
                outgoing.push({ id: edit.id, request: edit.request, again: true })
              }
              continue
            }
            const truth = await draft.truth(edit.type, edit.key)
            const earlier = draft
              .edits()
              .filter((one) => one.type === edit.type && one.key === edit.key && one.n < edit.n)
            const spec = specs.get(edit.type) as CollectionSpec
            const row = earlier.reduce<Row | null>((now, one) => mergeEdit(one, now, spec).row, truth.row)
            const unknown = row === null && truth.rev === 0 && !(await draft.isGone(edit.type, edit.key))
            const sent = resolve(draft, edit, terms, lease.epoch, unknown ? edit.base : row)
            if (sent !== null) outgoing.push(sent)
          }
        return outgoing
      })
    },
    answer: (lease, outcomes) =>
      log.change(lease, [...specs.keys()], async (draft) => {
        for (const outcome of outcomes) await settle(draft, outcome)
      }),
  }
}

const GONE: EditProblem = {
  code: 'conflict',
  status: null,
  message: 'The record was deleted at the server meanwhile; discard the edit, then the record can be made anew.',
  fields: [],
}

const UNSAYABLE: EditProblem = { code: 'refused', status: null, message: 'No URL can hold this key.', fields: [] }

/** @throws where a URL cannot say it, but would name another record: half a character, dots. */
function segment(key: string): string {
  if (/^\.\.?$/.test(key)) throw new URIError(key)
  return encodeURIComponent(key)
}

function requestFor(edit: Edit, value: Row, spec: CollectionSpec, terms: WriteTerms): EditRequest {
  const { id, op, key, jsonKey, temporary, type } = edit
  const path = `/v2/${spec.path ?? pluralOf(type)}`
  const idempotencyKey = terms.keyMemoryMs === null ? null : id
  if (op !== 'insert') {
    const one = `${path}/${segment(key)}`
    return op === 'delete'
      ? { method: 'DELETE', path: one, body: null, idempotencyKey }
      : { method: 'PUT', path: one, body: JSON.stringify({ data: value }), idempotencyKey }
  }
  const given = !temporary || (terms.clientIds && typeof jsonKey === 'string')
  const data: Row = given && spec.keyField !== null ? { ...value, [spec.keyField]: jsonKey } : value
  const { create } = spec
  if (typeof create !== 'object')
    return {
      method: 'POST',
      path,
      body: JSON.stringify({ data }),
      idempotencyKey: create === 'ask' ? null : idempotencyKey,
    }
  // The operation id names a record that has no name of its own.
  const [, map, member] = /^(\w+)\[(.+)\]$/.exec(create.upsert) ?? []
  const inner = map === undefined ? data : ((own(data, map) ?? {}) as Row)
  const wanted = own(inner, member ?? create.upsert)
  const match = typeof wanted === 'string' && wanted !== '' ? whole(wanted) : typeof wanted === 'number' ? wanted : id
  const named = { ...inner, [member ?? create.upsert]: match }
  const body = JSON.stringify({ data: map === undefined ? named : { ...data, [map]: named } })
  const filter = `${encodeURIComponent(create.upsert)}=${encodeURIComponent(String(match))}`
  return { method: 'POST', path: `${path}/upsert?${filter}`, body, idempotencyKey }
}

/** Half a character cannot be part of an address. Of a key it would make another key. */
function whole(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd')
}
