/** The card of one contact: who it is, how to reach them, and what goes on: deals, tasks, notes. Edited in place. */
import { h, icon, setText } from '../dom.ts'
import { createMark, fillMark, ME, perform, type Deps } from './deps.ts'
import { createFacts, type Fact } from './facts.ts'
import { createForm, type FieldSpec } from './form.ts'
import { createKeyed } from './keyed.ts'
import { createLately } from './lately.ts'
import { fillMonogram } from './monogram.ts'
import { createDealsBlock, createNotesBlock, createTasksBlock, type Block } from './related.ts'
import type { Contact } from './schema.ts'
import { addressLine, contactName, day, STATE_WORDS } from './words.ts'

export interface ContactCard {
  readonly element: HTMLElement
  /** A key as text, `new`, or null. */
  readonly show: (key: string | null) => void
}

const STATUS = [
  { value: 'none', label: 'Not a customer' },
  { value: 'current', label: 'Current customer' },
  { value: 'past', label: 'Past customer' },
]
const REACH: readonly FieldSpec[] = [
  { name: 'email', label: 'Email', kind: 'email' },
  { name: 'phone', label: 'Phone', kind: 'tel' },
]
const COMMON: readonly FieldSpec[] = [
  { name: 'customer_status', label: 'Customer', kind: 'select', options: STATUS },
  { name: 'tags', label: 'Tags', kind: 'tags' },
]
const PERSON: readonly FieldSpec[] = [
  { name: 'first_name', label: 'First name' },
  { name: 'last_name', label: 'Last name' },
  { name: 'title', label: 'Title' },
  {
    name: 'contact_id',
    label: 'Organization',
    kind: 'contact',
    among: ({ is_organization }) => is_organization === true,
  },
  ...REACH,
  { name: 'mobile', label: 'Mobile', kind: 'tel' },
  ...COMMON,
]
const ORGANIZATION: readonly FieldSpec[] = [
  { name: 'name', label: 'Name', wide: true },
  { name: 'industry', label: 'Industry' },
  { name: 'website', label: 'Website' },
  ...REACH,
  ...COMMON,
]

