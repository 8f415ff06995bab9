/**
 * The three calls of the sync surface (FAQ-0, section 4): start, fetch, acknowledge. What they know of a
 * device is kept by the store; here are only their shapes and limits.
 */
import * as z from 'zod/mini'
import { type Capabilities } from '../protocol/capabilities.ts'
import { headers, QUEUE_NAME, routes } from '../protocol/routes.ts'
import type { Caller } from './access.ts'
import { Refusal, refuseForNow, type ExchangeRequest, type Reply } from './answer.ts'
import { dataOf } from './body.ts'
import type { Settings } from './options.ts'
import { pageBody, presentItems, type FailedObject } from './page.ts'
import { StoreClosedError, type DeviceRef } from './store.ts'

/** The body of an acknowledge call (section 4.3). */
export const ackSchema = z.object({ data: z.object({ ack_keys: z.array(z.string()) }) })

/** Largest number of keys in one call (ACK-8, R33). */
const MAX_ACK_KEYS = 5000

/** A start works off about so many keys of its device before it answers: some 200 ms at most (O-24). */
const SHORT_INBOX = 20_000

/** So long, in milliseconds, keys are gathered before they are worked off together (FAQ-6.2). */
const GATHER = 50

/** Counts are 32-bit integers to one official client (START-3). */
const MAX_COUNT = 2 ** 31 - 1

/** GETs of one session that may run side by side (FETCH-4, R13). */
const LANES = 4

export interface SyncCalls {
  start(request: ExchangeRequest, caller: Caller): Promise<Reply>
  fetch(request: ExchangeRequest, caller: Caller, session: string, queue: string): Promise<Reply>
  acknowledge(request: ExchangeRequest, caller: Caller): Promise<Reply>
}

export function createSyncCalls(settings: Settings): SyncCalls {
  const { store, pageSize, pageBytes, ackDelayMs } = settings
  let workScheduled = false

  function scheduleWorkOff(): void {
    // With a delay each call has its own due time; without one, calls in a row are worked off together.
    if (workScheduled && ackDelayMs === 0) return
    workScheduled = true
    settings.background(workOff, Math.max(ackDelayMs, GATHER))
  }

  async function workOff(): Promise<void> {
    workScheduled = false
    try {
      await store.workOffAcks({ minAgeMs: ackDelayMs })
    } catch (error) {
      // Nothing is lost: the keys are kept, and the next call or start works them off.
      if (!(error instanceof StoreClosedError)) settings.log('error', 'work_off_failed')
    }
  }

  async function start(request: ExchangeRequest, caller: Caller): Promise<Reply> {
    const device = deviceOf(request, caller)
    await store.workOffAcks(ackDelayMs > 0 ? { device, minAgeMs: ackDelayMs } : { device, limit: SHORT_INBOX })
    const opened = await store.openSession(device, caller.sees, settings.maxSessions)
    if (opened.kind === 'too_many') throw refuseForNow(429, 'Too many active sessions.', 60)
    const more = capabilities(opened.deviceIsNew)
    if (opened.kind === 'nothing') return { status: 204, headers: more }
    const count = Math.min(opened.pending, MAX_COUNT)
    const queue = {
      data: { name: QUEUE_NAME, pages: Math.ceil(count / pageSize), total_count: count },
      meta: { type: 'sync_queue', links: { self: originOf(request.url) + routes.queue(opened.session) } },
    }
    const body = { data: { id: opened.session, queues: [queue] }, meta: { type: 'sync_session' } }
    return { status: 201, headers: more, body: JSON.stringify(body) }
  }

  function capabilities(deviceIsNew: boolean): Record<string, string> {
    if (!settings.extensions) return {}
    const value: Capabilities = {
      version: 1,
      epoch: store.epoch,
      lanes: LANES,
      rate: settings.rate ?? 0,
      idempotencyDays: 90,
      revisionOnWrite: true,
      clientIds: true,
      nudge: false,
      device: deviceIsNew ? 'new' : 'known',
    }
    return { [headers.capabilities]: JSON.stringify(value) }
  }

  async function fetch(request: ExchangeRequest, caller: Caller, session: string, queue: string): Promise<Reply> {
    const device = deviceOf(request, caller)
    if (queue !== QUEUE_NAME) throw new Refusal(404, 'not_found', `There is no such queue; the queue is ${QUEUE_NAME}.`)
    const failed: FailedObject[] = []
    for (;;) {
      const taken = await store.takePage(device, session, { limit: pageSize, bytes: pageBytes, sees: caller.sees })
      if (taken.kind === 'gone')
        throw new Refusal(404, 'not_found', 'There is no such session for this device, or no longer.')
      if (taken.kind === 'drained' && failed.length === 0) return { status: 204 }
      const presented =
        taken.kind === 'page' ? presentItems(taken.items, caller.user, settings) : { items: [], failed: [] }
      failed.push(...presented.failed)
      // Some clients take a page without items for the end: go on to the next that has some (FETCH-2).
      if (presented.items.length === 0 && taken.kind === 'page') continue
      const left = taken.kind === 'page' ? Math.min(taken.left, MAX_COUNT) : 0
      return { status: 200, body: pageBody({ items: presented.items, failed }, left) }
    }
  }

  async function acknowledge(request: ExchangeRequest, caller: Caller): Promise<Reply> {
    const device = deviceOf(request, caller)
    const keys = ackSchema.safeParse({ data: await dataOf(request) })
    if (!keys.success)
      throw new Refusal(422, 'incorrect_payload', 'data.ack_keys must be a list of strings.', {
        field: '/data/ack_keys',
      })
    const list = keys.data.data.ack_keys
    if (list.length > MAX_ACK_KEYS) {
      throw new Refusal(422, 'incorrect_payload', `At most ${MAX_ACK_KEYS} keys fit in one call.`, {
        field: '/data/ack_keys',
      })
    }
    if (list.length > 0) {
      await store.acceptAcks(device, list)
      scheduleWorkOff()
    }
    return { status: 202 }
  }

  return { start, fetch, acknowledge }
}

/** The device's name: 1 to 128 visible ASCII characters (DEV-1, DEV-3, O-20). */
function deviceOf(request: ExchangeRequest, { account, user }: Caller): DeviceRef {
  const device = request.headers.get(headers.device) ?? ''
  if (/^[\x21-\x7e]{1,128}$/.test(device)) return { account, user, device }
  throw new Refusal(400, 'invalid_header', `The header ${headers.device} must name the device.`, {
    details: '1 to 128 visible ASCII characters, the same in every call of one device.',
  })
}

function originOf(url: string): string {
  return /^[a-z]+:\/\/[^/]+/i.exec(url)?.[0] ?? ''
}
