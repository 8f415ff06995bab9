/** The exchange over a memory store, with a clock and a background that stand still until told. */
import { createExchange } from '../../../src/service/exchange.ts'
import { createMemoryStore } from '../../../src/service/memory.ts'
import type { Access, ServiceOptions } from '../../../src/service/options.ts'
import type { SyncStore } from '../../../src/service/store.ts'

export interface CallOptions {
  readonly token?: string | null
  readonly device?: string | null
  /** Sent as JSON; a string is sent as it is. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly status: number
  /** As written by the service. */
  readonly headers: Readonly<Record<string, string>>
  readonly text: string | null
  /** The body parsed. */
  readonly json: any // oxlint-disable-line typescript/no-explicit-any
}

export interface TestService {
  readonly store: SyncStore
  readonly log: string[]
  call(method: string, path: string, options?: CallOptions): Promise<Answer>
  /** Fetches the next page: items, or the status if there are none. */
  start(device?: string): Promise<Answer>
  ack(keys: readonly string[], device?: string): Promise<Answer>
  /** Starts and fetches until 204. */
  drain(device?: string): Promise<readonly WireItem[]>
  advance(ms: number): void
  /** Runs what was put into the background and is due. */
  runBackground(): Promise<void>
}

export interface WireItem {
  readonly data: Readonly<Record<string, unknown>>
  readonly meta: {
    readonly type: string
    readonly sync: { readonly event_type: string; readonly ack_key: string; readonly revision: number }
  }
}

const ANN: Access = { account: 'acme', user: 'ann', scopes: ['sync', 'read', 'write'] }

export const accesses: Readonly<Record<string, Access>> = {
  T: ANN,
  'other-token-of-ann': ANN,
  bob: { ...ANN, user: 'bob' },
  stranger: { ...ANN, account: 'other' },
  'only-sync': { ...ANN, scopes: ['sync'] },
  'only-read': { ...ANN, scopes: ['read'] },
  'only-write': { ...ANN, scopes: ['write'] },
}

export function createService(options: Partial<ServiceOptions> = {}): TestService {
  let time = Date.UTC(2026, 0, 1)
  let uuids = 0
  const log: string[] = []
  const due: { readonly at: number; readonly task: () => Promise<void> }[] = []
  const now = (): number => time
  const store = options.store ?? createMemoryStore({ now })
  const exchange = createExchange({
    store,
    authorize: (token) => accesses[token] ?? null,
    now,
    uuid: () => `request-${++uuids}`,
    background: (task, delayMs) => void due.push({ at: time + delayMs, task }),
    log: (level, event, fields) => void log.push(`${level} ${event} ${JSON.stringify(fields ?? {})}`),
    ...options,
  })

  async function call(
    method: string,
    path: string,
    { token = 'T', device = 'd1', body, headers = {} }: CallOptions = {},
  ): Promise<Answer> {
    const sent = new Headers(headers)
    if (token !== null) sent.set('authorization', `Bearer ${token}`)
    if (device !== null) sent.set('x-basecrm-device-uuid', device)
    const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body)
    const answer = await exchange({ method, url: `https://sync.example.test${path}`, headers: sent, body: text })
    return {
      status: answer.status,
      headers: answer.headers,
      text: answer.body,
      json: answer.body && JSON.parse(answer.body),
    }
  }

  const start = (device = 'd1'): Promise<Answer> => call('POST', '/v2/sync/start', { device })
  const ack = (keys: readonly string[], device = 'd1'): Promise<Answer> =>
    call('POST', '/v2/sync/ack', { device, body: { data: { ack_keys: keys } } })

  return {
    store,
    log,
    call,
    start,
    ack,
    async drain(device = 'd1') {
      const started = await start(device)
      const items: WireItem[] = []
      if (started.status === 204) return items
      for (;;) {
        const page = await call('GET', `/v2/sync/${started.json.data.id}/queues/main`, { device })
        if (page.status === 204) return items
        if (page.status !== 200) throw new Error(`Status ${page.status}: ${page.text}`)
        items.push(...page.json.items)
      }
    },
    advance: (ms) => void (time += ms),
    async runBackground() {
      const ready = due.filter(({ at }) => at <= time)
      due.splice(0, due.length, ...due.filter(({ at }) => at > time))
      for (const { task } of ready) await task()
    },
  }
}

/** Cities 1 to `count` in an account. */
export async function seed(service: TestService, count: number, account = 'acme'): Promise<void> {
  const ids = Array.from({ length: count }, (_, index) => index + 1)
  await service.store.importRecords(
    account,
    ids.map((id) => ({ type: 'city', data: { id, name: `City ${id}` } })),
  )
}

export function keysOf(items: readonly WireItem[]): readonly string[] {
  return items.map((item) => item.meta.sync.ack_key)
}
