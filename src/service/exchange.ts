/**
 * The service's core: one request in, one answer out, in plain values. No Request or Response, no timers,
 * clocks or randomness but those given, so that a simulation runs it under virtual time. Fetch handler and
 * Node server are thin layers over it.
 *
 * Order of a request: preflight; who is calling (401); how often (429); what for (404, 405); whether allowed
 * (403); then the call itself. Every answer carries a request id, and nothing is ever cached or redirected.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import { headers as names, routes } from '../protocol/routes.ts'
import { callerOf, requireScope, type Caller } from './access.ts'
import { Refusal, refusalBody, refuseForNow, type ExchangeAnswer, type ExchangeRequest, type Reply } from './answer.ts'
import { createCors } from './cors.ts'
import { isTypeName } from './identity.ts'
import { createNestedCalls, nestedPath } from './nested-calls.ts'
import { settingsOf, type Scope, type ServiceOptions } from './options.ts'
import { createRateLimit } from './rate.ts'
import { createResourceCalls, typeOfPath } from './resource-calls.ts'
import { StoreClosedError } from './store.ts'
import { createSyncCalls } from './sync-calls.ts'

export type Exchange = (request: ExchangeRequest) => Promise<ExchangeAnswer>

type Call = (caller: Caller) => Promise<Reply>

/** What a path offers: a call and the scope it needs, by method. */
type Route = Readonly<Record<string, readonly [Scope, Call]>>

const QUEUE_PATH = /^\/v2\/sync\/([^/]+)\/queues\/([^/]+)$/
const RESOURCE_PATH = /^\/v2\/([^/]+)(?:\/([^/]+))?$/

/** @throws RangeError for an option out of its bounds. */
export function createExchange(options: ServiceOptions): Exchange {
  const settings = settingsOf(options)
  const { extensions, log } = settings
  const cors = createCors(settings.origins, extensions)
  const rate = createRateLimit(settings.rate, settings.now)
  const sync = createSyncCalls(settings)
  const resources = createResourceCalls(settings)
  const nested = createNestedCalls(settings.store, resources)

  function routeOf(request: ExchangeRequest): Route | null {
    const url = new URL(request.url, 'http://localhost')
    const path = url.pathname
    if (path === routes.start) return { POST: ['sync', (caller) => sync.start(request, caller)] }
    if (path === routes.ack) return { POST: ['sync', (caller) => sync.acknowledge(request, caller)] }
    const [, session, queue] = QUEUE_PATH.exec(path) ?? []
    if (session !== undefined && queue !== undefined) {
      return { GET: ['sync', (caller) => sync.fetch(request, caller, session, queue)] }
    }
    const below = nestedPath(path)
    if (below !== null && below.keyValue === null) {
      return {
        GET: ['read', (caller) => nested.list(url, caller, below)],
        POST: ['write', (caller) => nested.create(request, caller, below)],
      }
    }
    if (below !== null) {
      return {
        GET: ['read', (caller) => nested.get(caller, below)],
        DELETE: ['write', (caller) => nested.remove(request, caller, below)],
      }
    }
    const [, plural = 'sync', encoded] = RESOURCE_PATH.exec(path) ?? []
    const type = typeOfPath(plural, settings.plurals)
    const id = encoded === undefined ? undefined : decoded(encoded)
    if (plural === 'sync' || !isTypeName(type) || id === null) return null
    if (id === undefined) {
      return {
        GET: ['read', (caller) => resources.list(url, caller, type)],
        POST: ['write', (caller) => resources.create(request, caller, type)],
      }
    }
    return {
      GET: ['read', (caller) => resources.get(caller, type, id)],
      PUT: ['write', (caller) => resources.update(request, caller, type, id)],
      DELETE: ['write', (caller) => resources.remove(request, caller, type, id)],
      ...(id === 'upsert' && { POST: ['write', (caller: Caller) => resources.upsert(request, url, caller, type)] }),
    }
  }

  async function serve(request: ExchangeRequest): Promise<Reply> {
    if (request.method === 'OPTIONS') return cors.preflight()
    const caller = await callerOf(request, settings)
    const wait = rate.wait(caller.token)
    if (wait > 0) throw refuseForNow(429, 'Too many requests.', wait)
    const route = routeOf(request)
    if (route === null) throw new Refusal(404, 'incorrect_path', 'There is nothing at this path.')
    const [scope, call] = (Object.hasOwn(route, request.method) ? route[request.method] : undefined) ?? []
    if (scope === undefined || call === undefined) throw wrongMethod(request.method, route)
    requireScope(caller, scope)
    requireJsonAnswer(request)
    const reply = await call(caller)
    return extensions
      ? { ...reply, headers: { ...reply.headers, [names.account]: accountName(caller.account) } }
      : reply
  }

  function refusalOf(error: unknown): Refusal {
    if (error instanceof Refusal) return error
    if (error instanceof StoreClosedError) return refuseForNow(503, 'The service is stopping.', 5)
    log('error', 'request_failed', { error: error instanceof Error ? error.name : typeof error })
    return new Refusal(500, 'server_error', 'The service failed; it is not the fault of this request.')
  }

  async function replyTo(request: ExchangeRequest, requestId: string): Promise<Reply> {
    try {
      return await serve(request)
    } catch (error) {
      const refusal = refusalOf(error)
      return { status: refusal.status, headers: refusal.more.headers, body: refusalBody(refusal, requestId) }
    }
  }

  return async (request) => {
    const requestId = settings.uuid()
    const { status, headers, body = null } = await replyTo(request, requestId)
    return {
      status,
      headers: {
        ...(body !== null && { 'Content-Type': 'application/json; charset=utf-8', 'Content-Language': 'en' }),
        [names.requestId]: requestId,
        'Cache-Control': 'no-store',
        'X-Content-Type-Options': 'nosniff',
        Vary: 'Origin, Accept-Language',
        ...cors.headersFor(request.headers.get('origin') ?? null),
        ...headers,
      },
      body,
    }
  }
}

/** Opaque, and the same for an account for ever: a client compares it with the one its data belongs to (R22). */
function accountName(account: string): string {
  return bytesToHex(sha256(utf8ToBytes(`tidegate account ${account}`))).slice(0, 32)
}

// A HEAD must not consume a page, so it is no call at all (FETCH-6).
function wrongMethod(method: string, route: Route): Refusal {
  const allow = [...Object.keys(route), 'OPTIONS'].join(', ')
  return new Refusal(405, 'method_not_allowed', `${method} does not exist here.`, { headers: { Allow: allow } })
}

function requireJsonAnswer(request: ExchangeRequest): void {
  const accept = request.headers.get('accept') ?? ''
  const ranges = accept.split(',').filter((range) => !/;\s*q=0(\.0*)?\s*$/.test(range))
  if (accept.trim() === '' || ranges.some((range) => /^\s*(\*|application)\/(\*|json)\s*(;|$)/i.test(range))) return
  throw new Refusal(406, 'not_acceptable', 'This service answers in application/json alone.')
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment)
  } catch {
    return null
  }
}
