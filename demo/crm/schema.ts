/**
 * The CRM's collections, types of the Sell API: what this page shows of them, and how their records refer to each
 * other, so that a contact made offline and a deal for it leave in the right order (R18).
 */
import { collection, defineSchema } from '../../src/index.ts'

interface Dated {
  id: number
  /** ISO 8601; the server's. */
  created_at?: string | null
  updated_at?: string | null
}

export interface Address {
  line1?: string | null
  city?: string | null
  postal_code?: string | null
  state?: string | null
  country?: string | null
}

export interface Contact extends Dated {
  owner_id?: number | null
  is_organization?: boolean | null
  /** A person's organization. */
  contact_id?: number | null
  /** Of people the server's: first and last name. */
  name?: string | null
  first_name?: string | null
  last_name?: string | null
  title?: string | null
  industry?: string | null
  customer_status?: string | null
  prospect_status?: string | null
  email?: string | null
  phone?: string | null
  mobile?: string | null
  website?: string | null
  address?: Address | null
  tags?: string[] | null
}

export interface Deal extends Dated {
  owner_id?: number | null
  name?: string | null
  /** A whole number, or a text with decimals: never held in floating point at the server. */
  value?: number | string | null
  currency?: string | null
  hot?: boolean | null
  stage_id?: number | null
  last_stage_change_at?: string | null
  contact_id?: number | null
  estimated_close_date?: string | null
  tags?: string[] | null
}

export interface Task extends Dated {
  owner_id?: number | null
  resource_type?: string | null
  resource_id?: number | null
  content?: string | null
  completed?: boolean | null
  completed_at?: string | null
  due_date?: string | null
}

export interface Note extends Dated {
  creator_id?: number | null
  resource_type?: string | null
  resource_id?: number | null
  content?: string | null
  is_important?: boolean | null
}

export interface Stage extends Dated {
  name?: string | null
  category?: string | null
  position?: number | null
  likelihood?: number | null
}

export interface User extends Dated {
  name?: string | null
}

const about = { resource_id: { type: 'resource_type' } } as const

export const schema = defineSchema({
  version: 1,
  collections: {
    contact: collection<Contact>({ indexes: ['contact_id'], references: { contact_id: 'contact' } }),
    deal: collection<Deal>({
      indexes: ['contact_id', 'stage_id'],
      references: { contact_id: 'contact' },
    }),
    task: collection<Task>({ indexes: [['resource_type', 'resource_id'], 'completed'], references: about }),
    note: collection<Note>({ indexes: [['resource_type', 'resource_id']], references: about }),
    stage: collection<Stage>(),
    user: collection<User>(),
    pipeline: collection<{ id: number; name?: string | null }>(),
    account: collection<{ id: number; name?: string | null; currency?: string | null }>(),
    loss_reason: collection<{ id: number; name?: string | null }>(),
    deal_source: collection<{ id: number; name?: string | null }>(),
  },
})
