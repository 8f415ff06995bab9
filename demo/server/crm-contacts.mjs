/** The CRM's contacts: organizations of seven countries, and the people who work there. */
import { faker as german } from '@faker-js/faker/locale/de'
import { faker as british } from '@faker-js/faker/locale/en_GB'
import { faker as spanish } from '@faker-js/faker/locale/es'
import { faker as french } from '@faker-js/faker/locale/fr'
import { faker as italian } from '@faker-js/faker/locale/it'
import { faker as polish } from '@faker-js/faker/locale/pl'
import { faker as swedish } from '@faker-js/faker/locale/sv'
import * as words from './crm-words.mjs'

const COUNTRIES = [
  { faker: german, country: 'Germany', weight: 30 },
  { faker: british, country: 'United Kingdom', weight: 25 },
  { faker: french, country: 'France', weight: 15 },
  { faker: italian, country: 'Italy', weight: 10 },
  { faker: spanish, country: 'Spain', weight: 8 },
  { faker: polish, country: 'Poland', weight: 6 },
  { faker: swedish, country: 'Sweden', weight: 6 },
].map((value) => ({ value, weight: value.weight }))

/** The stream of all other choices. */
export const roll = british

/** @param {number} seed */
export function seedContacts(seed) {
  COUNTRIES.forEach(({ value }, at) => value.faker.seed(seed + at))
}

/**
 * @param {number} contacts how many, one in five an organization
 * @param {import('./crm-chance.mjs').Chance} chance
 */
export function createContacts(contacts, { oneOf, chance, owner, dates, tagsOf }) {
  const organizations = Array.from({ length: Math.ceil(contacts / 5) }, (_, index) => {
    const { faker, country } = roll.helpers.weightedArrayElement(COUNTRIES)
    const name = faker.company.name()
    const domain = `${plain(name)
      .toLowerCase()
      .match(/[a-z\d]+/g)
      ?.join('-')}.example`
    const data = {
      id: index + 1,
      ...owner(),
      is_organization: true,
      name,
      customer_status: roll.helpers.weightedArrayElement([
        { value: 'none', weight: 6 },
        { value: 'current', weight: 3 },
        { value: 'past', weight: 1 },
      ]),
      prospect_status: oneOf(['none', 'current']),
      industry: oneOf(words.industries),
      website: `https://www.${domain}`,
      email: `office@${domain}`,
      phone: faker.phone.number({ style: 'national' }),
      address: addressOf(faker, country),
      tags: tagsOf(words.organizationTags),
      custom_fields: {},
      ...dates(800, 120),
    }
    return { data, faker, country, domain }
  })

  const people = Array.from({ length: contacts - organizations.length }, (_, index) => {
    const employer = chance(0.92) ? oneOf(organizations) : null
    const { faker, country } = employer ?? roll.helpers.weightedArrayElement(COUNTRIES)
    const [first, last] = [faker.person.firstName(), faker.person.lastName()]
    const mailbox = `${plain(first)}.${plain(last)}`.toLowerCase().replace(/[^a-z.]+/g, '')
    return {
      id: organizations.length + index + 1,
      ...owner(),
      is_organization: false,
      contact_id: employer?.data.id ?? null,
      name: `${first} ${last}`,
      first_name: first,
      last_name: last,
      title: oneOf(words.titles),
      customer_status: employer?.data.customer_status ?? 'none',
      prospect_status: employer?.data.prospect_status ?? 'none',
      email: `${mailbox}@${employer?.domain ?? 'post.example'}`,
      phone: faker.phone.number({ style: 'national' }),
      mobile: chance(0.6) ? faker.phone.number({ style: 'national' }) : null,
      address: employer?.data.address ?? addressOf(faker, country),
      tags: tagsOf(words.personTags),
      custom_fields: {},
      ...dates(600),
    }
  })
  return { organizations: organizations.map(({ data }) => data), people }
}

/** @param {typeof german} faker @param {string} country */
function addressOf(faker, country) {
  return {
    line1: faker.location.streetAddress(),
    city: faker.location.city(),
    postal_code: faker.location.zipCode(),
    state: null,
    country,
  }
}

/** Without marks: `Jäger` is `Jager`. @param {string} text */
function plain(text) {
  return text.normalize('NFD').replace(/\p{M}/gu, '').replaceAll('ß', 'ss').replaceAll('ł', 'l').replaceAll('Ł', 'L')
}
