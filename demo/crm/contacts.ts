/** Contacts: everybody in a list that is searched as one types, and the card of the one chosen. */
import { h, icon, setText } from '../dom.ts'
import { count } from '../format.ts'
import { createContactCard } from './contact-card.ts'
import { createMark, fillMark, type Deps, type ViewPart } from './deps.ts'
import { fillMonogram } from './monogram.ts'
import type { Contact } from './schema.ts'
import { createVirtual } from './virtual.ts'
import { contactName, finds, fold, sortName } from './words.ts'

const ROW = 58
const TYPING_MS = 60
const byName = new Intl.Collator()

/** What is searched and sorted of a contact, made once for each version of it. */
interface Entry {
  readonly text: string
  readonly sort: string
}

export function createContacts(deps: Deps): ViewPart {
  const { contacts, router, notice } = deps
  const entries = new WeakMap<Contact, Entry>()
  let chosen: string | null = null
  let active: number | null = null
  let shown: readonly Contact[] = []
  let typing: ReturnType<typeof setTimeout> | undefined

  const search = h('input', {
    type: 'search',
    id: 'contact-search',
    placeholder: 'Search contacts',
    autocomplete: 'off',
    spellcheck: 'false',
    enterkeyhint: 'search',
    'aria-label': 'Search contacts',
  })
  const kind = select('Kind', [
    ['', 'Everybody'],
    ['people', 'People'],
    ['organizations', 'Organizations'],
  ])
  const status = select('Status', [
    ['', 'Any status'],
    ['current', 'Current customers'],
    ['past', 'Past customers'],
    ['prospect', 'Prospects'],
    ['unsent', 'Not at the server yet'],
  ])
  const found = h('span', { class: 'found-words' }, 'Opening')
  const add = h(
    'button',
    { type: 'button', class: 'primary small', onclick: () => router.go('contacts', 'new') },
    'New contact',
  )
  const box = h('div', { class: 'list', id: 'contact-list', role: 'listbox', tabindex: '0', 'aria-label': 'Contacts' })
  const empty = h('p', { class: 'empty' }, 'The contacts are on their way.')
  const card = createContactCard(deps)
  const element = h(
    'section',
    { class: 'view contacts', 'aria-label': 'Contacts' },
    h(
      'div',
      { class: 'side' },
      h(
        'form',
        { class: 'filters', role: 'search', onsubmit: (event: Event) => event.preventDefault() },
        h('div', { class: 'search' }, icon('M8.8 3.5a5.3 5.3 0 1 0 0 10.6 5.3 5.3 0 0 0 0-10.6M12.8 12.8l4 4'), search),
        kind,
        status,
      ),
      h('div', { class: 'found' }, found, add),
      h('div', { class: 'list-frame' }, box, empty),
    ),
    card.element,
  )

  const list = createVirtual<Contact>({
    box,
    height: ROW,
    idOf: ({ id }) => id,
    create: () => {
      const row = h('div', { class: 'row', role: 'option' })
      row.append(
        h('span', { class: 'monogram', 'aria-hidden': 'true' }),
        h('span', { class: 'row-text' }, h('span', { class: 'row-name' }), h('span', { class: 'row-more' })),
        createMark(),
      )
      return row
    },
    fill: (row, contact) => {
      const [monogram, text, mark] = row.children as unknown as [HTMLElement, HTMLElement, HTMLElement]
      const name = contactName(contact)
      row.id = `contact-${contact.id}`
      row.dataset['key'] = String(contact.id)
      fillMonogram(monogram, contact)
      setText(text.children[0] as Element, name)
      const at = contacts.get(contact.contact_id)
      const more =
        contact.is_organization === true
          ? [contact.industry, contact.address?.city]
          : [contact.title, at === undefined ? null : contactName(at)]
      setText(text.children[1] as Element, more.filter(Boolean).join(' · '))
      fillMark(mark, contacts.stateOf(contact.id))
      row.ariaSelected = String(String(contact.id) === chosen)
      row.classList.toggle('active', contact.id === active)
    },
  })

  const entryOf = (contact: Contact): Entry => {
    const known = entries.get(contact)
    if (known !== undefined) return known
    const at = contacts.get(contact.contact_id)
    const text = [contactName(contact), at === undefined ? null : contactName(at), contact.title, contact.email]
    const entry = { text: fold(text.filter(Boolean).join(' ')), sort: sortName(contact) }
    entries.set(contact, entry)
    return entry
  }

  const wanted = (contact: Contact, words: readonly string[]): boolean => {
    if (kind.value !== '' && (contact.is_organization === true) !== (kind.value === 'organizations')) return false
    switch (status.value) {
      case 'unsent':
        if (contacts.stateOf(contact.id) === 'synced') return false
        break
      case 'prospect':
        if (contact.prospect_status !== 'current') return false
        break
      case '':
        break
      default:
        if (contact.customer_status !== status.value) return false
    }
    return words.length === 0 || finds(entryOf(contact).text, words)
  }

  function ask(fresh: boolean, aloud: boolean): void {
    const words = fold(search.value).split(/\s+/).filter(Boolean)
    shown = contacts
      .rows()
      .filter((contact) => wanted(contact, words))
      .sort((a, b) => byName.compare(entryOf(a).sort, entryOf(b).sort))
    if (fresh) active = null
    list.show(shown, fresh)
    list.refresh()
    const ready = contacts.state() !== 'loading'
    setText(found, ready ? `${count(shown.length)} ${shown.length === 1 ? 'contact' : 'contacts'}` : 'Opening')
    if (aloud) notice.announce(found.textContent ?? '')
    empty.hidden = shown.length > 0
    setText(
      empty,
      contacts.state() === 'error'
        ? contacts.error()
        : words.length > 0 || kind.value !== '' || status.value !== ''
          ? 'Nobody here by that description.'
          : 'The contacts are on their way.',
    )
  }

  function activate(index: number): void {
    const contact = shown[Math.max(0, Math.min(shown.length - 1, index))]
    if (contact === undefined) return
    active = contact.id
    list.reveal(contact.id)
    list.refresh()
    box.setAttribute('aria-activedescendant', `contact-${contact.id}`)
  }

  search.addEventListener('input', () => {
    clearTimeout(typing)
    typing = setTimeout(() => ask(true, true), TYPING_MS)
  })
  search.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowDown') return
    event.preventDefault()
    box.focus()
  })
  for (const filter of [kind, status]) filter.addEventListener('change', () => ask(true, true))
  box.addEventListener('click', (event) => {
    const key = (event.target as Element).closest<HTMLElement>('.row')?.dataset['key']
    if (key === undefined) return
    active = Number(key)
    router.go('contacts', key)
  })
  box.addEventListener('focus', () => {
    if (active === null) activate(Math.max(0, Math.ceil(box.scrollTop / ROW)))
  })
  box.addEventListener('keydown', (event) => {
    const at = shown.findIndex(({ id }) => id === active)
    const leap = Math.max(1, Math.floor(box.clientHeight / ROW) - 1)
    const moves: Readonly<Record<string, () => void>> = {
      ArrowDown: () => activate(at + 1),
      ArrowUp: () => activate(at - 1),
      PageDown: () => activate(at + leap),
      PageUp: () => activate(at - leap),
      Home: () => activate(0),
      End: () => activate(shown.length - 1),
      Enter: () => active !== null && router.go('contacts', active),
      ' ': () => active !== null && router.go('contacts', active),
    }
    const move = moves[event.key]
    if (move === undefined) return
    event.preventDefault()
    move()
  })
  contacts.subscribe(() => ask(false, false))

  return {
    element,
    show: (key) => {
      const changed = chosen !== key
      chosen = key
      element.classList.toggle('open', key !== null)
      card.show(key)
      if (changed) list.refresh()
    },
  }
}

function select(label: string, options: ReadonlyArray<readonly [string, string]>): HTMLSelectElement {
  const element = h('select', { 'aria-label': label })
  element.append(...options.map(([value, words]) => new Option(words, value)))
  return element
}
