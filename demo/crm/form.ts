/**
 * A form for some fields of a record. It gives back only what was changed, so that an edit never touches a field its
 * author did not (R19), and it checks nothing the server decides: the demo wants to show what a refusal looks like.
 */
import { h } from '../dom.ts'
import type { Contact } from './schema.ts'
import { amountOf, contactName, finds, fold } from './words.ts'

export interface FieldSpec {
  readonly name: string
  readonly label: string
  readonly kind?:
    | 'text'
    | 'email'
    | 'tel'
    | 'url'
    | 'money'
    | 'date'
    | 'day'
    | 'select'
    | 'area'
    | 'check'
    | 'tags'
    | 'contact'
  readonly wide?: boolean
  /** For `select`. */
  readonly options?: ReadonlyArray<{ readonly value: string; readonly label: string }>
  /** For `contact`: who can be chosen. */
  readonly among?: (contact: Contact) => boolean
}

export interface FormOptions {
  readonly fields: readonly FieldSpec[]
  readonly values: Readonly<Record<string, unknown>>
  readonly contacts: () => readonly Contact[]
  readonly saveWords: string
  /** Gets what was changed; an empty patch never comes. */
  readonly onSave: (patch: Record<string, unknown>) => void
  readonly onCancel: () => void
  /** What the server said about fields. */
  readonly problems?: ReadonlyMap<string, string>
  /** Saves also if nothing was changed. */
  readonly always?: boolean
}

export interface Form {
  readonly element: HTMLFormElement
  readonly focus: () => void
}

interface Input {
  readonly element: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement
  readonly read: () => unknown
}

let forms = 0

export function createForm(options: FormOptions): Form {
  const { fields, values, contacts, saveWords, onSave, onCancel, problems, always = false } = options
  const form = ++forms
  const inputs = new Map<string, Input & { readonly before: string }>()
  const rows = fields.map((field) => {
    const id = `form-${form}-${field.name}`
    const input = createInput(field, id, values[field.name], contacts)
    inputs.set(field.name, { ...input, before: JSON.stringify(input.read()) })
    const problem = problems?.get(field.name)
    if (problem !== undefined) {
      input.element.ariaInvalid = 'true'
      input.element.setAttribute('aria-describedby', `${id}-problem`)
    }
    const label = h('label', { for: id }, field.label)
    return h(
      'div',
      { class: `form-field${field.wide === true ? ' wide' : ''}${field.kind === 'check' ? ' check' : ''}` },
      label,
      input.element,
      problem !== undefined && h('p', { class: 'field-problem', id: `${id}-problem` }, problem),
    )
  })
  const save = (event: Event): void => {
    event.preventDefault()
    const patch: Record<string, unknown> = {}
    for (const [name, { read, before }] of inputs) {
      const value = read()
      if (JSON.stringify(value) !== before) patch[name] = value
    }
    if (Object.keys(patch).length > 0 || always) onSave(patch)
    else onCancel()
  }
  const element = h(
    'form',
    { class: 'form', autocomplete: 'off', onsubmit: save },
    h('div', { class: 'form-fields' }, ...rows),
    h(
      'div',
      { class: 'form-actions' },
      h('button', { type: 'submit', class: 'primary' }, saveWords),
      h('button', { type: 'button', class: 'plain', onclick: onCancel }, 'Cancel'),
    ),
  )
  element.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      event.stopPropagation()
      onCancel()
    } else if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) element.requestSubmit()
  })
  const first = fields.find(({ name }) => problems?.has(name)) ?? fields[0]
  return {
    element,
    focus: () => {
      const input = first === undefined ? undefined : inputs.get(first.name)?.element
      input?.focus()
      if (input instanceof HTMLInputElement && input.type !== 'checkbox' && input.type !== 'date') input.select()
    },
  }
}

