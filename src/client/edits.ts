/**
 * Edits on the page: the outbox as apps use it, and handles. What the worker says of an edit reaches every handle of it,
 * and waiting for its end is a method, so that nobody has to handle a rejection that he did not ask for (R20).
 */
import type { EditInfo, EditState, EditWord, OutboxCall, OutboxSnapshot } from '../worker/api.ts'
import type { EditHandle, Outbox, Store, WaitOptions } from './api.ts'
import type { Connection } from './connect.ts'
import { bad, plainFields } from './write.ts'

export interface Edits {
  readonly outbox: Outbox
  handle(edit: EditInfo): EditHandle
  /** News from the worker, which may come before the handle. */
  take(news: readonly EditWord[]): void
  /** Another worker knows nothing of what this page follows. `lost`: the outbox may have gone with the database. */
  findAgain(lost: boolean): void
}

interface Known {
  state: EditState
  key: string | number
}

export function createEdits(call: Connection['call'], store: Store<OutboxSnapshot>): Edits {
  const known = new Map<string, Known>()

  const ask = (...asked: OutboxCall): Promise<EditInfo | null> => call('outbox', asked)
  const told = (what: Exclude<OutboxCall[0], 'edit' | 'arrived'>) => async (id: string) => void (await ask(what, id))

  function handle({ id, state, key }: EditInfo): EditHandle {
    const edit = known.get(id) ?? { state, key }
    if (isOver(edit)) known.delete(id)
    else known.set(id, edit)
    return {
      id,
      get key() {
        return edit.key
      },
      get state() {
        return edit.state
      },
      async synced(options) {
        const { timeout, wait } = waiting('synced', options)
        if (!isOver(edit)) edit.state = await call('synced', [id, timeout], wait)
        return edit.state
      },
    }
  }

  function take(news: readonly EditWord[]): void {
    for (const [id, state, key] of news) {
      const edit = known.get(id)
      if (edit === undefined) known.set(id, { state, key })
      else if (isOver(Object.assign(edit, { state, key }))) known.delete(id)
    }
  }

  return {
    handle,
    take,
    findAgain(lost) {
      for (const [id, { key }] of known)
        ask('find', id).then(
          (found) => take([found ? [id, found.state, found.key] : [id, lost ? 'discarded' : 'synced', key]]),
          () => undefined,
        )
    },
    outbox: {
      ...store,
      retry: told('retry'),
      discard: told('discard'),
      resend: told('resend'),
      dismiss: told('dismiss'),
      edit: async (id, patch) => void (await ask('edit', id, plainFields('outbox.edit', patch))),
      arrived: async (id, key = null) => void (await ask('arrived', id, key)),
      find: async (id) => {
        const edit = await ask('find', id)
        return edit && handle(edit)
      },
    },
  }
}

const WAIT_MS = 60_000

/**
 * How long the worker waits, and the page for its answer: the worker keeps the time; a second more here tells its own
 * answer from a worker that gives none. @throws SyncError `invalid_argument`
 */
export function waiting(what: string, { timeout = WAIT_MS, signal }: WaitOptions = {}) {
  if (!(timeout >= 0 && timeout < 2 ** 31)) bad(what, 'timeout must be milliseconds')
  return { timeout, wait: { timeout: timeout + 1_000, signal } }
}

function isOver({ state }: Known): boolean {
  return state === 'synced' || state === 'discarded'
}
