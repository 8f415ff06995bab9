/**
 * One page of the queue (section 4.2). The envelope is checked as a whole; every item is read on its
 * own and tolerantly, because one unreadable item must never cost the others (promise: never a wedged
 * queue). What cannot be understood keeps its raw form for quarantine.
 */
import * as z from 'zod/mini'
import { optional, optionalNumber } from './optional.ts'

export const pageSchema = z.object({
  items: z.array(z.unknown()),
  meta: optional(z.object({ count_left: optionalNumber, failed_objects: optional(z.array(z.unknown())) })),
})

export interface WireItem {
  /** Resource type; null if the item names none. */
  readonly type: string | null
  /** `created`, `updated`, `deleted`, or whatever else the server said. */
  readonly event: string | null
  readonly revision: number | null
  /** Null if the item cannot be acknowledged. */
  readonly ackKey: string | null
  readonly data: unknown
  /** The item as it came. */
  readonly raw: unknown
}

export interface Page {
  readonly items: readonly WireItem[]
  /** How many items probably still wait; null if the server does not say. */
  readonly countLeft: number | null
  /** Objects that belonged here but could not be read by the server (FETCH-8). */
  readonly failed: number
}

/** An ack key longer than this cannot be ours; the item is stored and counted, never acknowledged. */
const MAX_ACK_KEY = 1024

/** Null if the body is no page. */
export function readPage(body: unknown): Page | null {
  const parsed = pageSchema.safeParse(body)
  if (!parsed.success) return null
  const { items, meta } = parsed.data
  const left = meta?.count_left
  return {
    items: items.map(readItem),
    countLeft: left !== undefined && left >= 0 ? left : null,
    failed: meta?.failed_objects?.length ?? 0,
  }
}

function readItem(raw: unknown): WireItem {
  const meta = field(raw, 'meta')
  const sync = field(meta, 'sync')
  const ackKey = text(field(sync, 'ack_key'))
  return {
    type: text(field(meta, 'type')),
    event: text(field(sync, 'event_type')),
    revision: revisionOf(field(sync, 'revision')),
    ackKey: ackKey !== null && ackKey.length <= MAX_ACK_KEY ? ackKey : null,
    data: field(raw, 'data'),
    raw,
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

// One official client calls the revision a string, every other source an integer.
function revisionOf(value: unknown): number | null {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : null
}
