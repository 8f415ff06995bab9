/**
 * Group commit (R3): pages gather until they are worth a strict transaction, or until the first of them has waited
 * long enough. One commit is under way at a time, and a page is never split over two.
 */
import type { Clock } from '../clock.ts'
import type { Committed, IncomingPage, Lease, SessionFacts, Store } from '../store/store.ts'

export interface Commits {
  add(page: IncomingPage): void
  /** Stores what has gathered, if it is enough or has to be; waits only for the commit before it. */
  advance(now: boolean): Promise<void>
  /** Everything added is stored. */
  all(): Promise<void>
  /** No commit is under way, whatever became of the last. */
  idle(): Promise<void>
  /** @throws what a commit failed with; nothing is committed after it. */
  check(): void
}

interface CommitsDeps {
  readonly store: Store
  readonly lease: Lease
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Stored with the pages. */
  readonly session: () => SessionFacts
  readonly onCommitted: (committed: Committed) => void
  readonly onFailure: () => void
}

/** One commit: this many records or this many milliseconds, whichever first. */
const GROUP_RECORDS = 1_000
const GROUP_MS = 50

export function createCommits(deps: CommitsDeps): Commits {
  const { store, lease, clock, signal } = deps
  let group: IncomingPage[] = []
  let gathered = 0
  let failure: unknown
  let committing: Promise<void> | null = null
  let timer = false

  async function idle(): Promise<void> {
    while (committing !== null) await committing
  }

  function check(): void {
    if (failure !== undefined) throw failure
  }

  async function commit(pages: readonly IncomingPage[]): Promise<void> {
    try {
      deps.onCommitted(await store.commit(lease, pages, deps.session()))
    } catch (error) {
      failure = error
      deps.onFailure()
    } finally {
      committing = null
    }
  }

  async function start(): Promise<void> {
    await idle()
    check()
    if (group.length === 0) return
    const pages = group
    group = []
    gathered = 0
    committing = commit(pages)
  }

  function startSoon(): void {
    if (timer) return
    timer = true
    void clock
      .sleep(GROUP_MS, signal)
      .then(start)
      .catch(() => undefined)
      .finally(() => {
        timer = false
        if (group.length > 0 && !signal.aborted && failure === undefined) startSoon()
      })
  }

  return {
    add(page) {
      store.prepare(page)
      group.push(page)
      gathered += page.items.length
    },
    async advance(now) {
      if (now || gathered >= GROUP_RECORDS) await start()
      else startSoon()
    },
    async all() {
      await start()
      await idle()
      check()
    },
    idle,
    check,
  }
}
