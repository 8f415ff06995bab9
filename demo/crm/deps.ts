/** What the CRM's parts share: the engine, the small tables everything names, and the ways to say something. */
import { h } from '../dom.ts'
import type { Mirror } from './mirror.ts'
import type { Notice } from './notice.ts'
import type { Router } from './route.ts'
import type { Contact, Stage, User } from './schema.ts'
import type { EditHandle, CrmSync, RowState } from './sync.ts'
import { STATE_WORDS } from './words.ts'

export interface Deps {
  readonly sync: CrmSync
  readonly contacts: Mirror<Contact>
  readonly stages: Mirror<Stage>
  readonly users: Mirror<User>
  readonly notice: Notice
  readonly router: Router
}

/** A view fills its element once, and is told when it is shown and with what. */
export interface ViewPart {
  readonly element: HTMLElement
  readonly show: (key: string | null) => void
}

/** Who works here: the demo signs everybody in as the first of the users. */
export const ME = 1

/**
 * Says what was done, with a way back as long as nothing of it was sent.
 * @returns the handle; null if it could not be done, which has been said
 */
export async function perform(
  { notice, sync }: Pick<Deps, 'notice' | 'sync'>,
  edit: Promise<EditHandle>,
  words: string | null = null,
): Promise<EditHandle | null> {
  try {
    const handle = await edit
    const undo = (): void => notice.report(sync.outbox.discard(handle.id), 'Undone')
    if (words !== null) notice.say(words, handle.state === 'pending' ? { label: 'Undo', run: undo } : undefined)
    return handle
  } catch (error) {
    notice.say(error instanceof Error ? error.message : 'That did not work')
    return null
  }
}

/** The mark beside a record that is not simply the server's: a dot, and words for those who do not see it. */
export function createMark(): HTMLElement {
  return h('span', { class: 'mark', role: 'img', hidden: true })
}

export function fillMark(mark: HTMLElement, state: RowState | 'sending' | 'unknown'): void {
  mark.hidden = state === 'synced'
  if (mark.dataset['state'] === state) return
  mark.dataset['state'] = state
  const words = STATE_WORDS[state] ?? ''
  mark.ariaLabel = words
  mark.title = words
}
