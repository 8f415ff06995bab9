/** A conflict side by side: what was, what was written here, what the server had; one of them is kept already. */
import { h } from '../dom.ts'
import { perform, type Deps } from './deps.ts'
import type { Naming } from './naming.ts'
import type { Conflict, EditHandle } from './sync.ts'
import { ago, labelOf, patchFor, shownFields } from './words.ts'

export function createConflict(deps: Deps, naming: Naming, conflict: Conflict): HTMLElement {
  const { sync, notice } = deps
  const { id, collection, key, deleted } = conflict
  const fields = shownFields(conflict.fields, ({ field }) => field)
  const dismiss = (words: string): void => notice.report(sync.outbox.dismiss(id), words)

  /** Writes what the chosen side says, where the other was kept; then the matter is closed. */
  const choose = async (side: 'ours' | 'theirs'): Promise<void> => {
    const patch = patchFor(conflict, side)
    const rows = sync[collection as 'deal'] as { update(key: string | number, patch: object): Promise<EditHandle> }
    if (Object.keys(patch).length > 0 && (await perform(deps, rows.update(key, patch))) === null) return
    dismiss(side === 'ours' ? 'Yours stays' : 'Theirs stays')
  }
  const kept = (side: 'ours' | 'theirs'): boolean => fields.every((field) => field.kept === side)
  const chooser = (side: 'ours' | 'theirs', words: string): HTMLElement =>
    h(
      'button',
      { type: 'button', class: kept(side) ? 'plain' : 'primary small', onclick: () => void choose(side) },
      words,
    )

  const cell = (side: 'ours' | 'theirs', field: Conflict['fields'][number]): HTMLElement =>
    h(
      'td',
      { class: field.kept === side ? 'kept' : '' },
      h('span', { class: 'side-value' }, naming.value(collection, field.field, field[side])),
      field.kept === side && h('span', { class: 'kept-word' }, 'in use'),
    )
  const table = h(
    'table',
    { class: 'sides' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        h('th', { scope: 'col' }, h('span', { class: 'unseen' }, 'Field')),
        h('th', { scope: 'col' }, 'Before'),
        h('th', { scope: 'col' }, 'Mine'),
        h('th', { scope: 'col' }, 'Theirs'),
      ),
    ),
    h(
      'tbody',
      {},
      ...fields.map((field) =>
        h(
          'tr',
          {},
          h('th', { scope: 'row' }, labelOf(field.field, collection)),
          h('td', { class: 'before' }, naming.value(collection, field.field, field.base)),
          cell('ours', field),
          cell('theirs', field),
        ),
      ),
    ),
  )
  const story =
    deleted === 'there'
      ? 'It was deleted at the server while you changed it here.'
      : deleted === 'here'
        ? 'You deleted it here while somebody changed it at the server.'
        : null
  return h(
    'li',
    { class: 'edit conflict', 'data-state': 'conflict' },
    h(
      'header',
      {},
      h('span', { class: 'mark', role: 'img', 'data-state': 'conflict', 'aria-label': 'Changed on both sides' }),
      naming.link(conflict),
      h('time', {}, ago(conflict.at, Date.now())),
    ),
    story !== null && h('p', { class: 'edit-problem' }, story),
    fields.length > 0 && h('div', { class: 'sides-frame' }, table),
    h(
      'div',
      { class: 'edit-actions' },
      fields.length > 0 && deleted === null && chooser('ours', 'Keep mine'),
      fields.length > 0 && deleted === null && chooser('theirs', 'Take theirs'),
      h('button', { type: 'button', class: 'plain', onclick: () => dismiss('Seen') }, 'Dismiss'),
    ),
  )
}
