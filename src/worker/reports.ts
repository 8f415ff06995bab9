/**
 * Status, history and quarantine on their way to the page: a new phase at once, numbers within one phase at
 * most ten times a second; history and quarantine only while the page looks at them.
 */
import type { Clock } from '../clock.ts'
import type { Engine } from '../engine/engine.ts'
import type { Status } from '../engine/status.ts'
import type { Store } from '../store/store.ts'
import type { Followed, ToPage } from './api.ts'

const STATUS_MS = 100
const LIST_MS = 500
const QUARANTINE_SHOWN = 200

type Listed = Exclude<Followed, 'outbox'>

export interface Reports {
  follow(what: Listed, on: boolean): void
  close(): void
}

interface ReportDeps {
  readonly store: Store
  readonly clock: Clock
  readonly status: Engine['status']
  readonly send: (message: ToPage) => void
}

export function createReports({ store, clock, status, send }: ReportDeps): Reports {
  const life = new AbortController()
  const followed = new Set<Listed>()
  let shown: Status | null = null

  function sendStatus(): void {
    shown = status.current
    send({ kind: 'status', value: shown })
  }

  function onStatus(next: Status): void {
    if (life.signal.aborted) return
    if (shown?.phase !== next.phase) sendStatus()
    else statusSoon()
    if (followed.size > 0) listSoon()
  }

  /** Work that waits a while, so that much of what is asked for meanwhile is done at once. */
  function soon(ms: number, work: () => void | Promise<void>): () => void {
    let waiting = false
    return () => {
      if (waiting) return
      waiting = true
      void clock
        .sleep(ms, life.signal)
        .then(() => {
          waiting = false
          return work()
        })
        .catch(() => undefined)
    }
  }
  const statusSoon = soon(STATUS_MS, () => {
    if (shown !== status.current) sendStatus()
  })
  const listSoon = soon(LIST_MS, async () => {
    for (const what of followed) await sendList(what)
  })

  async function sendList(what: Listed): Promise<void> {
    if (what === 'quarantine') send({ kind: what, value: await store.quarantine.list(QUARANTINE_SHOWN) })
    else send({ kind: what, value: { sessions: (await store.history()).map(({ n: _n, ...session }) => session) } })
  }

  const stop = status.subscribe(onStatus)
  sendStatus()

  return {
    follow(what, on) {
      if (!on) followed.delete(what)
      else {
        followed.add(what)
        void sendList(what).catch(() => undefined)
      }
    },
    close() {
      sendStatus()
      life.abort()
      stop()
    },
  }
}
