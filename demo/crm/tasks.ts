/** What is to be done, by when; what is done, on request. */
import { h, icon, setText } from '../dom.ts'
import { count } from '../format.ts'
import { ME, perform, type Deps, type ViewPart } from './deps.ts'
import { dayInput, endOfWork } from './form.ts'
import { createMirror, type Mirror } from './mirror.ts'
import type { Task } from './schema.ts'
import { createTaskRow, fillTaskRow } from './task-row.ts'
import { createVirtual } from './virtual.ts'
import { TASK_GROUPS, taskGroup } from './words.ts'

const [ROW, HEADING] = [46, 54]

type Item = { readonly heading: string; readonly many: number } | { readonly task: Task }

export function createTasks(deps: Deps): ViewPart {
  const { sync, users, contacts, notice } = deps
  let mirror: Mirror<Task> | null = null

  const owner = h('select', { 'aria-label': 'Whose tasks' })
  const which = h('select', { 'aria-label': 'Which tasks' }, new Option('Open', 'open'), new Option('Done', 'done'))
  const found = h('p', { class: 'board-sum' }, '\u00a0')
  const text = h('input', { placeholder: 'Add a task', 'aria-label': 'New task', autocomplete: 'off' })
  const due = dayInput()
  const box = h('div', { class: 'list task-list', role: 'list', 'aria-label': 'Tasks' })
  const empty = h('p', { class: 'empty' }, 'The tasks are on their way.')
  const add = (event: Event): void => {
    event.preventDefault()
    const content = text.value.trim()
    if (content === '') return text.focus()
    text.value = ''
    const value = { content, owner_id: ME, completed: false, due_date: endOfWork(due.value) }
    void perform(deps, sync.task.insert(value), 'Task added')
  }
  const element = h(
    'section',
    { class: 'view tasks', 'aria-label': 'Tasks' },
    h(
      'div',
      { class: 'page' },
      h('div', { class: 'toolbar' }, h('h2', {}, 'Tasks'), found, which, owner),
      h(
        'form',
        { class: 'adder', onsubmit: add },
        text,
        due,
        h('button', { type: 'submit', class: 'icon-button', 'aria-label': 'Add task' }, icon('M10 4v12M4 10h12')),
      ),
      h('div', { class: 'list-frame' }, box, empty),
    ),
  )

  const list = createVirtual<Item>({
    box,
    height: ROW,
    heightOf: (item) => ('task' in item ? ROW : HEADING),
    idOf: (item) => ('task' in item ? item.task.id : item.heading),
    create: (item) => {
      if (!('task' in item)) return h('h3', { class: 'group' }, h('span'), h('span', { class: 'block-count' }))
      const row = createTaskRow(deps, true)
      row.role = 'listitem'
      return row
    },
    fill: (row, item) => {
      if ('task' in item) return fillTaskRow(deps, row, item.task, mirror?.stateOf(item.task.id) ?? 'synced')
      setText(row.children[0] as Element, item.heading)
      setText(row.children[1] as Element, count(item.many))
      row.classList.toggle('overdue', item.heading === 'Overdue')
    },
  })

  function draw(fresh = false): void {
    if (mirror === null) return
    const now = Date.now()
    const mine = mirror.rows().filter((task) => owner.value === '' || String(task.owner_id) === owner.value)
    const done = which.value === 'done'
    const wanted = mine.filter((task) => (task.completed === true) === done)
    const items: Item[] = []
    if (done) {
      const sorted = wanted.sort((a, b) => (b.completed_at ?? '9').localeCompare(a.completed_at ?? '9'))
      items.push(...sorted.map((task) => ({ task })))
    } else {
      for (const heading of TASK_GROUPS) {
        const tasks = wanted.filter((task) => taskGroup(task.due_date, now) === heading)
        if (tasks.length === 0) continue
        tasks.sort((a, b) => (a.due_date ?? '').localeCompare(b.due_date ?? '') || a.id - b.id)
        items.push({ heading, many: tasks.length }, ...tasks.map((task) => ({ task })))
      }
    }
    list.show(items, fresh)
    list.refresh()
    setText(found, `${count(wanted.length)} ${done ? 'done' : 'to do'}`)
    empty.hidden = items.length > 0
    setText(
      empty,
      mirror.state() === 'error'
        ? mirror.error()
        : mirror.rows().length === 0
          ? 'The tasks are on their way.'
          : 'Nothing here. Well done.',
    )
  }
  const ask = (): void => {
    draw(true)
    notice.announce(found.textContent ?? '')
  }
  owner.addEventListener('change', ask)
  which.addEventListener('change', ask)
  users.subscribe(() => {
    if (owner.options.length > 1) return
    const names = users.rows().map(({ id, name }) => new Option(name ?? String(id), String(id)))
    owner.replaceChildren(new Option('Everybody', ''), ...names)
  })
  contacts.subscribe(() => list.refresh())

  return {
    element,
    show: () => {
      if (mirror !== null) return
      mirror = createMirror(sync.task.live())
      mirror.subscribe(() => draw())
    },
  }
}
