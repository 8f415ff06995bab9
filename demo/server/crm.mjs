/**
 * The CRM's data: a supplier of cold storage with its customers, as records of the Sell types. Generated, the same for
 * the same seed and moment; dates lie around that moment, so that a task is due today whenever the demo is looked at.
 */
import { faker as german } from '@faker-js/faker/locale/de'
import { faker as british } from '@faker-js/faker/locale/en_GB'
import { faker as spanish } from '@faker-js/faker/locale/es'
import { faker as french } from '@faker-js/faker/locale/fr'
import { faker as italian } from '@faker-js/faker/locale/it'
import { faker as polish } from '@faker-js/faker/locale/pl'
import { faker as swedish } from '@faker-js/faker/locale/sv'
import * as words from './crm-words.mjs'

const DAY = 86_400_000

const COUNTRIES = [
  { faker: german, country: 'Germany', weight: 30 },
  { faker: british, country: 'United Kingdom', weight: 25 },
  { faker: french, country: 'France', weight: 15 },
  { faker: italian, country: 'Italy', weight: 10 },
  { faker: spanish, country: 'Spain', weight: 8 },
  { faker: polish, country: 'Poland', weight: 6 },
  { faker: swedish, country: 'Sweden', weight: 6 },
].map((value) => ({ value, weight: value.weight }))

/**
 * @typedef {object} CrmSize
 * @property {number} [seed]
 * @property {number} [now] milliseconds since 1970
 * @property {number} [contacts] people and organizations, one in five an organization
 * @property {number} [deals]
 * @property {number} [tasks]
 * @property {number} [notes]
 */

/**
 * Records as `importRecords` takes them, parents before what refers to them.
 * @param {CrmSize} [size]
 * @returns {Array<{ type: string, data: Record<string, unknown> & { id: number } }>}
 */
