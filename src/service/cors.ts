/**
 * Cross-origin rules (CORS-1, S12): origins from a list, no cookies and no credentials mode, because the
 * token travels in a header. Preflights need no token and touch nothing.
 */
import { headers as names } from '../protocol/routes.ts'
import type { Reply } from './answer.ts'

const METHODS = 'GET, POST, PUT, DELETE, OPTIONS'
const ALLOWED = [
  'Authorization',
  'Content-Type',
  'Accept',
  'Accept-Language',
  names.device,
  'X-Client-Type',
  'X-Client-Version',
  'X-Device-Id',
]
const EXPOSED = [names.requestId, names.retryAfter, 'Content-Language']

export interface Cors {
  /** Headers that let this origin's page read the answer; none for an origin not on the list. */
  headersFor(origin: string | null): Readonly<Record<string, string>>
  preflight(): Reply
}

export function createCors(origins: readonly string[], extensions: boolean): Cors {
  const allowed = extensions ? [...ALLOWED, names.idempotencyKey] : ALLOWED
  const exposed = extensions ? [...EXPOSED, names.capabilities, names.revision, names.account] : EXPOSED

  return {
    headersFor: (origin) =>
      origin !== null && (origins.includes(origin) || origins.includes('*'))
        ? { 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': exposed.join(', ') }
        : {},
    preflight: () => ({
      status: 204,
      headers: {
        'Access-Control-Allow-Methods': METHODS,
        'Access-Control-Allow-Headers': allowed.join(', '),
        'Access-Control-Max-Age': '600',
      },
    }),
  }
}