function createInput(field: FieldSpec, id: string, value: unknown, contacts: () => readonly Contact[]): Input {
  const text = typeof value === 'string' || typeof value === 'number' ? String(value) : ''
  switch (field.kind) {
    case 'area': {
      const element = h('textarea', { id, name: field.name, rows: 3 })
      element.value = text
      return { element, read: () => textOf(element.value) }
    }
    case 'check': {
      const element = h('input', { id, name: field.name, type: 'checkbox' })
      element.checked = value === true
      return { element, read: () => element.checked }
    }
    case 'select': {
      const element = h('select', { id, name: field.name })
      element.append(...(field.options ?? []).map((option) => new Option(option.label, option.value)))
      element.value = text
      const numeric = typeof value === 'number' || (field.options ?? []).every((option) => /^-?\d+$/.test(option.value))
      return { element, read: () => (element.value === '' ? null : numeric ? Number(element.value) : element.value) }
    }
    case 'money': {
      const element = h('input', { id, name: field.name, inputmode: 'decimal' })
      element.value = text
      return { element, read: () => amountOf(element.value) }
    }
    case 'date': {
      const element = h('input', { id, name: field.name, type: 'date' })
      element.value = text.slice(0, 10)
      return { element, read: () => textOf(element.value) }
    }
    case 'day': {
      const element = h('input', { id, name: field.name, type: 'date' })
      element.value = localDay(text)
      // The moment stays if the day does.
      return { element, read: () => (element.value === localDay(text) ? textOf(text) : endOfWork(element.value)) }
    }
    case 'tags': {
      const element = h('input', { id, name: field.name, placeholder: 'Separated by commas' })
      element.value = Array.isArray(value) ? value.join(', ') : ''
      const read = (): string[] => element.value.split(',').flatMap((tag) => textOf(tag) ?? [])
      return { element, read }
    }
    case 'contact':
      return contactInput(field, id, typeof value === 'number' ? value : null, contacts)
    default: {
      // The kind of keyboard a phone shows; what may stand here is the server's to say.
      const element = h('input', { id, name: field.name, inputmode: field.kind ?? null })
      element.value = text
      return { element, read: () => textOf(element.value) }
    }
  }
}

/** A contact by name; the list under the input holds the best few. */
function contactInput(field: FieldSpec, id: string, chosen: number | null, contacts: () => readonly Contact[]): Input {
  const list = h('datalist', { id: `${id}-list` })
  const element = h('input', { id, name: field.name, list: list.id, placeholder: 'Begin to type a name' })
  const nameOf = new Map<number, string>()
  const keyOf = new Map<string, number>()
  const among = (): readonly Contact[] => contacts().filter(field.among ?? (() => true))
  const byKey = new Map(contacts().map((contact) => [contact.id, contact]))
  const named = (contact: Contact): string => {
    const known = nameOf.get(contact.id)
    if (known !== undefined) return known
    const at = byKey.get(contact.contact_id ?? 0)
    let name = at === undefined ? contactName(contact) : `${contactName(contact)}, ${contactName(at)}`
    if (keyOf.has(name)) name = `${name} (${contact.id})`
    nameOf.set(contact.id, name)
    keyOf.set(name, contact.id)
    return name
  }
  const now = chosen === null ? undefined : byKey.get(chosen)
  if (now !== undefined) element.value = named(now)
  const before = element.value
  const offer = (): void => {
    const words = fold(element.value).split(/\s+/).filter(Boolean)
    const found: Contact[] = []
    for (const contact of among()) {
      if (finds(fold(contactName(contact)), words)) found.push(contact)
      if (found.length === 12) break
    }
    list.replaceChildren(...found.map((contact) => new Option('', named(contact))))
    const fine = element.value === '' || element.value === before || keyOf.has(element.value)
    element.setCustomValidity(fine ? '' : 'Choose one from the list.')
  }
  element.addEventListener('input', offer)
  element.addEventListener('focus', offer)
  queueMicrotask(() => element.after(list))
  return {
    element,
    read: () => (element.value === before ? chosen : (keyOf.get(element.value) ?? null)),
  }
}

const textOf = (text: string): string | null => (text.trim() === '' ? null : text.trim())

/** For a form of one line: a day that may stay open, quiet while it does. */
export function dayInput(): HTMLInputElement {
  const element = h('input', { type: 'date', 'aria-label': 'Due', name: 'due', class: 'blank' })
  element.addEventListener('input', () => element.classList.toggle('blank', element.value === ''))
  return element
}

/** The day of a moment, where the visitor is, as date inputs take it. */
export function localDay(iso: string | null | undefined): string {
  const at = new Date(iso ?? '')
  if (Number.isNaN(at.getTime())) return ''
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
}

export function endOfWork(date: string): string | null {
  return date === '' ? null : new Date(`${date}T17:00:00`).toISOString().replace('.000Z', 'Z')
}