export function crmRecords({
  seed = 7,
  now = Date.now(),
  contacts = 3000,
  deals = 600,
  tasks = 1000,
  notes = 700,
} = {}) {
  COUNTRIES.forEach(({ value }, at) => value.faker.seed(seed + at))
  const roll = british

  const at = (/** @type {number} */ time) =>
    new Date(Math.floor(time / 1000) * 1000).toISOString().replace('.000Z', 'Z')
  const oneOf = (/** @type {readonly any[]} */ list) => roll.helpers.arrayElement(/** @type {any[]} */ (list))
  const chance = (/** @type {number} */ probability) => roll.number.float() < probability
  const between = (/** @type {number} */ from, /** @type {number} */ to) => from + roll.number.float() * (to - from)
  /** A moment of a working day. */
  const workTime = (/** @type {number} */ time) => {
    const day = new Date(time)
    if (day.getUTCDay() % 6 === 0) day.setUTCDate(day.getUTCDate() + (day.getUTCDay() === 6 ? 2 : 1))
    return day.setUTCHours(roll.number.int({ min: 7, max: 16 }), oneOf([0, 15, 30, 45]), 0, 0)
  }
  const owner = () => ({
    creator_id: roll.number.int({ min: 1, max: 5 }),
    owner_id: roll.number.int({ min: 1, max: 5 }),
  })
  /** Born within so many days before now, changed since. */
  const dates = (/** @type {number} */ days, least = 0) => {
    const born = now - between(least, days) * DAY
    return { created_at: at(born), updated_at: at(between(born, now)) }
  }
  const tagsOf = (/** @type {readonly string[]} */ list) =>
    chance(0.45) ? roll.helpers.arrayElements(list, { min: 1, max: 2 }) : []
  const fixed = { created_at: at(now - 900 * DAY), updated_at: at(now - 900 * DAY) }

  const accounts = [{ id: 1, name: 'Northwall Cold Storage', currency: 'EUR', timezone: 'UTC', ...fixed }]
  const users = words.users.map((name, index) => ({
    id: index + 1,
    name,
    email: `${name.split(' ')[0].toLowerCase()}@northwall.example`,
    role: index === 0 ? 'admin' : 'user',
    status: 'active',
    confirmed: true,
    ...fixed,
  }))
  const pipelines = [{ id: 1, name: 'Sales', disabled: false, ...fixed }]
  const stages = words.stages.map(({ name, category, likelihood }, index) => ({
    id: index + 1,
    name,
    category,
    likelihood,
    active: category !== 'won' && category !== 'lost',
    position: index + 1,
    pipeline_id: 1,
    ...fixed,
  }))
  const reasons = words.lossReasons.map((name, index) => ({ id: index + 1, creator_id: 1, name, ...fixed }))
  const sources = words.sources.map((name, index) => ({
    id: index + 1,
    creator_id: 1,
    name,
    resource_type: 'deal',
    ...fixed,
  }))

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

  const stageChoice = words.stages.map(({ weight }, index) => ({ value: index + 1, weight }))
  const dealData = Array.from({ length: deals }, (_, index) => {
    const person = oneOf(people)
    const company = organizations[(person.contact_id ?? 0) - 1]?.data.name ?? person.last_name
    const stage_id = roll.helpers.weightedArrayElement(stageChoice)
    const closed = stage_id > 4
    const times = dates(closed ? 400 : 120)
    const moved = between(Date.parse(times.created_at), Date.parse(times.updated_at))
    const [least, most] = oneOf(words.dealSizes)
    const cents = roll.number.int({ min: least, max: most }) * 5000 + (chance(0.15) ? 50 : 0)
    return {
      id: index + 1,
      ...owner(),
      name: `${company}: ${oneOf(words.projects)}`,
      // As at the vendor: a whole number, or a text with two decimals.
      value: cents % 100 === 0 ? cents / 100 : (cents / 100).toFixed(2),
      currency: 'EUR',
      hot: !closed && chance(0.15),
      stage_id,
      last_stage_change_at: at(moved),
      last_stage_change_by_id: roll.number.int({ min: 1, max: 5 }),
      source_id: oneOf(sources).id,
      loss_reason_id: stage_id === 6 ? oneOf(reasons).id : null,
      contact_id: person.id,
      organization_id: person.contact_id,
      estimated_close_date: at(closed ? moved : now + between(-8, 90) * DAY).slice(0, 10),
      customized_win_likelihood: null,
      added_at: times.created_at,
      added_on: times.created_at,
      tags: tagsOf(words.dealTags),
      custom_fields: {},
      ...times,
    }
  })

  const openDeals = dealData.filter((deal) => deal.stage_id < 5)
  /** What a task or a note is about, and a first name to speak of. */
  const subject = (/** @type {readonly any[]} */ chosenDeals) => {
    const deal = chosenDeals.length > 0 && chance(0.65) ? oneOf(chosenDeals) : null
    const person = deal === null ? oneOf(people) : people[deal.contact_id - organizations.length - 1]
    return {
      name: person.first_name,
      about: { resource_type: deal === null ? 'contact' : 'deal', resource_id: deal?.id ?? person.id },
    }
  }
  const taskData = Array.from({ length: tasks }, (_, index) => {
    const { name, about } = subject(openDeals)
    const due = workTime(now + between(-45, 30) * DAY)
    const completed = due < now ? chance(0.85) : chance(0.06)
    const done = Math.min(now, due + between(-2, 1) * DAY)
    const born = Math.min(due, now) - between(1, 20) * DAY
    return {
      id: index + 1,
      ...owner(),
      ...about,
      content: oneOf(words.tasks).replace('{name}', name),
      completed,
      completed_at: completed ? at(done) : null,
      due_date: at(due),
      overdue: !completed && due < now,
      remind_at: chance(0.3) ? at(due - 3_600_000) : null,
      created_at: at(born),
      updated_at: at(completed ? done : between(born, now)),
    }
  })
  const noteData = Array.from({ length: notes }, (_, index) => {
    const { name, about } = subject(dealData)
    return {
      id: index + 1,
      creator_id: roll.number.int({ min: 1, max: 5 }),
      ...about,
      content: roll.helpers.arrayElements(words.notes, { min: 1, max: 3 }).join(' ').replaceAll('{name}', name),
      is_important: chance(0.08),
      tags: [],
      ...dates(200),
    }
  })

  return Object.entries({
    account: accounts,
    user: users,
    pipeline: pipelines,
    stage: stages,
    loss_reason: reasons,
    deal_source: sources,
    contact: [...organizations.map(({ data }) => data), ...people],
    deal: dealData,
    task: taskData,
    note: noteData,
  }).flatMap(([type, list]) => list.map((data) => ({ type, data })))
}

/**
 * Imports the data once: a store with contacts in it is left as it is, with its changes.
 * @param {import('../../src/service/store.ts').SyncStore} store
 * @param {string} account
 * @param {CrmSize} [size]
 */
export async function importCrm(store, account, size) {
  const { count } = await store.list(account, ['everyone'], 'contact', { page: 1, perPage: 1 })
  if (count > 0) return
  const start = performance.now()
  const records = crmRecords(size)
  await store.importRecords(account, records)
  console.log(`Imported ${records.length} records of the CRM in ${((performance.now() - start) / 1000).toFixed(1)} s`)
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
