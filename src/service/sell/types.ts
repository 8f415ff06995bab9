/** The Sell types (protocol sections 7 and 8): fields, which of them can be written, and what a record needs. */
import * as is from './values.ts'
import type { Kind } from './values.ts'

export interface SellType {
  readonly writable: Readonly<Record<string, Kind>>
  /** The server's own; to be sent back only as they are. `id`, `created_at` and `updated_at` always are. */
  readonly readOnly: readonly string[]
  /** Writable at creation alone. */
  readonly fixed: readonly string[]
  /** Fields a record must have. */
  readonly required: readonly string[]
  /** What a new record has unless it says otherwise. */
  readonly defaults: Readonly<Record<string, unknown>>
}

function type(writable: SellType['writable'], more: Partial<SellType> = {}): SellType {
  return { writable, readOnly: [], fixed: [], required: [], defaults: {}, ...more }
}

const personal = {
  owner_id: is.id,
  first_name: is.text,
  last_name: is.text,
  title: is.text,
  description: is.text,
  industry: is.text,
  website: is.text,
  email: is.text,
  phone: is.text,
  mobile: is.text,
  fax: is.text,
  twitter: is.text,
  facebook: is.text,
  linkedin: is.text,
  skype: is.text,
  address: is.address,
  tags: is.texts,
  custom_fields: is.map,
}

const anything = is.oneOf('lead', 'contact', 'deal')
const about = { resource_type: anything, resource_id: is.id }
const creator = ['creator_id']
const named = type({ name: is.text }, { readOnly: creator, required: ['name'] })
const source = type({ name: is.text, resource_type: is.text }, { readOnly: creator, required: ['name'] })
const tagged = { tags: [], custom_fields: {} }

/** Types with calls that write. */
export const writableTypes: Readonly<Record<string, SellType>> = {
  lead: type(
    {
      ...personal,
      organization_name: is.text,
      status: is.text,
      source_id: is.id,
      unqualified_reason_id: is.id,
    },
    { readOnly: creator, defaults: { status: 'New', ...tagged } },
  ),
  contact: type(
    {
      ...personal,
      is_organization: is.bool,
      contact_id: is.id,
      parent_organization_id: is.id,
      name: is.text,
      customer_status: is.oneOf('none', 'current', 'past'),
      prospect_status: is.oneOf('none', 'current', 'lost'),
      billing_address: is.address,
      shipping_address: is.address,
    },
    {
      readOnly: creator,
      fixed: ['is_organization'],
      defaults: { is_organization: false, customer_status: 'none', prospect_status: 'none', ...tagged },
    },
  ),
  deal: type(
    {
      owner_id: is.id,
      name: is.text,
      value: is.decimal,
      currency: is.text,
      hot: is.bool,
      stage_id: is.id,
      last_stage_change_at: is.moment,
      source_id: is.id,
      loss_reason_id: is.id,
      unqualified_reason_id: is.id,
      contact_id: is.id,
      estimated_close_date: is.day,
      customized_win_likelihood: is.whole(0, 100),
      added_at: is.moment,
      added_on: is.moment,
      tags: is.texts,
      custom_fields: is.map,
    },
    {
      readOnly: [
        ...creator,
        'last_stage_change_by_id',
        'last_activity_at',
        'organization_id',
        'dropbox_email',
        'associated_contacts',
      ],
      required: ['name', 'contact_id'],
      defaults: { value: 0, hot: false, ...tagged },
    },
  ),
  note: type(
    { ...about, content: is.text, type: is.text, is_important: is.bool, tags: is.texts },
    {
      readOnly: creator,
      required: ['resource_type', 'resource_id', 'content'],
      defaults: { is_important: false, tags: [] },
    },
  ),
  task: type(
    {
      ...about,
      owner_id: is.id,
      content: is.text,
      completed: is.bool,
      due_date: is.moment,
      remind_at: is.moment,
    },
    {
      readOnly: [...creator, 'completed_at', 'overdue'],
      required: ['content'],
      defaults: { resource_type: null, resource_id: null, completed: false, due_date: null, remind_at: null },
    },
  ),
  tag: type({ name: is.text, resource_type: anything }, { readOnly: creator, required: ['name', 'resource_type'] }),
  product: type(
    {
      name: is.text,
      description: is.text,
      sku: is.text,
      active: is.bool,
      cost: is.decimal,
      cost_currency: is.text,
      prices: is.list,
      max_discount: is.whole(0, 100),
      max_markup: is.whole(0, Number.MAX_SAFE_INTEGER),
    },
    { required: ['name'], defaults: { active: true, prices: [] } },
  ),
  order: type({ deal_id: is.id, discount: is.whole(0, 100) }, { required: ['deal_id'], defaults: { discount: 0 } }),
  call: type(
    {
      ...about,
      user_id: is.id,
      summary: is.text,
      recording_url: is.text,
      outcome_id: is.id,
      duration: is.whole(0, Number.MAX_SAFE_INTEGER),
      phone_number: is.text,
      incoming: is.bool,
      missed: is.bool,
      external_id: is.text,
      associated_deal_ids: is.ids,
      made_at: is.moment,
    },
    { required: ['phone_number'], defaults: { incoming: false, missed: false } },
  ),
  // By the vendor's calls a part of its deal or order; here a record of its own too, for devices write such.
  associated_contact: type(
    { deal_id: is.id, contact_id: is.id, role: is.oneOf('involved') },
    {
      fixed: ['deal_id', 'contact_id'],
      required: ['deal_id', 'contact_id'],
      defaults: { role: 'involved' },
    },
  ),
  line_item: type(
    {
      order_id: is.id,
      product_id: is.id,
      value: is.decimal,
      variation: is.decimal,
      currency: is.text,
      quantity: is.whole(1, Number.MAX_SAFE_INTEGER),
    },
    {
      readOnly: ['name', 'sku', 'description', 'price'],
      fixed: ['order_id', 'product_id'],
      required: ['order_id', 'product_id'],
      defaults: { quantity: 1, variation: 0 },
    },
  ),
  loss_reason: named,
  deal_unqualified_reason: named,
  source,
  lead_source: source,
  deal_source: source,
}

/** Types without such calls: they come by import, or from the application's own hand. */
export const readOnlyTypes: ReadonlySet<string> = new Set([
  'account',
  'user',
  'pipeline',
  'stage',
  'lead_unqualified_reason',
  'call_outcome',
  'visit',
  'visit_outcome',
  'text_message',
  'collaboration',
])
