/** The letters a contact is known by at a glance: round for people, square for organizations. */
import { setText } from '../dom.ts'
import type { Contact } from './schema.ts'
import { contactName, initials } from './words.ts'

export function fillMonogram(monogram: HTMLElement, contact: Contact): void {
  setText(monogram, initials(contactName(contact)))
  monogram.dataset['hue'] = String(Math.abs(contact.id * 7) % 5)
  monogram.classList.toggle('square', contact.is_organization === true)
}
