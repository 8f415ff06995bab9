/**
 * Sends what the outbox lets go, a few edits at a time, and stores what the server said to each (R15). The outbox
 * keeps the order; an edit it hands out may leave. One that fails for a passing reason holds back nothing but what
 * depends on it (L3); one that was cut off is not answered for, and goes again under the same key (I12).
 */
import { aborted } from '../clock.ts'
import { fromPlain, toPlain, type PlainError } from '../errors.ts'
import type { EditOutcome, OutgoingEdit, WriteTerms } from '../store/outbox.ts'
import type { Lease, Store } from '../store/store.ts'
import { KNOWN_OUTCOMES } from './retry.ts'
import type { Transport } from './transport.ts'

export interface PushDeps {
  readonly store: Pick<Store, 'outbox'>
  readonly transport: Pick<Transport, 'write'>
  readonly lease: Lease
  /** What the server last said it can do. */
  readonly terms: () => WriteTerms
  /** Edits that failed in earlier pushes: the others go first. */
  readonly failed: Set<string>
  /** Edits have another state. */
  readonly onPushed: () => void
}

export interface Pushed {
  readonly accepted: number
  /** What the first of those that failed for a passing reason failed with. */
  readonly failure: PlainError | null
}

interface Answer {
  /** Null: it was cut off. */
  readonly outcome: EditOutcome | null
  readonly error: PlainError | null
}

/** Edits under way at a time. */
const BATCH = 8

/** @throws SyncError what keeps all edits from being sent, `aborted`, or the store's. */
export async function push(deps: PushDeps, signal: AbortSignal): Promise<Pushed> {
  const { store, transport, lease, failed } = deps
  const failedNow = new Set<string>()
  let accepted = 0
  let failure: PlainError | null = null

  async function send({ id, request }: OutgoingEdit): Promise<Answer> {
    try {
      return { outcome: { id, ...(await transport.write(request, signal)) }, error: null }
    } catch (thrown) {
      const error = toPlain(thrown)
      const cut = error.code === 'aborted'
      const kind = KNOWN_OUTCOMES.has(error.code) ? 'untouched' : 'unknown'
      if (kind === 'unknown' && !cut) failedNow.add(id)
      return { outcome: cut ? null : { id, kind }, error }
    }
  }

  try {
    for (;;) {
      if (signal.aborted) throw aborted()
      const { pending } = store.outbox.counts()
      const edits = await store.outbox.take(lease, BATCH, deps.terms(), new Set([...failed, ...failedNow]))
      if (edits.length === 0) {
        // Some came to an end without a request; what waited for them may leave.
        if (store.outbox.counts().pending < pending) continue
        if (failed.size === 0) return { accepted, failure }
        // Nothing else is left: now it is their turn.
        failed.clear()
        continue
      }
      deps.onPushed()
      const answers = await Promise.all(edits.map(send))
      const outcomes = answers.flatMap(({ outcome }) => outcome ?? [])
      if (outcomes.length > 0) await store.outbox.answer(lease, outcomes)
      deps.onPushed()
      accepted += outcomes.filter(({ kind }) => kind === 'accepted').length
      const errors = answers.flatMap(({ error }) => error ?? [])
      failure ??= errors[0] ?? null
      const general = errors.find(({ code }) => KNOWN_OUTCOMES.has(code))
      if (general !== undefined) throw fromPlain(general)
      if (errors.length === edits.length) throw fromPlain(errors[0]!)
    }
  } finally {
    for (const id of failedNow) failed.add(id)
  }
}
