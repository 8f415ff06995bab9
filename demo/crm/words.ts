/** Records, values and edits as people read them. Pure: everything variable is given. */
import type { Address, Contact } from './schema.ts'
import type { Conflict, EditView } from './sync.ts'

/** What nobody types, so nobody wants to read it. */
const QUIET = new Set(['last_stage_change_at', 'is_organization', 'resource_type', 'resource_id', 'currency'])

const LABELS: Readonly<Record<string, string>> = {
  first_name: 'First name',
  last_name: 'Last name',
  name: 'Name',
  title: 'Title',
  industry: 'Industry',
  contact_id: 'Organization',
  organization_id: 'Organization',
  customer_status: 'Customer',
  prospect_status: 'Prospect',
  email: 'Email',
  phone: 'Phone',
  mobile: 'Mobile',
  website: 'Website',
  address: 'Address',
  tags: 'Tags',
  owner_id: 'Owner',
  value: 'Value',
  currency: 'Currency',
  hot: 'Hot',
  stage_id: 'Stage',
  estimated_close_date: 'Expected close',
  content: 'Text',
  completed: 'Done',
  due_date: 'Due',
  resource_id: 'About',
}

export function labelOf(field: string, collection = ''): string {
  if (field === 'contact_id' && collection === 'deal') return 'Contact'
  const known = LABELS[field]
  if (known !== undefined) return known
  const words = field.replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** The fields of an edit or a conflict worth showing; all of them if none is. */
export function shownFields<T>(fields: readonly T[], nameOf: (field: T) => string): T[] {
  const shown = fields.filter((field) => !QUIET.has(nameOf(field)))
  return shown.length > 0 ? shown : [...fields]
}

export function contactName(contact: Contact | undefined): string {
  if (contact === undefined) return ''
  const person = [contact.first_name, contact.last_name].filter(Boolean).join(' ')
  if (contact.is_organization !== true && person !== '') return person
  return contact.name ?? (person === '' ? 'Without a name' : person)
}

/** People by last name, as in an address book. */
export function sortName(contact: Contact): string {
  return contact.is_organization === true
    ? (contact.name ?? '')
    : [contact.last_name, contact.first_name].filter(Boolean).join(' ') || contactName(contact)
}

export function initials(name: string): string {
  const words = name.split(/[\s-]+/).filter((word) => /^[\p{L}\d]/u.test(word))
  const [first, last] = [words[0] ?? '', words.length > 1 ? (words.at(-1) ?? '') : '']
  return (first.charAt(0) + last.charAt(0)).toLocaleUpperCase()
}

export function addressLine(address: Address | null | undefined): string {
  if (address === null || address === undefined) return ''
  const city = [address.postal_code, address.city].filter(Boolean).join(' ')
  return [address.line1, city, address.country].filter(Boolean).join(', ')
}

/** Case and marks away: `jager` finds Jäger. */
export function fold(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
}

/** Whether every word of the question begins a word of the text; both folded. */
export function finds(text: string, words: readonly string[]): boolean {
  return words.every((word) => text.startsWith(word) || text.includes(` ${word}`))
}

const formats = new Map<string, Intl.NumberFormat>()
/** A deal's value: whole numbers without cents. */
export function money(value: number | string | null | undefined, currency: string | null | undefined): string {
  if (value === null || value === undefined || value === '') return '–'
  const amount = Number(value)
  if (Number.isNaN(amount)) return String(value)
  const code = /^[A-Z]{3}$/.test(currency ?? '') ? (currency as string) : 'EUR'
  const digits = Number.isInteger(amount) ? 0 : 2
  const key = `${code}${digits}`
  const format =
    formats.get(key) ??
    new Intl.NumberFormat(undefined, {
      style: 'currency',
      currency: code,
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    })
  formats.set(key, format)
  return format.format(amount)
}

const shortMoney = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 })
/** The sum of a column: `€1.2M`. */
export function sum(amounts: ReadonlyArray<number | string | null | undefined>): string {
  const total = amounts.reduce<number>((all, amount) => all + (Number(amount) || 0), 0)
  return `€${shortMoney.format(total)}`
}

