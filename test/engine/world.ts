/**
 * A small world under virtual time: the real service (or a scripted one), a network with faults, and any number
 * of tabs of one machine. A test is written as plain awaits; the world moves on whenever it waits.
 */
import type { EngineOptions } from '../../src/engine/engine.ts'
import type { Engine } from '../../src/engine/engine.ts'
import type { Http, HttpRequest, HttpResponse } from '../../src/engine/transport.ts'
import type { Clock } from '../../src/clock.ts'
import { SyncError } from '../../src/errors.ts'
import { compileQuery, type Query } from '../../src/query.ts'
import { collection, defineSchema, type Row, type Schema } from '../../src/schema.ts'
import { createExchange } from '../../src/service/exchange.ts'
import { createMemoryStore } from '../../src/service/memory.ts'
import type { ServiceOptions } from '../../src/service/options.ts'
import type { SyncStore, WriteOp } from '../../src/service/store.ts'
import type { EditInfo, WriteOp as EditOp } from '../../src/store/edit.ts'
import type { Store } from '../../src/store/store.ts'
import { createMachine, startProcess, type Machine, type Process, type ProcessDeps } from '../support/device.ts'
import { createNetwork, type Fault } from '../support/network.ts'
import { createScheduler, seeded, seededRandom, virtualClock } from '../support/virtual-time.ts'

export const schema = defineSchema({
  version: 1,
  collections: { contact: collection<{ id: number; name?: string; n?: number }>({ indexes: ['n'] }) },
})

export interface WorldOptions {
  /** Contacts 1 to this number, at the service from the beginning. */
  readonly contacts?: number
  readonly seed?: number
  readonly service?: Partial<
    Pick<ServiceOptions, 'pageSize' | 'pageBytes' | 'ackDelayMs' | 'profile' | 'present' | 'rate' | 'maxSessions'>
  >
  readonly authorize?: ServiceOptions['authorize']
  readonly fault?: (request: HttpRequest, path: string) => Fault | undefined
  /** Milliseconds each way. */
  readonly delayMs?: number
  /** Answers instead of the service. */
  readonly http?: Http
}

export interface TabOptions extends Partial<Omit<ProcessDeps, 'machine' | 'clock' | 'random'>> {
  readonly options?: Partial<EngineOptions>
  readonly machine?: Machine
}

export interface Tab {
  readonly store: Store
  readonly engine: Engine
  /** Ends the tab as SIGKILL would. */
  kill(): void
  /** Phases in the order in which they were shown, repetitions left out. */
  readonly phases: readonly string[]
  find(query?: Partial<Query>): Promise<Row[]>
  /** Edits contacts, as an app does through the worker. */
  edit(...ops: ReadonlyArray<Pick<EditOp, 'op' | 'key'> & Partial<EditOp>>): Promise<readonly EditInfo[]>
  ids(): Promise<string[]>
}

export interface World {
  readonly clock: Clock
  readonly machine: Machine
  /** What the network saw: `METHOD path -> outcome`. */
  readonly log: string[]
  service: SyncStore
  /** Bodies of the ack calls that reached the service, as lists of keys. */
  readonly acked: string[][]
  write(op: WriteOp): Promise<unknown>
  /** What the service has, by id. */
  contacts(): Promise<Array<Record<string, unknown>>>
  open(tab?: TabOptions): Promise<Tab>
  /** Waits for a condition; fails after so much virtual time. */
  until(done: () => boolean | Promise<boolean>, ms?: number): Promise<void>
  now(): number
}

const contact = (id: number): { type: string; data: Record<string, unknown> } => ({
  type: 'contact',
  data: { id, name: `contact ${id}`, n: id % 7 },
})
export const everyContact = (count: number): Array<Record<string, unknown>> =>
  Array.from({ length: count }, (_, at) => contact(at + 1).data)

