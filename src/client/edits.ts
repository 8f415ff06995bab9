/**
 * Handles of edits: what the worker says of an edit reaches every handle of it, and waiting for its end is a method,
 * so that nobody has to handle a rejection that he did not ask for (R20).
 */
import type { EditInfo, EditState, EditWord } from '../worker/api.ts'
import type { EditHandle, WaitOptions } from './api.ts'
import type { Connection } from './connect.ts'
import { bad } from './write.ts'

export interface Edits {
  handle(edit: EditInfo): EditHandle
  /** News from the worker, which may come before the handle. */
  take(news: readonly EditWord[]): void
}

interface Known {
  state: EditState
  key: string | number
}

export function createEdits(call: Connection['call']): Edits {
  const known = new Map<string, Known>()

  return {
    handle({ id, state, key }) {
      const edit = known.get(id) ?? { state, key }
      if (!isOver(edit)) known.set(id, edit)
      else known.delete(id)
      return {
        id,
        get key() {
          return edit.key
        },
        get state() {
          return edit.state
        },
        async synced(options) {
          if (!isOver(edit)) edit.state = await ask(id, options)
          return edit.state
        },
      }
    },
    take(news) {
      for (const [id, state, key] of news) {
        const edit = known.get(id)
        if (edit === undefined) known.set(id, { state, key })
        else if (isOver(Object.assign(edit, { state, key }))) known.delete(id)
      }
    },
  }

  async function ask(id: string, options?: WaitOptions): Promise<EditState> {
    const { timeout, wait } = waiting('synced', options)
    return call('synced', [id, timeout], wait)
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
