/** What the server allows and can do: as it last announced it, unless the app said otherwise (R12, R13). */
import type { Clock } from '../clock.ts'
import type { Capabilities } from '../protocol/capabilities.ts'
import type { WriteTerms } from '../store/outbox.ts'
import { createRateLimit, type RateLimit } from './rate.ts'

export interface ServerTerms {
  readonly rate: RateLimit
  /** GETs of one session side by side. */
  lanes(): number
  writes(): WriteTerms
  /** What a start answer announced; null: nothing. */
  heed(announced: Capabilities | null): void
}

/** What the vendor allows is 10 (RATE-1). */
const UNKNOWN_SERVER_RATE = 8
/** A server may ask for patience, but not for ever: one a minute. */
const LEAST_RATE = 1 / 60
const DAY_MS = 86_400_000

export function createServerTerms(
  clock: Clock,
  options: { readonly rate: number | null; readonly capabilities: Partial<Capabilities> },
): ServerTerms {
  const said = options.capabilities
  const rate = createRateLimit(clock, options.rate ?? said.rate ?? UNKNOWN_SERVER_RATE)
  let announced: Capabilities | null = null
  return {
    rate,
    lanes: () => said.lanes ?? announced?.lanes ?? 1,
    writes() {
      const days = said.idempotencyDays ?? announced?.idempotencyDays ?? 0
      return {
        keyMemoryMs: days > 0 ? days * DAY_MS : null,
        clientIds: said.clientIds ?? announced?.clientIds ?? false,
      }
    },
    heed(next) {
      announced = next
      const told = next?.rate ?? -1
      if (options.rate === null && said.rate === undefined && told >= 0) rate.set(told && Math.max(told, LEAST_RATE))
    },
  }
}
