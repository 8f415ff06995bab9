/** The app's schema, shared by the page and its own worker. */
import { collection, defineSchema } from 'tidegate'
import * as z from 'zod'

export interface Contact {
  id: number
  is_organization: boolean
  /** Organizations only; people have two names. */
  name?: string
}

/** Without a validator: this one goes with the packaged worker. */
export const plain = defineSchema({
  version: 1,
  collections: { contact: collection<Contact>({ indexes: ['name'] }) },
})

/** Refuses every tenth contact, so that the test sees whether it ran. */
export const checked = defineSchema({
  version: 1,
  collections: {
    contact: collection<Contact>({
      indexes: ['name'],
      validate: z.object({
        id: z.number().refine((id) => id % 10 !== 0),
        is_organization: z.boolean(),
        name: z.optional(z.string()),
      }),
    }),
  },
})
