/** Names for keys: the record an edit is about as a link, and values that are keys as the names they stand for. */
import { h, setText } from '../dom.ts'
import type { Deps } from './deps.ts'
import { addressLine, contactName, day, money } from './words.ts'

/** Of a record that is gone here. */
const lostName = (key: string | number): string => (Number(key) > 0 ? `No. ${key}` : 'Not there any more')

interface About {
  readonly collection: string
  readonly key: string | number
  readonly value?: Readonly<Record<string, unknown>>
}

export interface Naming {
  readonly link: (about: About) => HTMLAnchorElement
  /** Asks again for names that were not known. */
  readonly refresh: (within: HTMLElement) => void
  readonly value: (collection: string, field: string, value: unknown) => string
}

export function createNaming({ sync, contacts, stages, users }: Deps): Naming {
  const pending = new WeakMap<HTMLElement, () => void>()

  function link(about: About): HTMLAnchorElement {
    const { collection, key } = about
    const view = collection === 'deal' ? 'deals' : collection === 'task' ? 'tasks' : 'contacts'
    const element = h(
      'a',
      { class: 'edit-record', href: `#/${view}${collection === 'task' ? '' : `/${key}`}` },
      '\u2026',
    )
    const own = about.value?.['name'] ?? about.value?.['content']
    const say = (words: string): void => {
      setText(element, words)
      pending.delete(element)
    }
    const ask = (): void => {
      if (collection === 'contact') {
        const contact = contacts.get(key)
        if (contact !== undefined) return say(contactName(contact))
      }
      const rows =
        collection === 'deal' ? sync.deal : collection === 'task' ? sync.task : collection === 'note' ? sync.note : null
      if (rows === null) return say(typeof own === 'string' ? own : lostName(key))
      rows.get(key).then(
        (row) => {
          const words = row === undefined ? own : 'name' in row ? row.name : 'content' in row ? row.content : null
          say(typeof words === 'string' ? words : lostName(key))
        },
        () => undefined,
      )
    }
    pending.set(element, ask)
    ask()
    return element
  }

  return {
    link,
    refresh: (within) => {
      for (const element of within.querySelectorAll<HTMLElement>('.edit-record')) pending.get(element)?.()
    },
    value: (collection, field, value) => {
      if (value === null || value === undefined || value === '') return 'empty'
      if (value === true) return 'Yes'
      if (value === false) return 'No'
      if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(', ')
      if (typeof value === 'object') return field === 'address' ? addressLine(value) : JSON.stringify(value)
      if (typeof value !== 'number' && typeof value !== 'string') return JSON.stringify(value)
      const key = Number(value)
      if (field === 'stage_id') return stages.get(key)?.name ?? String(value)
      if (field === 'owner_id') return users.get(key)?.name ?? String(value)
      if (field === 'contact_id' || field === 'organization_id') return contactName(contacts.get(key)) || String(value)
      if (collection === 'deal' && field === 'value') return money(value, 'EUR')
      if (field.endsWith('_date')) return day(String(value), Date.now())
      return String(value)
    },
  }
}
