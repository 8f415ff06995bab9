/**
 * One session drained: fetch, gather, commit, acknowledge, overlapping but in this order of promises: no
 * ack before its commit. The next GET is always under way while pages are stored. A GET whose outcome is
 * unknown makes the session dirty: that page will not come again in it, so its 204 proves nothing (R9).
 */
import type { Clock, Random } from '../clock.ts'
import { aborted } from '../clock.ts'
import { toPlain } from '../errors.ts'
import type { IncomingPage, Lease, SessionFacts, Store } from '../store/store.ts'
import type { AckSender } from './acks.ts'
import type { ProgressMeter } from './progress.ts'
import { backoff, KNOWN_OUTCOMES } from './retry.ts'
import { isOver, makeRoom, type Ceiling } from './settle.ts'
import type { FetchedPage, Transport } from './transport.ts'

export interface PullDeps {
  readonly store: Store
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly lease: Lease
  readonly acks: AckSender
  readonly ceiling: Ceiling
  readonly progress: ProgressMeter
  readonly onPage: () => void
}

export interface Drained {
  /** `drained`: 204. `gone`: the server knows the session no more. `gave-up`: only empty pages came. */
  readonly end: 'drained' | 'gone' | 'gave-up'
  readonly dirty: boolean
  readonly pages: number
  readonly items: number
  readonly quarantined: number
  /** Items that cannot be acknowledged, pages that cannot be taken (R11). */
  readonly stuck: number
  /** Objects the server could not read. */
  readonly unreadable: number
  /** Items that were new to this device. */
  readonly accepted: number
  /** Items of a known revision with another body: they change nothing, but something is wrong at the server (R7). */
  readonly divergent: number
  /** Pages larger than a client may take were all that made it dirty. */
  readonly onlyOversized: boolean
}

/** One commit: this many records or this many milliseconds, whichever first (R3). */
const GROUP_RECORDS = 1_000
const GROUP_MS = 50

/** Faults of GETs in a row before the run gives up (the session is kept). */
const FAULTS_IN_A_ROW = 4

/** Empty pages in a row before the session is given up (FETCH-2). */
const EMPTY_IN_A_ROW = 5
const EMPTY_FIRST_MS = 500
const EMPTY_CEILING_MS = 8_000

/** Pages that only name unreadable objects in a row before they count as empty ones. */
const FAILED_ONLY_IN_A_ROW = 40

/** Pages of one session that begin with an item it has handed out before. */
const REPEATS = 5

/** Pages beyond the size limit in a row before the run gives up (R11). */
const OVERSIZED_IN_A_ROW = 20

