/** One task as a row: done or not, what, about whom, when. Used in the list of tasks and under a contact or a deal. */
import { h, icon, setText } from '../dom.ts'
import { createMark, fillMark, perform, type Deps } from './deps.ts'
import { createForm } from './form.ts'
import type { Task } from './schema.ts'
import type { RowState } from './sync.ts'
import { contactName, day, taskGroup } from './words.ts'

const tasks = new WeakMap<HTMLElement, Task>()

/** @param full with a link to what it is about */
export function createTaskRow(deps: Deps, full: boolean): HTMLElement {
  const { sync } = deps
  const check = h('input', { type: 'checkbox', class: 'task-check' })
  const text = h('button', { type: 'button', class: 'task-text' })
  const due = h('span', { class: 'task-due' })
  const remove = h(
    'button',
    { type: 'button', class: 'icon-button quiet', 'aria-label': 'Delete task' },
    icon('M5 6h10M8 6V4.5h4V6m2 0-.6 9.5H6.6L6 6'),
  )
  const row = h(
    'div',
    { class: 'task' },
    check,
    text,
    createMark(),
    full && h('a', { class: 'task-about' }),
    due,
    remove,
  )
  check.addEventListener('change', () => {
    const task = tasks.get(row)
    if (task === undefined) return
    const edit = sync.task.update(task.id, { completed: check.checked })
    void perform(deps, edit, check.checked ? 'Done' : null).then((done) => {
      if (done === null) check.checked = !check.checked
    })
  })
  text.addEventListener('click', () => editTask(deps, row))
  remove.addEventListener('click', () => {
    const task = tasks.get(row)
    if (task !== undefined) void perform(deps, sync.task.delete(task.id), 'Task deleted')
  })
  return row
}

export function fillTaskRow({ contacts, sync }: Deps, row: HTMLElement, task: Task, state: RowState): void {
  tasks.set(row, task)
  const [check, text, mark, ...rest] = row.children as unknown as HTMLElement[]
  if (!(check instanceof HTMLInputElement) || text === undefined || mark === undefined) return
  const about = rest.find((element) => element.classList.contains('task-about'))
  const due = rest.find((element) => element.classList.contains('task-due'))
  const done = task.completed === true
  check.checked = done
  check.ariaLabel = `Done: ${task.content ?? ''}`
  row.classList.toggle('done', done)
  setText(text, task.content ?? 'Without words')
  fillMark(mark, state)
  const now = Date.now()
  if (due !== undefined) {
    setText(due, task.due_date === null || task.due_date === undefined ? '' : day(task.due_date, now))
    due.classList.toggle('overdue', !done && taskGroup(task.due_date, now) === 'Overdue')
  }
  if (!(about instanceof HTMLAnchorElement)) return
  const key = task.resource_id
  about.hidden = key === null || key === undefined
  if (about.hidden) return
  about.href = `#/${task.resource_type === 'deal' ? 'deals' : 'contacts'}/${key}`
  if (task.resource_type === 'contact') setText(about, contactName(contacts.get(key)))
  else if (about.dataset['deal'] !== String(key)) {
    about.dataset['deal'] = String(key)
    sync.deal.get(Number(key)).then(
      (deal) => tasks.get(row) === task && setText(about, deal?.name ?? 'A deal'),
      () => undefined,
    )
  }
}

/** The row's words become a small dialog with the task's fields: text, due day, owner. */
function editTask(deps: Deps, row: HTMLElement): void {
  const task = tasks.get(row)
  if (task === undefined) return
  const { sync, users, contacts } = deps
  const dialog = h('dialog', { class: 'sheet-dialog', 'aria-label': 'Task' })
  const close = (): void => dialog.close()
  const form = createForm({
    fields: [
      { name: 'content', label: 'Text', kind: 'area', wide: true },
      { name: 'due_date', label: 'Due', kind: 'day' },
      {
        name: 'owner_id',
        label: 'Owner',
        kind: 'select',
        options: users.rows().map(({ id, name }) => ({ value: String(id), label: name ?? String(id) })),
      },
    ],
    values: { ...task },
    contacts: contacts.rows,
    saveWords: 'Save',
    onCancel: close,
    onSave: (patch) => {
      close()
      void perform(deps, sync.task.update(task.id, patch), 'Task changed')
    },
  })
  dialog.append(h('h2', {}, 'Task'), form.element)
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
  form.focus()
}
