/** Paths and header names of the protocol (Sell Sync API v2, plus our optional extensions). */

export const QUEUE_NAME = 'main'

export const routes = {
  start: '/v2/sync/start',
  ack: '/v2/sync/ack',
  queue: (session: string): string => `/v2/sync/${session}/queues/${QUEUE_NAME}`,
} as const

export const headers = {
  /** The device's unchanging name, on all three sync calls (DEV-1). */
  device: 'X-Basecrm-Device-UUID',
  requestId: 'X-Request-Id',
  retryAfter: 'Retry-After',
  /** Extension (R13): what this service can do, as one JSON value. */
  capabilities: 'X-Tidegate',
  /** Extension (R16): the revision a write produced. */
  revision: 'X-Tidegate-Revision',
  /** Extension (R22): an opaque name of the account the token belongs to. */
  account: 'X-Tidegate-Account',
  idempotencyKey: 'Idempotency-Key',
} as const

/** Largest number of ack keys a client puts into one call (ACK-8, R33). */
export const ACK_KEYS_PER_CALL = 500
