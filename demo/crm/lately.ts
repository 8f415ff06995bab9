/** What changed lately, here or anywhere: shown while nobody is chosen, and the first thing to move when a device catches up. */
import { h, setText } from '../dom.ts'
import { createMark, fillMark, type Deps } from './deps.ts'
import { createKeyed } from './keyed.ts'
import { fillMonogram } from './monogram.ts'
import { hashOf } from './route.ts'
import type { Contact } from './schema.ts'
import { ago, contactName } from './words.ts'

const MANY = 9

export interface Lately {
  readonly element: HTMLElement
  readonly draw: () => void
}

export function createLately({ contacts }: Deps): Lately {
  const rows = h('ul', { class: 'lately-rows' })
  const waiting = h('p', {}, 'The contacts are on their way.')
  const element = h(
    'section',
    { class: 'lately', 'aria-label': 'Lately changed' },
    h('h2', {}, 'Lately changed'),
    waiting,
    rows,
  )
  const list = createKeyed<Contact>({
    box: rows,
    idOf: ({ id }) => id,
    create: () => {
      const monogram = h('span', { class: 'monogram', 'aria-hidden': 'true' })
      const text = h('span', { class: 'row-text' }, h('span', { class: 'row-name' }), h('span', { class: 'row-more' }))
      return h('li', {}, h('a', { class: 'lately-row' }, monogram, text, createMark(), h('time')))
    },
    fill: (item, contact) => {
      const link = item.firstElementChild as HTMLAnchorElement
      const [monogram, text, mark, time] = link.children as unknown as [
        HTMLElement,
        HTMLElement,
        HTMLElement,
        HTMLElement,
      ]
      link.href = hashOf('contacts', contact.id)
      fillMonogram(monogram, contact)
      setText(text.children[0] as Element, contactName(contact))
      const at = contacts.get(contact.contact_id)
      const more = contact.is_organization === true ? [contact.industry] : [contact.title, at && contactName(at)]
      setText(text.children[1] as Element, more.filter(Boolean).join(' · '))
      const state = contacts.stateOf(contact.id)
      fillMark(mark, state)
      const changed = Date.parse(contact.updated_at ?? '')
      setText(
        time,
        state === 'pending'
          ? 'not sent yet'
          : state === 'failed'
            ? 'refused'
            : Number.isNaN(changed)
              ? ''
              : ago(changed, Date.now()),
      )
    },
  })
  /** What the server has not seen has no time yet, and is the latest of all. */
  const changedAt = (contact: Contact): string =>
    contacts.stateOf(contact.id) === 'synced' ? (contact.updated_at ?? '') : '9'

  return {
    element,
    draw: () => {
      const latest: Contact[] = []
      for (const contact of contacts.rows()) {
        const last = latest.at(-1)
        if (latest.length === MANY && last !== undefined && changedAt(contact) <= changedAt(last)) continue
        latest.push(contact)
        latest.sort((a, b) => changedAt(b).localeCompare(changedAt(a)) || a.id - b.id)
        latest.length = Math.min(latest.length, MANY)
      }
      waiting.hidden = latest.length > 0
      list.show(latest)
    },
  }
}
