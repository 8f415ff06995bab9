/**
 * The outbox: what is not at the server, why, and what can be done about it. Refused edits and lost answers first,
 * conflicts side by side, then what merely waits.
 */
import { h, setText } from '../dom.ts'
import { count } from '../format.ts'
import { createConflict } from './conflict.ts'
import type { Deps, ViewPart } from './deps.ts'
import { createForm, type FieldSpec } from './form.ts'
import { createKeyed } from './keyed.ts'
import { createNaming } from './naming.ts'
import type { Conflict, EditView } from './sync.ts'
import {
  ago,
  editFields,
  editWords,
  fieldOf,
  fieldProblem,
  isHeld,
  labelOf,
  problemWords,
  shownFields,
  STATE_WORDS,
} from './words.ts'

/** Of those that wait. */
const SHOWN = 100
const TICK_MS = 30_000

const FIELD_KINDS: Readonly<Record<string, NonNullable<FieldSpec['kind']>>> = {
  value: 'money',
  estimated_close_date: 'date',
  due_date: 'day',
  content: 'area',
  hot: 'check',
  completed: 'check',
  tags: 'tags',
}

export function createOutbox(deps: Deps): ViewPart {
  const { sync, contacts, stages, users, notice } = deps
  const { outbox } = sync
  const naming = createNaming(deps)
  /** What each row says, as text: the list of edits comes anew with every change of one of them. */
  const drawnOf = new WeakMap<HTMLElement, string>()
  /** Edits that hold others back. */
  let blocking: readonly EditView[] = []
  let frame = 0

  const section = (title: string, about: string): { element: HTMLElement; rows: HTMLElement; counter: HTMLElement } => {
    const counter = h('span', { class: 'block-count' })
    const rows = h('ul', { class: 'outbox-rows' })
    const element = h(
      'section',
      { class: 'outbox-section', 'aria-label': title },
      h('header', {}, h('h3', {}, title), counter),
      h('p', { class: 'outbox-about' }, about),
      rows,
    )
    return { element, rows, counter }
  }
  const refused = section('Refused', 'The server did not take these. They stay here until you decide.')
  const unknown = section(
    'Perhaps sent',
    'The answer was lost on the way, and the server cannot tell a repetition from a new record.',
  )
  const conflicts = section(
    'Changed on both sides',
    'Somebody else changed the same field meanwhile. Nothing was lost: choose which one stays.',
  )
  const waiting = section(
    'Waiting',
    'Safe on this device. They leave in this order as soon as the server can be reached.',
  )
  const beyond = h('p', { class: 'outbox-about beyond' })
  waiting.element.append(beyond)
  const empty = h(
    'div',
    { class: 'placeholder' },
    h('p', { class: 'serif' }, 'Everything is at the server'),
    h('p', {}, 'What you change offline waits here, safe on this device, until the server has it.'),
  )
  const title = h('h2', { tabindex: '-1' }, 'Outbox')
  const sections = [refused, unknown, conflicts, waiting]
  const element = h(
    'section',
    { class: 'view outbox', 'aria-label': 'Outbox' },
    h('div', { class: 'page' }, h('div', { class: 'toolbar' }, title), ...sections.map((part) => part.element), empty),
  )

  const button = (words: string, run: () => Promise<unknown>, done: string, kind = 'plain'): HTMLElement => {
    const element = h('button', { type: 'button', class: kind }, words)
    let busy = false
    element.addEventListener('click', () => {
      if (busy) return
      busy = true
      notice.report(
        run().finally(() => {
          busy = false
        }),
        done,
      )
    })
    return element
  }

  const listOf = (box: HTMLElement): ReturnType<typeof createKeyed<EditView>> =>
    createKeyed<EditView>({
      box,
      idOf: ({ id }) => id,
      create: () => h('li', { class: 'edit' }),
      fill: (item, edit) => {
        const said = JSON.stringify([edit, whenWords(edit)])
        // An edit being repaired is left alone.
        if (drawnOf.get(item) === said || item.querySelector('form') !== null) return naming.refresh(item)
        drawnOf.set(item, said)
        const had = item.contains(document.activeElement)
        drawEdit(item, edit)
        if (had) item.querySelector<HTMLElement>('.edit-actions button')?.focus()
      },
    })

  function whenWords(edit: EditView): string {
    if (edit.state === 'sending') return 'on its way'
    return isHeld(edit, blocking) ? 'waits for one above' : ago(edit.at, Date.now())
  }

  function drawEdit(item: HTMLElement, edit: EditView): void {
    const { id, collection, state, problem } = edit
    item.dataset['state'] = state
    const fields = editFields(edit)
    const wrong = new Set(problem?.fields.map(({ pointer }) => fieldOf(pointer)) ?? [])
    const canChange =
      edit.op !== 'delete' && (state === 'failed' || state === 'pending') && problem?.code !== 'conflict'
    const again = (): Promise<void> => outbox.retry(id)
    const change = h('button', { type: 'button', class: state === 'failed' ? 'primary small' : 'plain' }, 'Edit')
    change.addEventListener('click', () => repair(item, edit))
    const discard = button(
      state === 'pending' ? 'Undo' : 'Discard',
      () => outbox.discard(id),
      state === 'pending' ? 'Undone' : 'Discarded',
      'plain danger-text',
    )
    const actions: Array<HTMLElement | false> =
      state === 'failed'
        ? [
            canChange && change,
            edit.op === 'delete' && problem?.code === 'conflict'
              ? button('Delete it anyway', again, 'Sending again')
              : canChange && button('Try again', again, 'Sending again'),
            discard,
          ]
        : state === 'unknown'
          ? [
              button('It did not arrive, send it again', () => outbox.resend(id), 'Sending again', 'primary small'),
              button('It arrived', () => outbox.arrived(id), 'Good'),
              discard,
            ]
          : state === 'pending'
            ? [canChange && change, discard]
            : []
    item.replaceChildren(
      h(
        'header',
        {},
        h('span', { class: 'mark', role: 'img', 'data-state': state, 'aria-label': STATE_WORDS[state] ?? state }),
        h('span', { class: 'edit-what' }, editWords(edit)),
        naming.link(edit),
        h('time', {}, whenWords(edit)),
      ),
      problem === null
        ? ''
        : h(
            'p',
            { class: 'edit-problem' },
            problemWords(edit),
            problem.fields.length > 0 &&
              `. ${problem.fields.map((field) => fieldProblem(field, collection)).join(' ')}`,
          ),
      fields.length === 0
        ? ''
        : h(
            'dl',
            { class: 'edit-fields' },
            ...fields.map(([name, value]) =>
              h(
                'div',
                { class: wrong.has(name) ? 'wrong' : '' },
                h('dt', {}, labelOf(name, collection)),
                h('dd', {}, naming.value(collection, name, value)),
              ),
            ),
          ),
      h('div', { class: 'edit-actions' }, ...actions),
    )
  }

  /** The edit as a form, with the server's words at the fields it means. */
  function repair(item: HTMLElement, edit: EditView): void {
    const problems = new Map(
      edit.problem?.fields.map((field) => [fieldOf(field.pointer), fieldProblem(field, edit.collection)]) ?? [],
    )
    const names = new Set([...Object.keys(edit.value), ...problems.keys()])
    const specs = shownFields([...names], (name) => name).map((name): FieldSpec => specOf(edit.collection, name))
    const done = (): void => {
      drawnOf.delete(item)
      const hadFocus = item.contains(document.activeElement)
      drawEdit(item, edit)
      if (hadFocus) item.querySelector<HTMLElement>('.edit-actions button')?.focus()
    }
    const form = createForm({
      fields: specs,
      values: edit.value,
      contacts: contacts.rows,
      problems,
      saveWords: edit.state === 'failed' ? 'Save and send' : 'Save',
      onCancel: done,
      onSave: (patch) => {
        notice.report(outbox.edit(edit.id, patch).finally(done), edit.state === 'failed' ? 'Sending again' : 'Changed')
      },
    })
    item.querySelector('.edit-fields')?.remove()
    item.querySelector('.edit-problem')?.remove()
    item.querySelector('.edit-actions')?.replaceWith(form.element)
    form.focus()
  }
  function specOf(collection: string, name: string): FieldSpec {
    const label = labelOf(name, collection)
    const options = (rows: ReadonlyArray<{ id: number; name?: string | null }>): FieldSpec['options'] =>
      rows.map((row) => ({ value: String(row.id), label: row.name ?? String(row.id) }))
    if (name === 'stage_id') return { name, label, kind: 'select', options: options(stages.rows()) ?? [] }
    if (name === 'owner_id') return { name, label, kind: 'select', options: options(users.rows()) ?? [] }
    if (name === 'contact_id' || name === 'organization_id') return { name, label, kind: 'contact' }
    return { name, label, kind: FIELD_KINDS[name] ?? 'text', wide: name === 'content' || name === 'name' }
  }

  const lists = { refused: listOf(refused.rows), unknown: listOf(unknown.rows), waiting: listOf(waiting.rows) }
  const conflictList = createKeyed<Conflict>({
    box: conflicts.rows,
    idOf: ({ id }) => id,
    create: (conflict) => createConflict(deps, naming, conflict),
    fill: (item) => naming.refresh(item),
  })

  function draw(): void {
    cancelAnimationFrame(frame)
    frame = 0
    if (element.hidden) return
    const now = outbox.getSnapshot()
    const had = element.contains(document.activeElement)
    const failed = now.edits.filter(({ state }) => state === 'failed')
    const parked = now.edits.filter(({ state }) => state === 'unknown')
    const rest = now.edits.filter(({ state }) => state === 'pending' || state === 'sending')
    blocking = [...failed, ...parked]
    lists.refused.show(failed)
    lists.unknown.show(parked)
    conflictList.show(now.conflicts)
    // However many wait, the page stays light.
    lists.waiting.show(rest.slice(0, SHOWN))
    for (const [part, many] of [
      [refused, failed.length],
      [unknown, parked.length],
      [conflicts, now.conflicts.length],
      [waiting, rest.length],
    ] as const) {
      part.element.hidden = many === 0
      setText(part.counter, count(many))
    }
    beyond.hidden = rest.length <= SHOWN
    setText(beyond, `and ${count(rest.length - SHOWN)} more`)
    empty.hidden = now.edits.length + now.conflicts.length > 0
    // What was decided is gone, and the focus with it: the next decision gets it.
    if (had && !element.contains(document.activeElement))
      (element.querySelector<HTMLElement>('.edit-actions button') ?? title).focus()
  }
  /** At most once a frame, however fast edits come and go. */
  const wake = (): void => {
    if (frame === 0) frame = requestAnimationFrame(draw)
  }
  outbox.subscribe(wake)
  contacts.subscribe(wake)
  setInterval(wake, TICK_MS)
  draw()
  return { element, show: draw }
}
