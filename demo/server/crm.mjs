/**
 * The CRM's data: a supplier of cold storage with its customers, as records of the Sell types. Generated, the same for
 * the same seed and moment; dates lie around that moment, so that a task is due today whenever the demo is looked at.
 */
import { createChance } from './crm-chance.mjs'
import { createContacts, roll, seedContacts } from './crm-contacts.mjs'
import * as words from './crm-words.mjs'

const DAY = 86_400_000

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
  seedContacts(seed)

  const dice = createChance(roll, now)
  const { at, oneOf, chance, between, workTime, owner, dates, tagsOf } = dice
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

  const { organizations, people } = createContacts(contacts, dice)

  const stageChoice = words.stages.map(({ weight }, index) => ({ value: index + 1, weight }))
  const dealData = Array.from({ length: deals }, (_, index) => {
    const person = oneOf(people)
    const company = organizations[(person.contact_id ?? 0) - 1]?.name ?? person.last_name
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
    contact: [...organizations, ...people],
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
