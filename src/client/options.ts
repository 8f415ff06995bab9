/**
 * The options of `createSync`, checked: each mistake is found at the call, with a sentence that names it.
 * Nothing is guessed: an option this build does not know is a mistake too (a typing error, or another version).
 */
import { SyncError } from '../errors.ts'
import { defineSchema, schemaHash, toPlainSchema, type Collections } from '../schema.ts'
import { WIRE_VERSION, type OpenRequest } from '../worker/api.ts'
import type { SyncOptions } from './api.ts'

const KNOWN: Readonly<Record<keyof SyncOptions<Collections>, true>> = {
  schema: true, name: true, account: true, endpoint: true, token: true, worker: true,
  rate: true, capabilities: true, poll: true, timeouts: true, ceiling: true, log: true,
}

const POLL_MS = 60_000

/**
 * @param base address that a relative endpoint is resolved against
 * @throws SyncError `invalid_argument`, `schema_invalid`, or `schema_needs_worker` (R29)
 */
export function openRequest<C extends Collections>(options: SyncOptions<C>, base: string): OpenRequest {
  if (typeof options !== 'object' || options === null) bad('it takes one object with options')
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(KNOWN, name)) bad(`there is no option "${name}"; the options are ${Object.keys(KNOWN).join(', ')}`)
  }
  const { name, account, token, worker, rate, poll = POLL_MS, capabilities = {}, timeouts = {}, ceiling = {}, log } = options
  if (typeof options.schema !== 'object' || options.schema === null) bad('schema must be what defineSchema() returned')
  const schema = defineSchema(options.schema)
  if (typeof name !== 'string' || name === '') bad('name must be a string: what your app calls this database')
  if (account !== null && (typeof account !== 'string' || account === ''))
    bad('account must be a string that names whose data this is, or null if the app has no accounts')
  if (typeof token !== 'function') bad('token must be a function that gives a token, or a promise of one')
  if (worker !== undefined && typeof worker !== 'function' && typeof worker?.postMessage !== 'function')
    bad('worker must be a Worker or a function that makes one; leave it out for the packaged worker')
  if (log !== undefined && typeof log !== 'function') bad('log must be a function, such as consoleLog("info")')
  if (rate !== undefined && !isAtLeast(0, rate)) bad('rate must be a number of requests a second, or 0 for no limit')
  if (!isAtLeast(1, poll)) bad('poll must be a number of milliseconds')
  if (typeof capabilities !== 'object' || capabilities === null) bad('capabilities must be an object')
  checkNumbers('timeouts', timeouts)
  checkNumbers('ceiling', ceiling)
  return {
    wire: WIRE_VERSION,
    name,
    account,
    endpoint: address(options.endpoint, base),
    schema: worker === undefined ? toPlainSchema(schema) : null,
    schemaHash: schemaHash(schema),
    schemaVersion: schema.version,
    rate: rate ?? null,
    capabilities: { ...capabilities },
    poll,
    timeouts: { ...timeouts },
    ceiling: { ...ceiling },
    debug: log !== undefined,
  }
}

function address(endpoint: unknown, base: string): string {
  let url: URL
  try {
    if (typeof endpoint !== 'string') throw new TypeError('not a string')
    url = new URL(endpoint, base)
  } catch (cause) {
    return bad(`endpoint must be the address of the sync service, such as "/" or "https://sync.example.com", not ${JSON.stringify(endpoint)}`, cause)
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') bad(`endpoint must be an http or https address, not ${url.protocol}`)
  if (url.username !== '' || url.password !== '') bad('endpoint must not hold a user name or password; the token option is for that')
  if (url.search !== '' || url.hash !== '') bad('endpoint must not hold a query (?) or a fragment (#)')
  return url.href.replace(/\/+$/, '')
}

function checkNumbers(option: string, value: object): void {
  if (typeof value !== 'object' || value === null) bad(`${option} must be an object`)
  for (const [field, number] of Object.entries(value)) {
    if (number !== undefined && !isAtLeast(0, number)) bad(`${option}.${field} must be a number from 0`)
  }
}

function isAtLeast(least: number, value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= least
}

function bad(what: string, cause?: unknown): never {
  throw new SyncError('invalid_argument', `createSync: ${what}.`, { cause })
}
