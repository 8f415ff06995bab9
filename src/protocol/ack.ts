/** The acknowledge call (section 4.3): a list of opaque keys in a data envelope. */
import * as z from 'zod/mini'

export const ackSchema = z.object({ data: z.object({ ack_keys: z.array(z.string()) }) })

export function ackBody(keys: readonly string[]): string {
  return JSON.stringify({ data: { ack_keys: keys } })
}