export async function inWorld(options: WorldOptions, body: (world: World) => Promise<void>): Promise<void> {
  const seed = options.seed ?? 7
  const scheduler = createScheduler(seeded(seed))
  const realImmediate = globalThis.setImmediate
  const uninstall = scheduler.install()
  let over = false
  const open = new Set<Process>()
  try {
    const clock = virtualClock(scheduler)
    const random = seededRandom(seeded(seed + 1))
    const ids = seededRandom(seeded(seed + 2))
    const service = createMemoryStore({ epoch: 'one', uuid: ids.uuid, now: () => clock.now() })
    await service.importRecords(
      'acme',
      Array.from({ length: options.contacts ?? 0 }, (_, at) => contact(at + 1)),
    )
    const log: string[] = []
    const acked: string[][] = []
    const machine = createMachine()

    const world: World = {
      clock,
      machine,
      log,
      acked,
      service,
      write: (op) => world.service.write({ account: 'acme', user: 'bob' }, op),
      contacts: async () => {
        const { objects } = await world.service.list('acme', ['everyone'], 'contact', { page: 1, perPage: 1_000 })
        return objects.map(({ data }) => ({ ...data }))
      },
      now: () => scheduler.now,
      async until(done, ms = 120_000) {
        const end = scheduler.now + ms
        while (!(await done())) {
          if (scheduler.now >= end) throw new Error(`not within ${ms} ms`)
          await clock.sleep(20)
        }
      },
      async open({ machine: own, options: engineOptions, ...rest } = {}) {
        let alive = true
        const tabClock = virtualClock(scheduler, () => alive)
        const exchange = createExchange({
          store: new Proxy(service, { get: (_, name) => Reflect.get(world.service, name) as unknown }),
          authorize: options.authorize ?? (() => ({ account: 'acme', user: 'ann', scopes: ['sync', 'read', 'write'] })),
          now: () => clock.now(),
          uuid: ids.uuid,
          background: (task, delayMs) => scheduler.after(delayMs, () => void task()),
          ...options.service,
        })
        const recorded: typeof exchange = (request) => {
          if (request.body !== null && request.url.endsWith('/ack'))
            acked.push((JSON.parse(String(request.body)) as { data: { ack_keys: string[] } }).data.ack_keys)
          return exchange(request)
        }
        const network = createNetwork({
          exchange: recorded,
          clock: tabClock,
          alive: () => alive,
          delayMs: () => options.delayMs ?? 1,
          fault: (request) => options.fault?.(request, pathOf(request)) ?? { kind: 'none' },
        })
        network.log.push = (...lines) => log.push(...lines)
        const process = startProcess({
          machine: own ?? machine,
          schema: schema as Schema,
          http: options.http === undefined ? network.http : delayed(options.http, tabClock, options.delayMs ?? 1, log),
          clock: tabClock,
          random,
          ...rest,
          ...(engineOptions !== undefined && { options: engineOptions }),
        })
        open.add(process)
        const { store, engine } = await process.ready
        const phases: string[] = []
        const note = (phase: string): void => {
          if (phases.at(-1) !== phase) phases.push(phase)
        }
        engine.status.subscribe(({ phase }) => note(phase))
        note(engine.status.current.phase)
        const find: Tab['find'] = async (query = {}) => {
          const whole = { collection: 'contact', where: {}, ...query }
          return (await store.find(compileQuery(whole, store.specOf(whole.collection)))).map(({ row }) => row)
        }
        return {
          store,
          engine,
          phases,
          kill: () => {
            alive = false
            process.kill()
          },
          find,
          edit: async (...ops) => {
            const edits = await store.outbox.write(
              ops.map((op) => ({ collection: 'contact', value: null, temporary: op.op === 'insert', ...op })),
            )
            engine.edited()
            return edits
          },
          ids: async () => (await find()).map((row) => String(row['id'])).sort((a, b) => Number(a) - Number(b)),
        }
      },
    }

    const test = body(world).finally(() => {
      over = true
    })
    test.catch(() => undefined)
    // Nothing scheduled for so many turns in a row: whoever still waits would wait for ever.
    for (let idle = 0; !over && idle < 200; idle++) {
      const { steps } = scheduler
      await scheduler.run(() => over, scheduler.now + 86_400_000)
      if (scheduler.steps > steps) idle = 0
      await new Promise<void>((resolve) => realImmediate(resolve))
    }
    if (!over) throw new Error(`nothing more happens; the network saw\n${log.slice(-20).join('\n')}`)
    await test
  } finally {
    over = true
    // Dexie knows all connections of a name: one left behind would be asked to close in another test's world.
    for (const process of open) process.kill()
    uninstall()
  }
}

export function pathOf({ url }: Pick<HttpRequest, 'url'>): string {
  return new URL(url).pathname
}

function delayed(http: Http, clock: Clock, ms: number, log: string[]): Http {
  return async (request) => {
    await clock.sleep(ms, request.signal)
    const answer = await http(request)
    log.push(`${request.method} ${pathOf(request)} -> ${answer.status}`)
    return answer
  }
}

/** An answer as a server would send it. */
export function answer(
  status: number,
  body: unknown = '',
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return {
    status,
    header: (name) => lower.get(name.toLowerCase()) ?? null,
    text: (maxBytes) =>
      text.length > maxBytes ? Promise.reject(new SyncError('page_too_large', 'too large')) : Promise.resolve(text),
  }
}

export const never: Promise<never> = new Promise(() => {})

/** A `contact` item on a page. */
export function wireItem(
  id: unknown,
  rev = 1,
  more: { readonly event?: string; readonly ackKey?: unknown; readonly type?: string; readonly data?: unknown } = {},
): unknown {
  const { event = 'updated', ackKey = `k-${String(id)}-${rev}`, type = 'contact', data = { id } } = more
  return { data, meta: { type, sync: { event_type: event, ack_key: ackKey, revision: rev } } }
}

export const pageBody = (items: readonly unknown[], meta: Readonly<Record<string, unknown>> = {}): unknown => ({
  items,
  meta: { type: 'collection', count: items.length, ...meta },
})
export const sessionBody = (id: unknown, total_count: unknown = 1): unknown => ({
  data: { id, queues: [{ data: { name: 'main', pages: 1, total_count }, meta: { type: 'sync_queue' } }] },
  meta: { type: 'sync_session' },
})

/** A server that sends the given answers, in order, to starts and fetches, and 202 to acks; afterwards 204. */
export function scripted(
  starts: readonly HttpResponse[],
  fetches: readonly HttpResponse[],
  ack: (keys: readonly string[]) => HttpResponse | Promise<HttpResponse> = () => answer(202),
): Http & { readonly acked: string[][]; readonly requests: HttpRequest[] } {
  const left = { starts: [...starts], fetches: [...fetches] }
  const acked: string[][] = []
  const requests: HttpRequest[] = []
  const http = async (request: HttpRequest): Promise<HttpResponse> => {
    requests.push(request)
    const path = pathOf(request)
    if (path.endsWith('/start')) return left.starts.shift() ?? answer(204)
    if (path.endsWith('/queues/main')) return left.fetches.shift() ?? answer(204)
    const keys = (JSON.parse(request.body ?? '') as { data: { ack_keys: string[] } }).data.ack_keys
    acked.push(keys)
    return ack(keys)
  }
  return Object.assign(http, { acked, requests })
}
