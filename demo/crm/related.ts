/** What hangs on a contact or a deal: deals, tasks, notes. Blocks that follow their own live query while shown. */
import type { LiveQuery } from '../../src/index.ts'
import { h, icon, setText } from '../dom.ts'
import { createMark, fillMark, ME, perform, type Deps } from './deps.ts'
import { dayInput, endOfWork } from './form.ts'
import { createKeyed } from './keyed.ts'
import { createMirror, type Mirror } from './mirror.ts'
import type { Deal, Note, Task } from './schema.ts'
import type { RowState } from './sync.ts'
import { createTaskRow, fillTaskRow } from './task-row.ts'
import { contactName, day, money } from './words.ts'

export interface About {
  readonly resource_type: 'contact' | 'deal'
  readonly resource_id: number
}

export interface Block {
  readonly element: HTMLElement
  readonly stop: () => void
}

interface BlockOptions<T extends { readonly id: number }> {
  readonly title: string
  readonly none: string
  readonly live: LiveQuery<T>
  readonly order: (a: T, b: T) => number
  readonly create: (row: T) => HTMLElement
  readonly fill: (element: HTMLElement, row: T, state: RowState) => void
  readonly foot?: HTMLElement
  readonly head?: HTMLElement
}

function createBlock<T extends { readonly id: number }>(options: BlockOptions<T>): Block {
  const { title, none, live, order, create, fill, foot, head } = options
  const counter = h('span', { class: 'block-count' })
  const rows = h('ul', { class: 'block-rows' })
  const empty = h('p', { class: 'block-empty' }, '\u00a0')
  const element = h(
    'section',
    { class: 'block', 'aria-label': title },
    h('header', {}, h('h3', {}, title), counter, head ?? null),
    rows,
    empty,
    foot ?? null,
  )
  const mirror: Mirror<T> = createMirror(live)
  const list = createKeyed<T>({
    box: rows,
    idOf: ({ id }) => id,
    create: (row) => h('li', {}, create(row)),
    fill: (item, row) => fill(item.firstElementChild as HTMLElement, row, mirror.stateOf(row.id)),
  })
  const draw = (): void => {
    const all = [...mirror.rows()].sort(order)
    list.show(all)
    setText(counter, all.length === 0 ? '' : String(all.length))
    empty.hidden = all.length > 0
    setText(empty, mirror.state() === 'error' ? mirror.error() : none)
  }
  const quit = mirror.subscribe(draw)
  return {
    element,
    stop: () => {
      quit()
      mirror.stop()
    },
  }
}

export function createTasksBlock(deps: Deps, about: About): Block {
  const { sync } = deps
  const text = h('input', { placeholder: 'Add a task', 'aria-label': 'New task', name: 'task' })
  const due = dayInput()
  const add = (event: Event): void => {
    event.preventDefault()
    const content = text.value.trim()
    if (content === '') return text.focus()
    const value = { content, owner_id: ME, completed: false, due_date: endOfWork(due.value), ...about }
    text.value = ''
    void perform(deps, sync.task.insert(value), 'Task added')
  }
  const submit = h(
    'button',
    { type: 'submit', class: 'icon-button', 'aria-label': 'Add task' },
    icon('M10 4v12M4 10h12'),
  )
  return createBlock<Task>({
    title: 'Tasks',
    none: 'Nothing to do here.',
    live: sync.task.where({ ...about }).live(),
    order: (a, b) =>
      Number(a.completed === true) - Number(b.completed === true) ||
      (a.due_date ?? '9').localeCompare(b.due_date ?? '9'),
    create: () => createTaskRow(deps, false),
    fill: (row, task, state) => fillTaskRow(deps, row, task, state),
    foot: h('form', { class: 'adder', onsubmit: add }, text, due, submit),
  })
}

export function createNotesBlock(deps: Deps, about: About): Block {
  const { sync, users } = deps
  const text = h('textarea', { rows: 2, placeholder: 'Write a note', 'aria-label': 'New note', name: 'note' })
  const add = (event: Event): void => {
    event.preventDefault()
    const content = text.value.trim()
    if (content === '') return text.focus()
    text.value = ''
    void perform(deps, sync.note.insert({ content, ...about }), 'Note added')
  }
  text.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) add(event)
  })
  return createBlock<Note>({
    title: 'Notes',
    none: 'No notes yet.',
    live: sync.note.where({ ...about }).live(),
    order: (a, b) => (b.created_at ?? '9').localeCompare(a.created_at ?? '9'),
    create: (note) => {
      const remove = (): void => void perform(deps, sync.note.delete(note.id), 'Note deleted')
      return h(
        'article',
        { class: 'note' },
        h('p', { class: 'note-text' }),
        h(
          'footer',
          {},
          h('span', { class: 'note-by' }),
          createMark(),
          h(
            'button',
            { type: 'button', class: 'icon-button quiet', 'aria-label': 'Delete note', onclick: remove },
            icon('M5 6h10M8 6V4.5h4V6m2 0-.6 9.5H6.6L6 6'),
          ),
        ),
      )
    },
    fill: (item, note, state) => {
      const [content, footer] = item.children as unknown as [HTMLElement, HTMLElement]
      setText(content, note.content ?? '')
      item.classList.toggle('important', note.is_important === true)
      const by = users.get(note.creator_id ?? ME)?.name ?? ''
      setText(
        footer.children[0] as Element,
        [by, day(note.created_at, Date.now()) || 'now'].filter(Boolean).join(' · '),
      )
      fillMark(footer.children[1] as HTMLElement, state)
    },
    foot: h(
      'form',
      { class: 'adder note-adder', onsubmit: add },
      text,
      h('button', { type: 'submit', class: 'plain' }, 'Add note'),
    ),
  })
}

/** The deals of a person, or of an organization. */
export function createDealsBlock(
  deps: Deps,
  contact: { readonly id: number; readonly is_organization?: boolean | null },
): Block {
  const { sync, stages, router, contacts } = deps
  const organization = contact.is_organization === true
  const here = organization
    ? contacts.rows().flatMap(({ id, contact_id }) => (contact_id === contact.id ? id : []))
    : []
  return createBlock<Deal>({
    title: 'Deals',
    none: 'No deals yet.',
    // Whose organization a deal is in follows from its contact: the field for it is the server's.
    live: sync.deal.where({ contact_id: { in: [contact.id, ...here] } }).live(),
    order: (a, b) => (b.last_stage_change_at ?? '9').localeCompare(a.last_stage_change_at ?? '9'),
    head: h(
      'button',
      { type: 'button', class: 'text-button', onclick: () => router.go('deals', `new-${contact.id}`) },
      'New deal',
    ),
    create: (deal) =>
      h(
        'a',
        { class: 'deal-row', href: `#/deals/${deal.id}` },
        h('span', { class: 'deal-row-name' }),
        createMark(),
        h('span', { class: 'deal-row-value' }),
        h('span', { class: 'deal-row-stage' }),
      ),
    fill: (row, deal, state) => {
      const [name, mark, value, stage] = row.children as unknown as HTMLElement[]
      if (name === undefined || mark === undefined || value === undefined || stage === undefined) return
      setText(name, deal.name ?? 'Without a name')
      fillMark(mark, state)
      setText(value, money(deal.value, deal.currency))
      const at = stages.get(deal.stage_id)
      const who = organization ? contactName(contacts.get(deal.contact_id)) : ''
      setText(stage, [at?.name, who].filter(Boolean).join(' · '))
      stage.dataset['category'] = at?.category ?? ''
    },
  })
}