/** @throws SyncError whatever ended the drain; pages stored so far stay stored and acknowledged. */
export async function drain(deps: PullDeps, first: SessionFacts, outer: AbortSignal): Promise<Drained> {
  const { store, transport, clock, random, lease, acks, ceiling, progress } = deps
  const local = new AbortController()
  const signal = local.signal
  const stop = (): void => local.abort()
  outer.addEventListener('abort', stop, { once: true })
  if (outer.aborted) local.abort()

  let session = first
  let pages = 0
  let items = 0
  let stuck = 0
  let unreadable = 0
  let accepted = 0
  let quarantined = 0
  let divergent = 0
  /** A GET's outcome is unknown for another reason than its size. */
  let lost = first.dirty
  const result = (end: Drained['end']): Drained => ({
    end,
    dirty: session.dirty,
    pages,
    items,
    quarantined,
    stuck,
    unreadable,
    accepted,
    divergent,
    onlyOversized: session.dirty && !lost,
  })

  let group: IncomingPage[] = []
  let gathered = 0
  let commitFailure: unknown
  let committing: Promise<void> | null = null

  /** Starts the commit of what was gathered, after the one under way; there is only ever one. */
  async function startCommit(): Promise<void> {
    while (committing !== null) await committing
    if (commitFailure !== undefined) throw commitFailure
    if (group.length === 0) return
    const taken = group
    group = []
    gathered = 0
    committing = (async () => {
      try {
        const committed = await store.commit(lease, taken, session)
        if (committed.acks !== null) acks.add(committed.acks)
        stuck += committed.unackable
        accepted += committed.accepted
        quarantined += committed.quarantined
        divergent += committed.divergent
        deps.onPage()
      } catch (error) {
        commitFailure = error
        // The GET under way is of no use any more.
        local.abort()
      } finally {
        committing = null
      }
    })()
  }

  /** Everything gathered is stored. */
  async function commitAll(): Promise<void> {
    await startCommit()
    while (committing !== null) await committing
    if (commitFailure !== undefined) throw commitFailure
  }

  let timer = false
  function commitSoon(): void {
    if (timer) return
    timer = true
    void clock
      .sleep(GROUP_MS, signal)
      .then(startCommit)
      .catch(() => undefined)
      .finally(() => {
        timer = false
        if (group.length > 0 && !signal.aborted && commitFailure === undefined) commitSoon()
      })
  }

  function take(page: FetchedPage): void {
    pages++
    items += page.items.length
    unreadable += page.failed
    progress.page(page.items.length, page.countLeft)
    session = {
      ...session,
      done: session.done + page.items.length,
      estimate: page.countLeft === null ? session.estimate : session.done + page.items.length + page.countLeft,
    }
    if (page.items.length === 0) return
    group.push({ items: page.items, suspect: page.suspect })
    gathered += page.items.length
  }

  /** A session hands out each item once (FETCH-3); a server that does not would keep us here for ever. */
  const seen = new Set<string>()
  function isRepeated(page: FetchedPage): boolean {
    const key = page.items.find(({ ackKey }) => ackKey !== null)?.ackKey
    if (key === undefined || key === null) return false
    const known = seen.has(key)
    seen.add(key)
    return known
  }

  async function giveUp(): Promise<Drained> {
    await commitAll()
    session = { ...session, dirty: true }
    lost = true
    return result('gave-up')
  }

  type Outcome = { readonly page: FetchedPage | null } | { readonly error: unknown }
  const fetchNext = (): Promise<Outcome> =>
    transport.fetchPage(session.id, signal).then(
      (page) => ({ page }),
      (error: unknown) => ({ error }),
    )

  let faults = 0
  let empties = 0
  let failedOnly = 0
  let oversized = 0
  let repeats = 0
  try {
    let next = fetchNext()
    for (;;) {
      const outcome = await next
      if (outer.aborted) throw aborted()
      if (commitFailure !== undefined) throw commitFailure
      if ('error' in outcome) {
        const error = toPlain(outcome.error)
        if (error.code === 'session_gone') {
          await commitAll()
          return result('gone')
        }
        if (!KNOWN_OUTCOMES.has(error.code)) {
          session = { ...session, dirty: true }
          lost ||= error.code !== 'page_too_large'
        }
        if (error.code === 'page_too_large' && ++oversized < OVERSIZED_IN_A_ROW) {
          // It was handed out and cannot be taken; the next GET brings the page after it.
          stuck++
        } else {
          const passing = error.code === 'rate_limited' || !KNOWN_OUTCOMES.has(error.code)
          if (
            !passing ||
            error.code === 'request_refused' ||
            error.code === 'endpoint_wrong' ||
            ++faults >= FAULTS_IN_A_ROW
          ) {
            await commitAll()
            throw outcome.error
          }
          await clock.sleep(backoff(faults, random, error.retryAfterMs), signal)
        }
        next = fetchNext()
        continue
      }
      faults = 0
      oversized = 0
      const { page } = outcome
      if (page === null) {
        await commitAll()
        return result('drained')
      }
      if (isRepeated(page) && ++repeats >= REPEATS) return giveUp()
      if (page.items.length === 0 && (page.failed === 0 || ++failedOnly >= FAILED_ONLY_IN_A_ROW)) {
        if (++empties >= EMPTY_IN_A_ROW) return giveUp()
        await clock.sleep(Math.min(EMPTY_CEILING_MS, EMPTY_FIRST_MS * 2 ** (empties - 1)), signal)
        next = fetchNext()
        continue
      }
      empties = 0
      if (page.items.length > 0) failedOnly = 0
      take(page)
      deps.onPage()
      next = fetchNext()
      const full = isOver(store.counts(), ceiling)
      if (gathered >= GROUP_RECORDS || full) await startCommit()
      else commitSoon()
      if (full) await makeRoom({ store, lease }, ceiling)
    }
  } finally {
    local.abort()
    outer.removeEventListener('abort', stop)
    // Nothing of this drain may still be writing when the next one begins.
    while (committing !== null) await committing
  }
}
