/** The answer to a start call (section 4.1). Numbers in it are estimates for display only (FAQ-3.1). */
import * as z from 'zod/mini'
import { optional, optionalNumber } from './optional.ts'
import { QUEUE_NAME } from './routes.ts'

export const sessionSchema = z.object({
  data: z.object({
    // A number is tolerated: other servers may send one, and it only goes into a URL.
    id: z.union([z.string().check(z.minLength(1)), z.number()]),
    queues: optional(z.array(z.object({ data: z.object({ name: z.string(), total_count: optionalNumber }) }))),
  }),
})

export interface Session {
  readonly id: string
  /** How many items probably wait; null if the server does not say. */
  readonly estimate: number | null
}

/** Null if the body is no session. */
export function readSession(body: unknown): Session | null {
  const parsed = sessionSchema.safeParse(body)
  if (!parsed.success) return null
  const { id, queues } = parsed.data.data
  const main = queues?.find((queue) => queue.data.name === QUEUE_NAME)
  const count = main?.data.total_count
  return { id: String(id), estimate: count !== undefined && count >= 0 ? count : null }
}
