/**
 * One device from its first breath to quiescence, with a death at a chosen step: the real engine over the real store
 * against the real service, under virtual time. A scenario is told as plain awaits; everything it does is a step of
 * the scheduler (an answer, a storage request, the end of a transaction, a timer), so every step can be the last.
 *
 * A request that has left survives the process that sent it: it is lost, or it arrives, late, when the next process
 * is at work already.
 */
import type { Clock } from '../../src/clock.ts'
import { aborted } from '../../src/clock.ts'
import type { Engine, EngineOptions } from '../../src/engine/engine.ts'
import type { Http, HttpRequest, HttpResponse } from '../../src/engine/transport.ts'
import { SyncError } from '../../src/errors.ts'
import { compileQuery, type Query } from '../../src/query.ts'
import { collection, defineSchema, type Row, type Schema } from '../../src/schema.ts'
import { createExchange } from '../../src/service/exchange.ts'
import { createMemoryStore } from '../../src/service/memory.ts'
import type { WriteOp as ServerWrite } from '../../src/service/store.ts'
import type { WriteOp } from '../../src/store/edit.ts'
import type { Store } from '../../src/store/store.ts'
import { createMachine, startProcess, type Machine, type Process } from '../support/device.ts'
import { createScheduler, seeded, seededRandom, virtualClock } from '../support/virtual-time.ts'

interface Contact {
  readonly id: number
  readonly name?: string
  readonly n?: number
}
interface Deal {
  readonly id: number
  readonly name?: string
  readonly contact_id?: number
}

const schema = defineSchema({
  version: 1,
  collections: {
    contact: collection<Contact>({ indexes: ['n'] }),
    deal: collection<Deal>({ indexes: ['contact_id'], references: { contact_id: 'contact' } }),
  },
})
const TYPES = ['contact', 'deal']

export interface Scenario {
  readonly name: string
  /** Contacts 1 to this number, at the service from the beginning. */
  readonly contacts: number
  readonly pageSize: number
  readonly options?: Partial<EngineOptions>
  /** Milliseconds each way; default 5. */
  readonly delayMs?: number
  /** What happens to the nth request of the act with this path. */
  readonly fault?: (path: string, nth: number) => 'lost-request' | 'lost-answer' | 'unavailable' | undefined
  /** Happens before anybody dies. */
  readonly prepare?: (life: Life) => Promise<void>
  /** Each step of it may be the last. */
  readonly act: (life: Life) => Promise<void>
  /** What must hold in the end besides what always must. */
  readonly check?: (end: End) => Promise<void> | void
}

export interface Life {
  readonly clock: Clock
  readonly tab: { readonly store: Store; readonly engine: Engine }
  open(): Promise<void>
  /** Local edits in one call, as an app makes them. */
  write(...ops: Op[]): Promise<void>
  /** Somebody else's write at the service. */
  elsewhere(op: ServerWrite): Promise<void>
  /** Resolves at the first step at which this holds. */
  when(holds: () => boolean): Promise<void>
}

export interface End {
  readonly store: Store
  readonly intents: readonly Intent[]
  readonly server: ReadonlyMap<string, ReadonlyMap<string, Row>>
  fail(what: string): void
}

export type Op = Pick<WriteOp, 'op' | 'key'> & Partial<WriteOp>

/** One call of `write`, and whether its promise resolved before the end. */
export interface Intent {
  readonly ops: readonly Op[]
  resolved: boolean
  ids: readonly string[]
}

export interface Death {
  /** Counted from the beginning of the act. */
  readonly step: number
  /** `before`: the process learns nothing of the step; `after`: it has done all it does upon it. */
  readonly moment: 'before' | 'after'
  /** What becomes of requests that have left. */
  readonly underway: 'lost' | 'arrives'
}

export interface Outcome {
  /** Empty: everything held. */
  readonly violations: readonly string[]
  /** For each step of the act: hash of the schedule so far, requests sent upon it, requests under way after it. */
  readonly steps: ReadonlyArray<{ readonly hash: string; sent: number; underway: number }>
  readonly trace: readonly string[]
}

const SECOND = 1_000
const HEAL_MS = 600 * SECOND
/** How much later than usual what a dead process sent arrives. */
const LATE_MS = [0, 30, 1_500]
const never: Promise<never> = new Promise(() => {})
const realImmediate = globalThis.setImmediate