export function createContactCard(deps: Deps): ContactCard {
  const { sync, contacts, users, router, notice } = deps
  let shown: string | null = null
  let drawn: Contact | null = null
  let editing = false
  let blocks: Block[] = []

  const back = h(
    'button',
    {
      type: 'button',
      class: 'icon-button back',
      'aria-label': 'Back to the list',
      onclick: () => router.go('contacts'),
    },
    icon('M12 4.5 6.5 10l5.5 5.5'),
  )
  const monogram = h('span', { class: 'monogram large', 'aria-hidden': 'true' })
  const title = h('h2', { tabindex: '-1' })
  const mark = createMark()
  const line = h('p', { class: 'card-line' })
  const chips = h('ul', { class: 'chips', 'aria-label': 'Status and tags' })
  const edit = h('button', { type: 'button', class: 'plain' }, 'Edit')
  const remove = h('button', { type: 'button', class: 'plain danger-text' }, 'Delete')
  const facts = createFacts()
  const details = h('section', { class: 'block details', 'aria-label': 'Details' })
  const peopleRows = h('ul', { class: 'block-rows' })
  const peopleCount = h('span', { class: 'block-count' })
  const people = h(
    'section',
    { class: 'block', 'aria-label': 'People' },
    h('header', {}, h('h3', {}, 'People'), peopleCount),
    peopleRows,
  )
  const main = h('div', { class: 'card-main' })
  const side = h('div', { class: 'card-side' }, details, people)
  const trouble = h('a', { class: 'trouble', href: '#/outbox', hidden: true })
  const body = h(
    'div',
    { class: 'card-body' },
    h(
      'header',
      { class: 'card-head' },
      back,
      monogram,
      h('div', { class: 'card-title' }, h('div', { class: 'card-name' }, title, mark), line),
      h('div', { class: 'card-actions' }, edit, remove),
      chips,
    ),
    trouble,
    h('div', { class: 'card-columns' }, side, main),
  )
  const lately = createLately(deps)
  const placeholder = lately.element
  const element = h('article', { class: 'card-pane', 'aria-label': 'Contact' }, placeholder, body)
  body.hidden = true

  const peopleList = createKeyed<Contact>({
    box: peopleRows,
    idOf: ({ id }) => id,
    create: ({ id }) =>
      h(
        'li',
        {},
        h(
          'a',
          { class: 'person-row', href: `#/contacts/${id}` },
          h('span', { class: 'monogram small', 'aria-hidden': 'true' }),
          h('span', { class: 'person-name' }),
          h('span', { class: 'person-title' }),
        ),
      ),
    fill: (item, person) => {
      const [icon, name, job] = (item.firstElementChild as HTMLElement).children as unknown as [
        HTMLElement,
        HTMLElement,
        HTMLElement,
      ]
      fillMonogram(icon, person)
      setText(name, contactName(person))
      setText(job, person.title ?? '')
    },
  })

  edit.addEventListener('click', () => startEditing())
  remove.addEventListener('click', () => {
    const contact = drawn
    if (contact === null) return
    void perform(deps, sync.contact.delete(contact.id), `${contactName(contact)} deleted`).then((done) => {
      if (done !== null) router.go('contacts')
    })
  })

  function startEditing(): void {
    const contact = drawn
    if (contact === null) return
    editing = true
    const form = createForm({
      fields: contact.is_organization === true ? ORGANIZATION : PERSON,
      values: { ...contact },
      contacts: contacts.rows,
      saveWords: 'Save',
      onCancel: stopEditing,
      onSave: (patch) => {
        const named = 'first_name' in patch || 'last_name' in patch
        void perform(deps, sync.contact.update(contact.id, patch), named ? 'Name changed' : 'Saved')
        stopEditing()
      },
    })
    details.replaceChildren(h('header', {}, h('h3', {}, 'Edit')), form.element)
    edit.disabled = true
    form.focus()
  }
  function stopEditing(): void {
    editing = false
    edit.disabled = false
    const hadFocus = details.contains(document.activeElement)
    details.replaceChildren(h('header', {}, h('h3', {}, 'Details')), facts.element)
    if (hadFocus) edit.focus()
  }

  function draw(): void {
    if (shown === null) return lately.draw()
    if (shown === 'new') return
    const contact = contacts.get(shown)
    if (contact === undefined) return lost(shown)
    const fresh = drawn?.id !== contact.id
    const state = contacts.stateOf(contact.id)
    fillMark(mark, state)
    trouble.hidden = state !== 'failed' && state !== 'conflict'
    setText(trouble, `${STATE_WORDS[state] ?? ''}. Look at it in the outbox`)
    if (drawn === contact && !fresh) return drawPeople(contact)
    drawn = contact
    if (fresh) begin(contact)
    element.ariaLabel = contactName(contact)
    fillMonogram(monogram, contact)
    setText(title, contactName(contact))
    const at = contacts.get(contact.contact_id)
    if (contact.is_organization === true) line.replaceChildren(contact.industry ?? 'Organization')
    else
      line.replaceChildren(
        contact.title ?? '',
        at === undefined || contact.title === null || contact.title === undefined ? '' : ' at ',
        at === undefined ? '' : h('a', { href: `#/contacts/${at.id}` }, contactName(at)),
      )
    const tags = contact.tags ?? []
    const words = STATUS.find(({ value }) => value === contact.customer_status && value !== 'none')?.label
    chips.replaceChildren(
      ...(words === undefined ? [] : [h('li', { class: 'chip strong' }, words)]),
      ...tags.map((tag) => h('li', { class: 'chip' }, tag)),
    )
    facts.show(factsOf(contact), fresh)
    drawPeople(contact)
  }
  function drawPeople(contact: Contact): void {
    const here = contact.is_organization === true ? contacts.rows().filter((one) => one.contact_id === contact.id) : []
    people.hidden = here.length === 0
    setText(peopleCount, String(here.length))
    peopleList.show(here)
  }
  function factsOf(contact: Contact): Fact[] {
    const link = (href: string, text: string | null | undefined): Node | null =>
      text === null || text === undefined || text === '' ? null : h('a', { href }, text)
    return [
      ['Email', link(`mailto:${contact.email}`, contact.email)],
      ['Phone', link(`tel:${contact.phone}`, contact.phone)],
      ['Mobile', link(`tel:${contact.mobile}`, contact.mobile)],
      ['Website', link(contact.website ?? '', contact.website?.replace(/^https?:\/\/(www\.)?/, ''))],
      ['Address', addressLine(contact.address)],
      ['Owner', users.get(contact.owner_id)?.name ?? null],
      ['Changed', day(contact.updated_at, Date.now())],
    ]
  }

  /** Not among the rows: named anew by the server (R18), not arrived yet, or gone. */
  function lost(key: string): void {
    if (contacts.state() === 'loading' || router.get().view !== 'contacts') return
    sync.contact.get(key).then(
      (found) => {
        if (shown !== key || contacts.get(key) !== undefined) return
        if (found !== undefined) return router.go('contacts', found.id, 'replace')
        // A link opened on a new device: it may still come.
        if (drawn === null && sync.status.getSnapshot().lastSyncedAt === null) return
        if (drawn !== null) notice.say(`${contactName(drawn)} is gone`)
        router.go('contacts', null, 'replace')
      },
      () => undefined,
    )
  }

  /** Another contact: its blocks follow it from now on. */
  function begin(contact: Contact): void {
    end()
    stopEditing()
    placeholder.hidden = true
    body.hidden = false
    body.scrollTop = 0
    const about = { resource_type: 'contact', resource_id: contact.id } as const
    blocks = [createDealsBlock(deps, contact), createTasksBlock(deps, about), createNotesBlock(deps, about)]
    main.replaceChildren(...blocks.map((block) => block.element))
  }
  function end(): void {
    for (const block of blocks) block.stop()
    blocks = []
  }

  function begins(): void {
    end()
    drawn = null
    let form = newForm(false)
    const kind = (label: string, organization: boolean): HTMLElement => {
      const input = h('input', { type: 'radio', name: 'kind', checked: !organization })
      input.addEventListener('change', () => {
        const next = newForm(organization)
        form.element.replaceWith(next.element)
        form = next
      })
      return h('label', {}, input, label)
    }
    placeholder.hidden = true
    body.hidden = true
    fresh?.remove()
    fresh = h(
      'div',
      { class: 'card-body new' },
      h(
        'header',
        { class: 'card-head' },
        back.cloneNode(true),
        h('div', { class: 'card-title' }, h('h2', {}, 'New contact')),
      ),
      h(
        'fieldset',
        { class: 'segments' },
        h('legend', { class: 'unseen' }, 'Kind'),
        kind('Person', false),
        kind('Organization', true),
      ),
      form.element,
    )
    fresh.querySelector('.back')?.addEventListener('click', () => router.go('contacts'))
    element.append(fresh)
    element.ariaLabel = 'New contact'
    form.focus()
  }
  let fresh: HTMLElement | null = null
  function newForm(organization: boolean): ReturnType<typeof createForm> {
    return createForm({
      fields: organization ? ORGANIZATION : PERSON,
      values: { customer_status: 'none' },
      contacts: contacts.rows,
      saveWords: 'Add contact',
      onCancel: () => router.go('contacts'),
      onSave: (patch) => {
        const value = { ...patch, is_organization: organization, owner_id: ME }
        void perform(deps, sync.contact.insert(value), 'Contact added').then((handle) => {
          if (handle !== null) router.go('contacts', handle.key, 'replace')
        })
      },
    })
  }

  contacts.subscribe(draw)
  users.subscribe(draw)

  return {
    element,
    show: (key) => {
      if (key === shown) return
      if (editing) stopEditing()
      shown = key
      fresh?.remove()
      fresh = null
      if (key === 'new') return begins()
      if (key === null) {
        end()
        drawn = null
        body.hidden = true
        placeholder.hidden = false
        lately.draw()
        element.ariaLabel = 'Contact'
        return
      }
      draw()
    },
  }
}
