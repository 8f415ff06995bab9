/**
 * One session drained: fetch, gather, commit, acknowledge, overlapping but in this order of promises: no
 * ack before its commit. The next GETs are always under way while pages are stored. A GET whose outcome is
 * unknown makes the session dirty: that page will not come again in it, so its 204 proves nothing (R9). The
 * end is when every GET under way has been answered, not the first 204.
 */
import { aborted, type Clock, type Random } from '../clock.ts'
import { toPlain } from '../errors.ts'
import type { Lease, SessionFacts, Store } from '../store/store.ts'
import { linked } from '../waiting.ts'
import type { AckSender } from './acks.ts'
import { createCommits } from './commits.ts'
import { createLanes, type Answer } from './lanes.ts'
import type { ProgressMeter } from './progress.ts'
import { backoff, KNOWN_OUTCOMES } from './retry.ts'
import { isOver, makeRoom, type Ceiling } from './settle.ts'
import type { FetchedPage, Transport, UnreadPage } from './transport.ts'

export interface PullDeps {
  readonly store: Store
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly lease: Lease
  readonly acks: AckSender
  readonly ceiling: Ceiling
  readonly progress: ProgressMeter
  /** GETs of one session that the server allows side by side. */
  readonly lanes: () => number
  /** Numbers moved; what came is not durable yet. */
  readonly onProgress: () => void
  /** Pages are durable. */
  readonly onCommit: () => void
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

/** Characters of a page that takes no time to parse. */
const SMALL_PAGE = 4_096

/** @throws SyncError whatever ended the drain; pages stored so far stay stored and acknowledged. */
export async function drain(deps: PullDeps, first: SessionFacts, outer: AbortSignal): Promise<Drained> {
  const { store, transport, clock, random, lease, acks, ceiling, progress } = deps
  const local = linked(outer)
  const { signal } = local

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

  const commits = createCommits({
    store,
    lease,
    clock,
    signal,
    session: () => session,
    onCommitted(committed) {
      if (committed.acks !== null) acks.add(committed.acks)
      stuck += committed.unackable
      accepted += committed.accepted
      quarantined += committed.quarantined
      divergent += committed.divergent
      deps.onCommit()
    },
    // The GETs under way are of no use any more.
    onFailure: () => local.abort(),
  })

  function take(page: FetchedPage, { before, overtaken }: Answer<unknown>): void {
    pages++
    items += page.items.length
    unreadable += page.failed
    // What the server counts as handed out includes the pages still under way.
    const left = overtaken || page.countLeft === null ? null : page.countLeft + before * page.items.length
    progress.page(page.items.length, left)
    const done = session.done + page.items.length
    session = { ...session, done, estimate: left === null ? session.estimate : done + left }
    deps.onProgress()
    if (page.items.length > 0) commits.add({ items: page.items, suspect: page.suspect })
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

  const lanes = createLanes({
    get: () => transport.fetchPage(session.id, signal),
    clock,
    allowed: deps.lanes(),
    signal,
  })
  let end: Drained['end'] | null = null
  let faults = 0
  let empties = 0
  let failedOnly = 0
  let oversized = 0
  let repeats = 0

  function giveUp(): void {
    session = { ...session, dirty: true }
    lost = true
    end = 'gave-up'
  }

  /** @throws what ends the drain. */
  async function fail(failure: unknown, late: boolean): Promise<void> {
    const error = toPlain(failure)
    if (error.code === 'session_gone') {
      end = 'gone'
      return
    }
    if (!KNOWN_OUTCOMES.has(error.code)) {
      session = { ...session, dirty: true }
      lost ||= error.code !== 'page_too_large'
    }
    if (error.code === 'page_too_large' && ++oversized < OVERSIZED_IN_A_ROW) {
      // It was handed out and cannot be taken; the next GET brings the page after it.
      stuck++
      return
    }
    if (end !== null) return
    const passing = error.code === 'rate_limited' || !KNOWN_OUTCOMES.has(error.code)
    if (
      !passing ||
      error.code === 'request_refused' ||
      error.code === 'endpoint_wrong' ||
      (!late && ++faults >= FAULTS_IN_A_ROW)
    ) {
      await commits.all()
      throw failure
    }
    // A late one is the trouble that the pause is for; only a longer wait is news.
    if (!late) lanes.pause(backoff(faults, random, error.retryAfterMs))
    else if (error.retryAfterMs !== undefined) lanes.pause(error.retryAfterMs)
  }

  /** A page that brings nothing is a passing fault (FETCH-2). */
  function isEmpty(page: FetchedPage): boolean {
    if (page.items.length > 0) failedOnly = 0
    return page.items.length === 0 && (page.failed === 0 || ++failedOnly >= FAILED_ONLY_IN_A_ROW)
  }

  function waitForMore(late: boolean): void {
    if (late || end !== null) return
    if (++empties >= EMPTY_IN_A_ROW) giveUp()
    else lanes.pause(Math.min(EMPTY_CEILING_MS, EMPTY_FIRST_MS * 2 ** (empties - 1)))
  }

  async function receive(unread: UnreadPage, answer: Answer<unknown>): Promise<void> {
    const full = isOver(store.counts(), ceiling)
    // Even when there is no room, one page is in hand (R7).
    const fill = (): void => {
      if (end === null) lanes.fill(full ? 1 : undefined)
    }
    // Parsed while the next one is on the way; of a small page it is first seen whether there is anything in it.
    if (unread.size > SMALL_PAGE) fill()
    let page: FetchedPage
    try {
      page = unread.read()
    } catch (error) {
      return fail(error, answer.late)
    }
    faults = 0
    oversized = 0
    if (isRepeated(page) && ++repeats >= REPEATS) return giveUp()
    if (isEmpty(page)) return waitForMore(answer.late)
    empties = 0
    take(page, answer)
    fill()
    // The last page is stored while its 204 is on the way.
    await commits.advance(full || page.countLeft === 0)
    if (full) await makeRoom({ store, lease }, ceiling)
  }

  try {
    lanes.fill()
    while (lanes.open > 0) {
      const answer = await lanes.next()
      if (outer.aborted) throw aborted()
      commits.check()
      if ('error' in answer) await fail(answer.error, answer.late)
      else if (answer.value === null) end ??= 'drained'
      else await receive(answer.value, answer)
      if (end === null) lanes.fill()
    }
    await commits.all()
    return result(end ?? 'gave-up')
  } finally {
    local.abort()
    // Nothing of this drain may still be writing when the next one begins.
    await commits.idle()
  }
}