interface Body {
  process: Process
  alive: boolean
  /** Requests, so far. */
  sent: number
}

export async function live(scenario: Scenario, death: Death | null): Promise<Outcome> {
  const scheduler = createScheduler(seeded(7))
  const uninstall = scheduler.install()
  const base = virtualClock(scheduler)
  const ids = seededRandom(seeded(8))
  const random = seededRandom(seeded(9))
  const violations: string[] = []
  const trace: string[] = []
  const note = (text: string): void => {
    scheduler.note(text)
    trace.push(`${String(scheduler.now).padStart(7)} ${text}`)
  }
  const fail = (what: string): void => {
    violations.push(what)
    note(`VIOLATION ${what}`)
  }

  // The service, with effects counted by operation id.
  const memory = createMemoryStore({ epoch: 'one', uuid: ids.uuid, now: () => base.now() })
  const effects = new Map<string, Set<string>>()
  const service: typeof memory = {
    ...memory,
    async write(writer, op, key, review) {
      const result = await memory.write(writer, op, key, review)
      if (key !== undefined && result.kind === 'written') {
        const seen = effects.get(key) ?? new Set()
        effects.set(key, seen.add(`${result.object.type} ${result.object.id} r${result.object.revision}`))
      }
      return result
    },
  }
  await service.importRecords(
    'acme',
    Array.from({ length: scenario.contacts }, (_, at) => ({
      type: 'contact',
      data: { id: at + 1, name: `contact ${at + 1}`, n: at % 3 },
    })),
  )
  const exchange = createExchange({
    store: service,
    authorize: () => ({ account: 'acme', user: 'ann', scopes: ['sync', 'read', 'write'] }),
    pageSize: scenario.pageSize,
    now: () => base.now(),
    uuid: ids.uuid,
    background: (task, delayMs) => scheduler.after(delayMs, () => void task()),
  })

  // The network.
  const machine = createMachine()
  const { delayMs = 5 } = scenario
  const flights = new Set<{ body: Body; arrived: boolean; late: number }>()
  const items = new Map<string, { type: string; id: string; rev: number; gone: boolean }>()
  const ackedBy = new Map<string, Set<string>>()
  const counts = new Map<string, number>()
  let acting = false

  const httpOf =
    (body: Body): Http =>
    async (request) => {
      if (!body.alive) return never
      body.sent++
      const path = new URL(request.url).pathname.replace(/sync\/[^/]{9,}\//, 'sync/SESSION/')
      const nth = (counts.get(path) ?? 0) + 1
      if (acting) counts.set(path, nth)
      const fault = acting ? scenario.fault?.(path, nth) : undefined
      noteAcks(request, path)
      const flight = { body, arrived: false, late: 0 }
      flights.add(flight)
      await base.sleep(delayMs)
      if (flight.late > 0) await base.sleep(flight.late)
      if (!body.alive && death?.underway === 'lost') {
        flights.delete(flight)
        return never
      }
      if (fault === 'lost-request') {
        flights.delete(flight)
        note(`${request.method} ${path} lost`)
        if (!body.alive) return never
        throw new TypeError('network')
      }
      flight.arrived = true
      const headers = new Map(Object.entries(request.headers).map(([name, value]) => [name.toLowerCase(), value]))
      const answer =
        fault === 'unavailable'
          ? { status: 503, headers: {}, body: '' }
          : await exchange({
              method: request.method,
              url: request.url,
              headers: { get: (name) => headers.get(name.toLowerCase()) ?? null },
              body: request.body,
            })
      if (request.method === 'GET' && answer.status === 200) noteItems(answer.body ?? '')
      await base.sleep(delayMs)
      flights.delete(flight)
      note(`${request.method} ${path} -> ${answer.status}${fault === 'lost-answer' ? ' lost' : ''}`)
      if (!body.alive) return never
      if (request.signal.aborted) throw aborted()
      if (fault === 'lost-answer') throw new TypeError('network')
      return answered(answer.status, answer.headers, answer.body ?? '')
    }

  function noteAcks({ headers, body }: HttpRequest, path: string): void {
    if (!path.endsWith('/ack')) return
    const device = headers['X-Basecrm-Device-UUID'] ?? ''
    const keys = ackedBy.get(device) ?? new Set()
    for (const key of (JSON.parse(body ?? '') as { data: { ack_keys: string[] } }).data.ack_keys) keys.add(key)
    ackedBy.set(device, keys)
  }
  function noteItems(text: string): void {
    const page = JSON.parse(text) as {
      items: Array<{
        data: { id: unknown }
        meta: { type: string; sync: { event_type: string; ack_key: string; revision: number } }
      }>
    }
    for (const { data, meta } of page.items) {
      const { event_type, ack_key, revision } = meta.sync
      items.set(ack_key, { type: meta.type, id: String(data.id), rev: revision, gone: event_type === 'deleted' })
    }
  }

  // Processes.
  const bodies: Body[] = []
  let body: Body | null = null
  let upgrades = new Set<IDBTransaction>()
  function spawn(): Process {
    const next: Body = { process: undefined as unknown as Process, alive: true, sent: 0 }
    const own = virtualClock(scheduler, () => next.alive)
    upgrades = new Set()
    next.process = startProcess({
      machine: { ...machine, indexedDB: withUpgrades(machine.indexedDB, upgrades) },
      schema: schema as Schema,
      http: httpOf(next),
      // Work takes a little time, so that settling measures something and goes on in parts.
      clock: { ...own, monotonic: () => scheduler.now + scheduler.steps * 0.4 },
      random,
      ...(scenario.options !== undefined && { options: scenario.options }),
    })
    next.process.ready.catch((error: unknown) => {
      if (next.alive) fail(`could not open: ${String(error)}`)
    })
    body = next
    bodies.push(next)
    return next.process
  }
  function kill(): void {
    if (body === null) return
    body.alive = false
    for (const tx of upgrades)
      try {
        tx.abort()
      } catch {
        // It has ended.
      }
    body.process.kill()
    for (const [at, flight] of [...flights].entries())
      if (!flight.arrived) flight.late = LATE_MS[((death?.step ?? 0) + at) % LATE_MS.length]!
    note('killed')
  }

  // The act.
  const intents: Intent[] = []
  const watchers = new Set<() => void>()
  let tab: Life['tab'] | null = null
  const life: Life = {
    clock: base,
    get tab() {
      if (tab === null) throw new Error('nothing is open')
      return tab
    },
    async open() {
      tab = await spawn().ready
    },
    async write(...ops) {
      const intent: Intent = { ops, resolved: false, ids: [] }
      intents.push(intent)
      const { store, engine } = life.tab
      const edits = await store.outbox.write(
        ops.map((op) => ({ collection: 'contact', value: null, temporary: op.op === 'insert', ...op })),
      )
      intent.ids = edits.map(({ id }) => id)
      intent.resolved = true
      engine.edited()
    },
    elsewhere: async (op) => {
      await service.write({ account: 'acme', user: 'bob' }, op)
    },
    when: (holds) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!holds()) return
          watchers.delete(look)
          resolve()
        }
        watchers.add(look)
        look()
      }),
  }

  const steps: Array<{ hash: string; sent: number; underway: number }> = []
  let killed = false
  scheduler.onStep = () => {
    if (acting && !killed) {
      const before = body?.sent ?? 0
      const step = { hash: scheduler.hash, sent: 0, underway: 0 }
      steps.push(step)
      const strike = (): void => {
        killed = true
        kill()
      }
      if (death?.step === steps.length && death.moment === 'before') strike()
      else
        realImmediate(() => {
          step.sent = (body?.sent ?? 0) - before
          step.underway = flights.size
          if (death !== null && steps[death.step - 1] === step) strike()
        })
    }
    if (!killed || !acting) for (const look of [...watchers]) look()
  }

  try {
    await drive(scenario.prepare?.(life) ?? Promise.resolve(), 'the preparation')
    acting = true
    const act = scenario.act(life)
    act.catch(() => undefined)
    await drive(Promise.race([act, until(() => killed)]), 'the act')
    acting = false
    if (death !== null && !killed) fail(`there is no step ${death.step}`)
    watchers.clear()
    if (!killed) kill()
    await drive(base.sleep(50), 'a pause')
    await heal()
  } catch (error) {
    fail(error instanceof Error ? `${error.name} ${error.message}` : String(error))
  } finally {
    uninstall()
    // Dexie keeps a list of all that were not closed.
    for (const { process } of bodies)
      process.ready.then(
        ({ store }) => store.close(),
        () => undefined,
      )
  }
  return { violations, steps, trace }

  /** A new process, no faults: all must come right by itself (L1), and stand on the disk. */
  async function heal(): Promise<void> {
    const { store, engine } = await drive(spawn().ready, 'opening')
    const { lastSyncedAt } = await drive(store.device.sync(), 'a look')
    await noneMissing(store)
    await drive(
      life.when(() => (engine.status.current.lastSyncedAt ?? 0) > (lastSyncedAt ?? 0)),
      'the first proof',
    )
    await allHere(store)
    await drive(engine.now(HEAL_MS), 'the first sync')
    await allHere(store)
    await drive(
      life.when(() => store.outbox.snapshot().edits.length === 0 && flights.size === 0),
      'the push',
    )
    await drive(engine.now(HEAL_MS), 'the last sync')
    await drive(
      life.when(() => store.counts().pages === 0 && engine.status.current.pendingAcks === 0),
      'settling',
    )
    if ((await drive(store.pendingAcks(), 'a look')).length > 0) fail('ack keys are left over')
    const server = await serverState()
    await compare(store, server, 'memory')
    effectsOnce(server)
    await drive(Promise.resolve(scenario.check?.({ store, intents, server, fail })), 'the check')
    kill()
    const { store: reopened } = await drive(spawn().ready, 'opening again')
    await compare(reopened, server, 'disk')
    kill()
  }

  async function serverState(): Promise<Map<string, Map<string, Row>>> {
    const state = new Map<string, Map<string, Row>>()
    for (const type of TYPES) {
      const { objects } = await service.list('acme', ['everyone'], type, { page: 1, perPage: 10_000 })
      state.set(type, new Map(objects.flatMap(({ id, data }) => (data === null ? [] : [[id, data] as const]))))
    }
    return state
  }

  /** I1: what was acknowledged as this device is here, in that revision or a later one. */
  async function noneMissing(store: Store): Promise<void> {
    const { device } = await drive(store.device.identity(), 'the identity')
    const edited = new Set(intents.flatMap(({ ops }) => ops.map(({ key }) => String(key))))
    for (const type of TYPES) {
      const rows = await drive(store.find(compileQuery({ collection: type, where: {} }, store.specOf(type))), 'a find')
      const have = new Map(rows.map(({ id, rev }) => [id, rev]))
      const handed = [...items.values()]
      for (const key of ackedBy.get(device) ?? []) {
        const item = items.get(key)
        if (item === undefined || item.type !== type || edited.has(item.id)) continue
        const rev = have.get(item.id)
        const later = handed.some((one) => one.type === type && one.id === item.id && one.rev > item.rev)
        if (item.gone ? rev !== undefined && rev <= item.rev : rev === undefined ? !later : rev < item.rev)
          fail(`acked but missing: ${type} ${item.id} in revision ${item.rev}, here ${rev ?? 'not at all'}`)
      }
    }
  }

  /** I3, R9: once it says that it is in sync, it is; edits may still be on their way. */
  async function allHere(store: Store): Promise<void> {
    const edited = new Set(intents.flatMap(({ ops }) => ops.map(({ key }) => String(key))))
    const made = new Set([...effects.values()].flatMap((seen) => [...seen].map((one) => one.replace(/ r\d+$/, ''))))
    for (const [type, rows] of await serverState()) {
      const wanted = [...rows].filter(([id]) => !edited.has(id) && !made.has(`${type} ${id}`))
      const found = await drive(store.get(type, [...wanted.map(([id]) => id)]), 'a get')
      for (const [at, [id, row]] of wanted.entries())
        if (!same(found[at], row)) fail(`said to be in sync without ${type} ${id}`)
    }
  }

  /** I2: field by field, by scan and by index. */
  async function compare(store: Store, server: Map<string, Map<string, Row>>, where: string): Promise<void> {
    for (const [type, want] of server) {
      const find = async (query: Query['where'] = {}): Promise<Map<string, Row>> => {
        const found = store.find(compileQuery({ collection: type, where: query }, store.specOf(type)))
        return new Map((await drive(found, 'a find')).map(({ id, row }) => [id, row]))
      }
      const have = await find()
      for (const [id, row] of want)
        if (!same(have.get(id), row))
          fail(`${where}: ${type} ${id} is ${JSON.stringify(have.get(id))} and should be ${JSON.stringify(row)}`)
      for (const id of have.keys()) {
        if (!want.has(id)) fail(`${where}: ${type} ${id} should not be here`)
        const told = store.outbox.snapshot().conflicts.some((one) => String(one.key) === id)
        if (store.stateOf(type, id) !== (told ? 'conflict' : 'synced'))
          fail(`${where}: ${type} ${id} is ${store.stateOf(type, id)}`)
      }
      const field = type === 'contact' ? 'n' : 'contact_id'
      for (const value of new Set([...have.values()].map((row) => row[field]))) {
        if (value === undefined) continue
        const byScan = [...have].filter(([, row]) => row[field] === value).map(([id]) => id)
        const byIndex = [...(await find({ [field]: value as number })).keys()]
        if (byScan.sort().join() !== byIndex.sort().join())
          fail(`${where}: ${field} ${JSON.stringify(value)} differs by index`)
      }
    }
  }

  /** I11, I12, I14: edits whose promise had resolved took effect once, all others at most once, a group as a whole. */
  function effectsOnce(server: Map<string, Map<string, Row>>): void {
    for (const [key, seen] of effects) if (seen.size > 1) fail(`double effect of ${key}: ${[...seen].join(', ')}`)
    for (const { ops, resolved, ids: edits } of intents) {
      const there = ops.map(({ op, key, value, collection: type = 'contact' }) => {
        const rows = server.get(type) ?? new Map<string, Row>()
        if (op === 'delete') return rows.has(String(key)) ? 0 : 1
        const fits = (row: Row | undefined): boolean =>
          row !== undefined &&
          Object.entries(value ?? {}).every(([name, one]) => name === 'contact_id' || row[name] === one)
        if (op === 'update' && Number(key) > 0) return fits(rows.get(String(key))) ? 1 : 0
        return [...rows.values()].filter(fits).length
      })
      if (there.some((times) => times > 1)) fail(`doubled: ${JSON.stringify(ops)}`)
      if (resolved && there.includes(0)) fail(`lost: ${JSON.stringify(ops)}`)
      if (new Set(there).size > 1) fail(`a group in parts: ${JSON.stringify(ops)} ${there.join()}`)
      if (resolved) for (const id of edits) if (effects.get(id)?.size !== 1) fail(`no effect of ${id}`)
    }
    for (const [id, { contact_id: of }] of server.get('deal') ?? [])
      if (of !== undefined && !server.get('contact')?.has(JSON.stringify(of)))
        fail(`deal ${id} names contact ${JSON.stringify(of)}`)
  }

  function until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => (holds() ? resolve() : void realImmediate(look))
      look()
    })
  }

  /** Runs the world until this promise settles. */
  async function drive<T>(promise: Promise<T>, what: string): Promise<T> {
    let settled = false
    const mark = (): void => {
      settled = true
    }
    promise.then(mark, mark)
    const end = scheduler.now + HEAL_MS
    for (let idle = 0; !settled && idle < 100; idle++) {
      const before = scheduler.steps
      await scheduler.run(() => settled || (acting && killed), end)
      if (scheduler.steps > before) idle = 0
      await new Promise<void>((resolve) => realImmediate(resolve))
    }
    if (!settled) throw new Error(`${what} does not end`)
    return promise
  }
}

const same = (a: Row | undefined, b: Row): boolean => a !== undefined && text(a) === text(b)
/** Whatever the order of its fields. */
const text = (row: Row): string => JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)))

function answered(status: number, headers: Readonly<Record<string, string>>, body: string): HttpResponse {
  const lower = new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return {
    status,
    header: (name) => lower.get(name.toLowerCase()) ?? null,
    text: (maxBytes) =>
      body.length > maxBytes ? Promise.reject(new SyncError('page_too_large', 'too large')) : Promise.resolve(body),
  }
}

/** Remembers transactions that make the tables, so that a death in the middle of one rolls it back. */
function withUpgrades(real: Machine['indexedDB'], upgrades: Set<IDBTransaction>): Machine['indexedDB'] {
  const factory = {
    cmp: real.cmp.bind(real),
    databases: real.databases.bind(real),
    deleteDatabase: real.deleteDatabase.bind(real),
    open: (name: string, version?: number) => {
      const request = version === undefined ? real.open(name) : real.open(name, version)
      request.addEventListener('upgradeneeded', () => upgrades.add(request.transaction as unknown as IDBTransaction))
      return request
    },
  }
  return factory as unknown as Machine['indexedDB']
}
