/**
 * What a service says it can do beyond the vendor's protocol (R13): one JSON value in the header
 * `X-Tidegate` of a start answer. A server that sends none is treated with the vendor's limits.
 */
import * as z from 'zod/mini'
import { optional, optionalNumber } from './optional.ts'

export const capabilitiesSchema = z.object({
  version: z.literal(1),
  /** Changes when the server's memory of devices and revisions was reset or restored. */
  epoch: z.optional(z.string()),
  /** How many GETs of one session may run side by side. */
  lanes: optionalNumber,
  /** Requests a second and token; 0 means no limit. */
  rate: optionalNumber,
  /** Days an idempotency key is remembered. */
  idempotencyDays: optionalNumber,
  /** Writes answer with the revision they produced. */
  revisionOnWrite: optional(z.boolean()),
  clientIds: optional(z.boolean()),
  nudge: optional(z.boolean()),
  /** `new`: the service knew nothing of this device before this start (R14). */
  device: optional(z.enum(['new', 'known'])),
})

export type Capabilities = z.infer<typeof capabilitiesSchema>

/** The header's value read; null if absent or not understood. */
export function readCapabilities(header: string | null): Capabilities | null {
  if (header === null) return null
  try {
    const parsed = capabilitiesSchema.safeParse(JSON.parse(header))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}
