/**
 * The options of `createSync`, checked: each mistake is found at the call, with a sentence that names it.
 * Nothing is guessed: an option this build does not know is a mistake too (a typing error, or another version).
 */
import { SyncError } from '../errors.ts'
import { defineSchema, toPlainSchema, type Collections } from '../schema.ts'
import { WIRE_VERSION, type OpenRequest } from '../worker/api.ts'
import type { SyncOptions } from './api.ts'

const POLL_MS = 60_000

/**
 * @param base address that a relative endpoint is resolved against
 * @throws SyncError `invalid_argument`, `schema_invalid`, or `schema_needs_worker` (R29)
 */
export function openRequest<C extends Collections>(options: SyncOptions<C>, base: string): OpenRequest {
  const {
    schema,
    name,
    account,
    endpoint,
    token,
    worker,
    rate,
    poll = POLL_MS,
    capabilities = {},
    timeouts = {},
    ceiling = {},
    log,
    ...unknown
  } = options
  for (const option of Object.keys(unknown)) check(false, `there is no option "${option}"`)
  check(isObject(schema), 'schema must come from defineSchema()')
  check(isText(name), 'name must be a string')
  check(account === null || isText(account), 'account must be a string, or null without accounts')
  check(isFunction(token), 'token must be a function')
  check(worker === undefined || isFunction(worker) || isObject(worker), 'worker must be a Worker or a function')
  check(log === undefined || isFunction(log), 'log must be a function')
  for (const [option, value] of Object.entries({ capabilities, timeouts, ceiling }))
    check(isObject(value), `${option} must be an object`)
  for (const [option, value] of Object.entries({ rate, poll, ...timeouts, ...ceiling }))
    check(value === undefined || (Number.isFinite(value) && value >= 0), `${option} must be a number from 0`)
  const ownWorker = worker !== undefined
  return {
    wire: WIRE_VERSION,
    name,
    account,
    endpoint: address(endpoint, base),
    ownWorker,
    schema: toPlainSchema(defineSchema(schema), !ownWorker),
    rate: rate ?? null,
    capabilities,
    poll,
    timeouts,
    ceiling,
    debug: log !== undefined,
  }
}

function address(endpoint: unknown, base: string): string {
  const url = isText(endpoint) && URL.canParse(endpoint, base) ? new URL(endpoint, base) : null
  check(
    url !== null && /^https?:$/.test(url.protocol) && url.username + url.password + url.search + url.hash === '',
    'endpoint must be an http(s) address without user, password, ? and #',
  )
  return url.href.replace(/\/+$/, '')
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function isFunction(value: unknown): boolean {
  return typeof value === 'function'
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function check(right: boolean, otherwise: string): asserts right {
  if (!right) throw new SyncError('invalid_argument', `createSync: ${otherwise}.`)
}