/** What a person typed as an amount, as the server wants it: a whole number, a text with two decimals, or as typed. */
export function amountOf(text: string): number | string | null {
  const plain = text.trim().replace(/[\s,€']/g, '')
  if (plain === '') return null
  const amount = Number(plain)
  if (Number.isNaN(amount)) return text.trim()
  return Number.isInteger(amount) ? amount : amount.toFixed(2)
}

const DAY = 86_400_000
const dayFormat = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const yearFormat = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' })
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' })

/** Whole days from today to then, by the visitor's calendar. */
export function daysUntil(then: number, now: number): number {
  const midnight = (at: number): number => new Date(at).setHours(0, 0, 0, 0)
  return Math.round((midnight(then) - midnight(now)) / DAY)
}

/** `Today`, `Tomorrow`, `Friday`, `3 Dec`. */
export function day(iso: string | null | undefined, now: number): string {
  const at = iso === null || iso === undefined ? Number.NaN : Date.parse(iso)
  if (Number.isNaN(at)) return iso ?? ''
  const days = daysUntil(at, now)
  if (days === 0) return 'Today'
  if (days === 1) return 'Tomorrow'
  if (days === -1) return 'Yesterday'
  if (days > 1 && days < 7) return weekday.format(at)
  // Within ten months a day and a month name one day only.
  return Math.abs(days) < 300 ? dayFormat.format(at) : yearFormat.format(at)
}

export type TaskGroup = 'Overdue' | 'Today' | 'Next seven days' | 'Later' | 'Without a date'
export const TASK_GROUPS: readonly TaskGroup[] = ['Overdue', 'Today', 'Next seven days', 'Later', 'Without a date']

/** The heading an open task belongs under. A day's task is not overdue before the day is over. */
export function taskGroup(due: string | null | undefined, now: number): TaskGroup {
  const at = due === null || due === undefined ? Number.NaN : Date.parse(due)
  if (Number.isNaN(at)) return 'Without a date'
  const days = daysUntil(at, now)
  return days < 0 ? 'Overdue' : days === 0 ? 'Today' : days <= 7 ? 'Next seven days' : 'Later'
}

/** `just now`, `5 min ago`, `14:03`, `3 Dec`. */
export function ago(at: number, now: number): string {
  const minutes = Math.floor((now - at) / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return `${minutes} min ago`
  if (daysUntil(at, now) === 0) return new Intl.DateTimeFormat(undefined, { timeStyle: 'short' }).format(at)
  return day(new Date(at).toISOString(), now)
}

const NOUNS: Readonly<Record<string, string>> = { contact: 'contact', deal: 'deal', task: 'task', note: 'note' }
const noun = (collection: string): string => NOUNS[collection] ?? collection

/** An edit as a sentence without its record's name: `New contact`, `Change to a deal`. */
export function editWords({ op, collection }: Pick<EditView, 'op' | 'collection'>): string {
  if (op === 'insert') return `New ${noun(collection)}`
  return op === 'update' ? `Change to a ${noun(collection)}` : `Deletion of a ${noun(collection)}`
}

export const STATE_WORDS: Readonly<Record<string, string>> = {
  pending: 'Not sent yet',
  sending: 'On its way',
  failed: 'Refused by the server',
  unknown: 'Perhaps sent',
  conflict: 'Changed on both sides',
  stale: 'A newer version could not be read',
}

const NAMES = new Set(['name', 'first_name', 'last_name', 'content', 'owner_id'])

/** What an edit says beside the name of its record, which stands above it anyway; and whatever the server complained of. */
export function editFields({ op, value, problem }: EditView): ReadonlyArray<readonly [field: string, value: unknown]> {
  const wrong = new Set(problem?.fields.map(({ pointer }) => fieldOf(pointer)))
  const told = Object.entries(op === 'delete' ? {} : value).filter(
    ([field]) => wrong.has(field) || (!QUIET.has(field) && !(op === 'insert' && NAMES.has(field))),
  )
  return told
}

/** Whether an edit waits for one that was refused or may be lost: of its own record, or of one it refers to. */
export function isHeld(edit: EditView, edits: readonly EditView[]): boolean {
  const keys = [edit.key, edit.value['contact_id'], edit.value['resource_id']]
  return (
    edit.state === 'pending' &&
    edits.some(
      ({ id, key, state }) => id !== edit.id && (state === 'failed' || state === 'unknown') && keys.includes(key),
    )
  )
}

/** Why an edit failed, in a sentence for whoever made it. */
export function problemWords({ problem, collection, op }: Pick<EditView, 'problem' | 'collection' | 'op'>): string {
  if (problem === null) return ''
  switch (problem.code) {
    case 'refused':
      return problem.fields.length > 0 ? 'The server did not take it' : problem.message
    case 'missing':
      return `This ${noun(collection)} no longer exists at the server`
    case 'conflict':
      return op === 'delete'
        ? `Somebody changed this ${noun(collection)} after you had deleted it here`
        : `Somebody deleted this ${noun(collection)} meanwhile`
    case 'forbidden':
      return 'You may not change this'
    case 'lost':
      return 'The connection broke while it was on its way; the server cannot tell whether it arrived'
  }
}

/** `/value` and `/address/city` name fields. */
export const fieldOf = (pointer: string): string => pointer.replace(/^\/(data\/)?/, '').split('/')[0] ?? ''

/** The server's word on a field, with the field's name as people know it: `last_name is needed` is `Last name is needed`. */
export function fieldProblem(
  { pointer, message }: { readonly pointer: string; readonly message: string },
  collection: string,
): string {
  const field = fieldOf(pointer)
  return field === '' ? message : message.replace(field, labelOf(field, collection))
}

/** What taking one side of a conflict has to write: nothing for fields that side holds already. */
export function patchFor(conflict: Conflict, side: 'ours' | 'theirs'): Record<string, unknown> {
  return Object.fromEntries(
    conflict.fields.filter(({ kept }) => kept !== side).map((field) => [field.field, field[side] ?? null]),
  )
}

/** The badge: what waits, and what wants attention. Null: nothing. */
export function badgeOf(outbox: {
  readonly pending: number
  readonly failed: number
  readonly conflicts: number
}): { readonly count: number; readonly alarm: boolean; readonly words: string } | null {
  const { pending, failed, conflicts } = outbox
  const parts = [
    failed > 0 && `${failed} to decide`,
    conflicts > 0 && `${conflicts} in conflict`,
    pending > 0 && `${pending} not sent`,
  ].filter((part) => part !== false)
  return parts.length === 0
    ? null
    : { count: pending + failed + conflicts, alarm: failed + conflicts > 0, words: parts.join(', ') }
}
