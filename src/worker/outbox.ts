/**
 * The outbox as one page sees it: the list, while the page looks at it, and how the edits fare that the page made or
 * looked for, with their records' keys (R15, R18). Told once a frame; whoever waits for an edit to rest hears of it here too.
 */
import type { Clock } from '../clock.ts'
import { closedHere } from '../engine/proof.ts'
import { SyncError } from '../errors.ts'
import type { Store, StoreEvent } from '../store/store.ts'
import { linked } from '../waiting.ts'
import type { EditInfo, EditState, EditWord, ToPage } from './api.ts'

const FRAME_MS = 16
/** A long list is told more rarely, so that it never fills a thread. */
const EDITS_PER_MS = 20

export interface OutboxDesk {
  /** From now on the page hears of this edit. */
  watch(edit: EditInfo): void
  /** Whether the page looks at the list. */
  follow(on: boolean): void
  onEvent(event: StoreEvent): void
  /** Resolves with the state at which the edit rests. @throws SyncError `timeout`, `closed` */
  synced(id: string, timeout: number): Promise<EditState>
  close(): void
}

interface OutboxDeskDeps {
  readonly store: Pick<Store, 'outbox'>
  readonly clock: Clock
  readonly send: (message: ToPage) => void
}

export function createOutboxDesk({ store: { outbox }, clock, send }: OutboxDeskDeps): OutboxDesk {
  const life = new AbortController()
  const told = new Map<string, EditWord>()
  const waiting = new Set<() => void>()
  let followed = false
  let due = false
  let length = 0

  // What the store knows nothing of any more, the server has.
  const stateOf = (id: string): EditState => outbox.find(id)?.state ?? 'synced'

  function soon(): void {
    if (due) return
    due = true
    const look = (): void => {
      due = false
      tellEdits()
      for (const check of [...waiting]) check()
      if (followed) tellList()
    }
    void clock.sleep(FRAME_MS + length / EDITS_PER_MS, life.signal).then(look, () => undefined)
  }

  function tellEdits(): void {
    const news: EditWord[] = []
    for (const [id, [, state, key]] of told) {
      const word: EditWord = [id, stateOf(id), outbox.find(id)?.key ?? key]
      if (word[1] === state && word[2] === key) continue
      news.push(word)
      if (isOver(word[1])) told.delete(id)
      else told.set(id, word)
    }
    if (news.length > 0) send({ kind: 'edits', edits: news })
  }

  function tellList(): void {
    const value = outbox.snapshot()
    length = value.edits.length
    send({ kind: 'outbox', value })
  }

  return {
    watch({ id, state, key }) {
      // Told once, it hears of what differs from that.
      if (!isOver(state) && !told.has(id)) told.set(id, [id, state, key])
    },
    follow(on) {
      followed = on
      if (on) tellList()
      else length = 0
    },
    onEvent({ kind }) {
      if (kind !== 'changes' && kind !== 'settled' && kind !== 'closed') soon()
    },
    synced(id, timeout) {
      const over = linked(life.signal)
      let check: () => void
      return new Promise<EditState>((resolve, reject) => {
        check = () => {
          const state = stateOf(id)
          if (state !== 'pending' && state !== 'sending') resolve(state)
        }
        waiting.add(check)
        const late = new SyncError('timeout', `The edit did not come to rest within ${timeout / 1000} s.`)
        clock.sleep(timeout, over.signal).then(
          () => reject(late),
          () => reject(closedHere()),
        )
        check()
      }).finally(() => {
        waiting.delete(check)
        over.abort()
      })
    },
    close: () => life.abort(),
  }
}

/** Nothing more will become of such an edit. */
export function isOver(state: EditState): boolean {
  return state === 'synced' || state === 'discarded'
}
