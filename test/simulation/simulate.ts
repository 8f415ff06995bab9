/**
 * One schedule: the real engine over the real store (Dexie on fake-indexeddb) against the real service, under
 * virtual time, with faults and kills drawn by a seed. First chaos, then a heal phase with a deadline (L1),
 * then each device's tables are compared with the server's, field by field (I2), through the index and by scan.
 * In half of the schedules several devices write, and everything that R15 to R19 promise is watched all the time.
 */
import type { Clock } from '../../src/clock.ts'
import { toPlain } from '../../src/errors.ts'
import { canonicalId } from '../../src/keys.ts'
import { compileQuery } from '../../src/query.ts'
import type { Http } from '../../src/engine/transport.ts'
import type { Store } from '../../src/store/store.ts'
import { createNetwork, type Fault } from '../support/network.ts'
import { createMachine, startProcess, type Machine, type Process } from '../support/device.ts'
import { createScheduler, seeded, seededRandom, virtualClock } from '../support/virtual-time.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { schemaFor } from './schema.ts'
import { createWatchedServer, EDIT_HEADER, NUMBER_HEADER } from './server.ts'
import { createSight } from './sight.ts'
import { drawSwarm, drawWrites, smaller } from './swarm.ts'
import { createUser, type User, type UserTab } from './user.ts'

export interface Outcome {
  readonly seed: number
  /** Null: every invariant held. */
  readonly violation: string | null
  /** What kind of promise it broke. */
  readonly kind: string | null
  readonly hash: string
  readonly steps: number
  readonly virtualMs: number
  readonly kills: number
  readonly requests: number
  /** The most GETs of one tab under way at once. */
  readonly lanes: number
  /** Null: nobody wrote. */
  readonly writes: WriteCounts | null
  readonly trace: readonly string[]
}

export interface WriteCounts extends Readonly<Ledger['counts']> {
  readonly devices: number
  /** Changes of records at the server that edits made, and requests that it had answered before. */
  readonly effects: number
  readonly replays: number
}

const CHAOS_MS = 60_000
const HEAL_MS = 600_000
const ENDPOINT = 'http://sync.test'

interface Device {
  readonly at: number
  readonly machine: Machine
  readonly ledger: Ledger
  readonly underWay: Map<string, number>
  user: User | null
  offline: boolean
}

interface Tab {
  readonly device: Device
  process: Process
  alive: boolean
  /** What the app has of it, once it is open. */
  app: UserTab | null
  /** Edits whose requests it waits for. */
  readonly asks: string[]
}

/**
 * Whether devices write in this schedule.
 * @public to `test/support/planted.mjs`
 */
export function hasWrites(seed: number): boolean {
  return drawWrites(seeded(seed * 1_000 + 6)) !== null
}

export async function simulate(seed: number): Promise<Outcome> {
  const stream = (n: number): (() => number) => seeded(seed * 1_000 + n)
  const writes = drawWrites(stream(6))
  const drawn = drawSwarm(stream(0))
  const swarm = writes === null ? drawn : smaller(drawn)
  const schema = schemaFor(writes)
  const [net, work, death, ids, deed, mood] = [2, 3, 4, 5, 7, 8].map(stream) as [
    () => number,
    () => number,
    () => number,
    () => number,
    () => number,
    () => number,
  ]
  const scheduler = createScheduler(stream(1))
  const uninstall = scheduler.install()
  const trace: string[] = [JSON.stringify({ ...swarm, ...(writes && { writing: writes }) })]
  const note = (event: string): void => {
    scheduler.note(event)
    trace.push(`${String(scheduler.now).padStart(7)} ${event}`)
  }
  const clock = virtualClock(scheduler)
  let healing = false
  let kills = 0
  let requests = 0
  let numbered = 0
  let lanes = 0
  let token = 1
  let violation: string | null = null
  let kindOf: string | null = null
  const fail = (kind: string, what: string): void => {
    violation ??= what
    kindOf ??= kind
    note(`VIOLATION ${kind}: ${what}`)
  }
  const diverges = (what: string): void => fail('divergent', what)

  const server = createWatchedServer({
    authorize: (given) =>
      writes !== null && given !== `token-${token}`
        ? null
        : { account: 'acme', user: 'ann', scopes: ['sync', 'read', 'write'] },
    pageSize: swarm.pageSize,
    ackDelayMs: swarm.ackDelayMs,
    profile: writes?.profile ?? 'tidegate',
    validate: ({ op, data }) =>
      op !== 'delete' && data['group'] === 9
        ? [{ code: 'incorrect_value', message: 'group 9 is closed', field: '/group' }]
        : [],
    now: () => clock.now(),
    uuid: seededRandom(ids).uuid,
    background: (task, delayMs) => scheduler.after(delayMs, () => void task()),
    origin: (edit) => devices.map(({ ledger }) => ledger.origin(edit)).find((one) => one !== undefined),
    fail,
    note: writes === null ? () => {} : note,
  })
  let names = 0
  const name = (plain: string): string => (writes === null ? plain : `s${++names}`)
  const thing = (id: number): Record<string, unknown> => ({
    id,
    name:
      work() < 0.05
        ? writes !== null && work() >= writes.invalid
          ? name('')
          : id
        : name(`thing ${Math.floor(work() * 1000)}`),
    group: work() < 0.2 ? null : Math.floor(work() * 4),
  })
  const record = (id: number): { type: string; data: Record<string, unknown> } => ({
    type: work() < 0.1 ? 'other' : 'thing',
    data: thing(id),
  })
  await server.store.importRecords(
    'acme',
    Array.from({ length: swarm.things }, (_, at) => record(at + 1)),
  )

  async function serverWrite(): Promise<void> {
    const known = writes === null ? [] : server.records().filter(({ type }) => type !== 'other')
    const edited = devices
      .flatMap(({ ledger }) => ledger.edits())
      .filter(({ type, key }) => server.versions(type, key).length > 0)
    const among =
      writes !== null && edited.length > 0 && work() < writes.crowd
        ? edited.map(({ type, key }) => ({ type, id: key }))
        : known.length > 0 && work() < 0.7
          ? known
          : [{ type: 'thing', id: String(1 + Math.floor(work() * (swarm.things + 5))) }]
    const { type, id } = among.length === 1 ? among[0]! : among[Math.floor(work() * among.length)]!
    const lot = work()
    if (lot < 0.3 && type === 'thing') await server.write({ kind: 'create', type, id, data: thing(Number(id)) })
    else if (lot < 0.8) {
      const bad = work() < (writes?.invalid ?? 0.05)
      const patch: Record<string, unknown> = { name: bad ? 7 : name(`again ${Math.floor(work() * 1000)}`) }
      if (writes !== null && work() < 0.5) patch['note'] = name('')
      if (writes !== null && work() < 0.3) patch['extra'] = { a: name('') }
      await server.write({ kind: 'update', type, id, patch })
    } else await server.write({ kind: 'delete', type, id })
    note(`server write ${type === 'thing' ? '' : `${type} `}${id}`)
  }
  const chaos = (times: number, random: () => number, task: () => unknown): void => {
    for (let at = 0; at < times; at++)
      scheduler.after(random() * CHAOS_MS, () => {
        if (!healing) void task()
      })
  }
  for (let at = 0; at < swarm.writes; at++) scheduler.after(work() * CHAOS_MS, () => void serverWrite())

  const tabs: Tab[] = []
  const living = (device?: Device): Tab[] =>
    tabs.filter((tab) => tab.alive && (device === undefined || tab.device === device))
  const appsOf = (device: Device): UserTab[] => living(device).flatMap(({ app }) => app ?? [])
  const devices: Device[] = Array.from({ length: writes?.devices ?? 1 }, (_, at) => {
    const machine = createMachine()
    const device: Device = {
      at,
      machine,
      underWay: new Map(),
      ledger: createLedger({ device: at, machine, conflict: writes?.conflict ?? null, server: () => server, fail }),
      user: null,
      offline: false,
    }
    if (writes !== null)
      device.user = createUser({
        device: at,
        swarm: writes,
        random: deed,
        clock,
        ledger: device.ledger,
        server,
        tabs: () => appsOf(device),
        underWay: (edit) => (device.underWay.get(edit) ?? 0) > 0,
        fail,
        note,
      })
    return device
  })

  function spawn(device: Device): void {
    const tab: Tab = { device, process: undefined as unknown as Process, alive: true, app: null, asks: [] }
    const tabClock = virtualClock(scheduler, () => tab.alive)
    let gets = 0
    const network = createNetwork({
      exchange: async (request) => {
        const answer = await server.answer(request)
        if (isWrite(request.url, request.method)) strike(tab)
        return answer
      },
      clock: tabClock,
      wire: clock,
      alive: () => tab.alive,
      delayMs: () => net() * (healing ? Math.min(50, swarm.maxDelayMs) : swarm.maxDelayMs),
      fault: ({ method, url, headers }) => {
        requests++
        const fault = drawFault(device, isWrite(url, method), 'Idempotency-Key' in headers)
        note(
          `${method} ${url.slice(url.lastIndexOf('/'))} ${fault.kind}${headers[EDIT_HEADER] === undefined ? '' : ` for ${headers[EDIT_HEADER]}`}`,
        )
        return fault
      },
    })
    const http: Http = async (request) => {
      if (isWrite(request.url, request.method)) return send(request)
      if (request.method !== 'GET') return network.http(request)
      gets++
      lanes = Math.max(lanes, gets)
      return network.http(request).finally(() => gets--)
    }
    /** A write: what leaves must be on the disk as it leaves (R15). */
    const send: Http = async (request) => {
      if (!tab.alive) return new Promise(() => {})
      const { ledger, underWay } = device
      const { method, url, body, headers } = request
      const key = headers['Idempotency-Key'] ?? null
      const edit = ledger.sender({
        method: method as 'POST',
        path: url.slice(ENDPOINT.length),
        body,
        idempotencyKey: key,
      })
      if (edit === undefined)
        fail('unsent', `device ${device.at}: ${method} ${url} leaves and no edit on the disk is sending it`)
      else if (key !== null && key !== edit.id)
        fail('key', `device ${device.at}: edit ${edit.id} is sent under the key ${key}`)
      const id = edit?.id ?? key ?? 'unknown'
      tab.asks.push(id)
      underWay.set(id, (underWay.get(id) ?? 0) + 1)
      strike(tab)
      try {
        const response = await network.http({
          ...request,
          headers: { ...headers, [EDIT_HEADER]: id, [NUMBER_HEADER]: String(++numbered) },
        })
        strike(tab)
        return response
      } finally {
        if (tab.alive) {
          tab.asks.splice(tab.asks.indexOf(id), 1)
          underWay.set(id, underWay.get(id)! - 1)
        }
      }
    }
    tab.process = startProcess({
      machine: device.machine,
      schema,
      http,
      clock: tabClock,
      random: seededRandom(ids),
      fromMemory: swarm.memory,
      options: { ceiling: { records: swarm.ceiling }, rate: 0, capabilities: swarm.lanes === 1 ? { lanes: 1 } : {} },
      ...(writes !== null && { token: async () => `token-${token}`, onCommit: device.ledger.onCommit }),
    })
    tab.process.ready.then(
      ({ store, engine }) => {
        if (writes === null || !tab.alive) return
        const sight = createSight({
          name: `tab ${tabs.indexOf(tab)} of device ${device.at}`,
          ledger: device.ledger,
          server,
          clientWins: writes.conflict === 'client-wins',
          fail,
        })
        // What live queries are fed with.
        store.subscribe((event) => {
          // Data that was thrown away comes again, from the edits that are left and then from the server.
          if (event.kind === 'reset' && device.user?.replaced === true) sight.clear()
          if (event.kind !== 'changes' || healing) return
          for (const { type, id, row } of event.changes) if (row) sight.saw(`live ${type} ${id}`, type, id, row)
        })
        tab.app = { store, engine, sight, openedAt: clock.monotonic(), alive: true }
      },
      (error: unknown) => {
        if (tab.alive) fail('open', `a tab could not open: ${String(error)}`)
      },
    )
    if (swarm.readEveryMs > 0)
      void (writes === null ? readOn(tab, tabClock) : lookOn(tab, tabClock)).catch(() => undefined)
    tabs.push(tab)
    note(writes === null ? 'tab opened' : `tab opened on device ${device.at}`)
  }

  function kill(tab: Tab): void {
    kills++
    note('kill')
    tab.alive = false
    if (tab.app !== null) tab.app.alive = false
    tab.process.kill()
    const { underWay } = tab.device
    for (const id of tab.asks) underWay.set(id, underWay.get(id)! - 1)
    scheduler.after(death() * 3_000, () => {
      if (!healing) spawn(tab.device)
    })
  }

  /** A request of a write is under way: the tab may die of it. */
  function strike(tab: Tab): void {
    if (writes === null || healing || !tab.alive || mood() >= writes.deadly) return
    kill(tab)
  }

  /** What a tab has shown it never takes back for something older, whoever settles or kills meanwhile (I4, I5, R2). */
  async function readOn(tab: Tab, tabClock: Clock): Promise<void> {
    const { store } = await tab.process.ready
    const query = compileQuery({ collection: 'thing', where: {} }, store.specOf('thing'))
    const shown = new Map<string, { rev: number; gone: boolean }>()
    while (tab.alive && !healing) {
      const rows = new Map((await store.find(query)).map(({ id, rev }) => [id, rev]))
      for (const [id, before] of shown) {
        const rev = rows.get(id)
        if (rev === undefined) before.gone = true
        else if (rev < before.rev || (rev === before.rev && before.gone))
          fail(
            'flash',
            `a tab showed thing ${id} in revision ${before.rev}${before.gone ? ', then not,' : ''} then in ${rev}`,
          )
      }
      for (const [id, rev] of rows) shown.set(id, { rev, gone: false })
      await tabClock.sleep(swarm.readEveryMs)
    }
  }

  async function lookOn(tab: Tab, tabClock: Clock): Promise<void> {
    await tab.process.ready
    while (tab.alive && !healing) {
      if (tab.app !== null) await tab.device.user!.look(tab.app)
      await tabClock.sleep(swarm.readEveryMs)
    }
  }

  function drawFault(device: Device, write: boolean, keyed: boolean): Fault {
    if (device.offline && !healing) return { kind: 'lost-request' }
    if (write && keyed && !healing && net() < writes!.odd)
      return net() < 0.5 ? { kind: 'outlives' } : { kind: 'twice', afterMs: net() * 5_000 }
    if (healing || net() >= swarm.faults) return { kind: 'none' }
    const kind = swarm.kinds[Math.floor(net() * swarm.kinds.length)]!
    if (kind === 'cut') return { kind, share: write && net() < 0.2 ? 0 : net() }
    if (kind === 'status') {
      const status = [429, 500, 502, 503, 404][Math.floor(net() * 5)]!
      return {
        kind,
        status,
        ...(net() < 0.5 ? { retryAfter: '1' } : {}),
        // To a write a bare 404 is the service's own word.
        ...(write && status === 404 && { contentType: 'text/html' }),
      }
    }
    return { kind } as Fault
  }
  scheduler.onStep = () => {
    if (healing || death() >= swarm.kill) return
    const all = living()
    const victim = all[Math.floor(death() * all.length)]
    if (victim !== undefined) kill(victim)
  }

  function plan({ device, does }: { device: Device; does: (user: User, tab: UserTab) => Promise<void> }): () => void {
    return () => {
      const apps = appsOf(device)
      const app = apps[Math.floor(deed() * apps.length)]
      if (app === undefined || device.user === null) return
      if (app.engine.status.current.phase === 'needs-auth') void app.engine.resume().catch(() => undefined)
      does(device.user, app).catch((error: unknown) => {
        if (app.alive) fail('write', `the app met ${String(error)}`)
      })
    }
  }

  async function replace(device: Device, app: UserTab): Promise<void> {
    device.user!.replaced = true
    note(`device ${device.at} starts anew`)
    const { device: uuid } = await app.store.device.identity()
    // The service says once that it does not know a device (R14): where that answer is lost, the device never learns.
    const calm = swarm.faults + swarm.kill + writes!.deadly + writes!.offline === 0
    if (!calm || deed() < 0.5) await app.engine.restart().catch(() => undefined)
    else await server.store.forget({ account: 'acme', user: 'ann', device: uuid })
  }

  try {
    for (const device of devices) for (let at = 0; at < swarm.tabs; at++) spawn(device)
    if (writes !== null) {
      for (const device of devices) {
        const write = plan({ device, does: (user, app) => user.write(app) })
        chaos(writes.edits / writes.burst, deed, () => {
          for (let at = 0; at < writes.burst; at++) scheduler.after(deed() * 50, write)
        })
        chaos(writes.offline, deed, () => {
          device.offline = true
          note(`device ${device.at} is offline`)
          scheduler.after(deed() * 15_000, () => {
            device.offline = false
            for (const { engine } of appsOf(device)) engine.pageEvent('online')
          })
        })
        chaos(writes.actions, deed, plan({ device, does: (user, app) => user.act(app) }))
        chaos(writes.restarts, deed, plan({ device, does: (_, app) => replace(device, app) }))
      }
      chaos(writes.expiries, deed, () => {
        token++
        note('tokens end')
      })
    }
    await scheduler.run(() => scheduler.now >= CHAOS_MS, CHAOS_MS)
    healing = true
    note('heal')
    for (const device of devices) if (living(device).length === 0) spawn(device)
    if (writes !== null) await empty()
    for (const device of devices) {
      for (const tab of living(device)) {
        const { store, engine } = await drive(tab.process.ready)
        // The acks of this sync may still be under way, so the last word is a start that finds nothing.
        await drive(engine.now(HEAL_MS))
        await compare(store)
      }
      const { store } = await drive(living(device)[0]!.process.ready)
      await drive(waitFor(() => store.counts().pages === 0))
      for (const tab of living(device)) {
        const { store: one } = await drive(tab.process.ready)
        await drive(one.follow())
        await compare(one)
        await compareHandles(device, one)
        // A session that began meanwhile may have some; it must get rid of them.
        while ((await drive(one.pendingAcks())).length > 0) await drive(clock.sleep(100))
      }
      await drive(Promise.all(living(device).map(async ({ process }) => (await process.ready).engine.close())))
    }
  } catch (error) {
    fail('stuck', `not quiescent: ${error instanceof Error ? `${error.name} ${error.message}` : String(error)}`)
  } finally {
    uninstall()
  }
  return {
    seed,
    violation,
    kind: kindOf,
    hash: scheduler.hash,
    steps: scheduler.steps,
    virtualMs: scheduler.now,
    kills,
    requests,
    lanes,
    writes:
      writes === null
        ? null
        : {
            ...sum(devices.map(({ ledger }) => ledger.counts)),
            devices: devices.length,
            effects: server.counts.effects,
            replays: server.counts.replays,
          },
    trace,
  }

  /** Syncs and mends until no device has an edit left. */
  async function empty(): Promise<void> {
    for (let round = 0; round < 30; round++) {
      for (const device of devices) {
        const tab = living(device)[0]!
        const { engine } = await drive(tab.process.ready)
        await drive(engine.resume())
        // An answer to a token of before may still be under way.
        await drive(engine.now(HEAL_MS)).catch((error: unknown) => {
          if (toPlain(error).code !== 'unauthorized') throw error
        })
        await drive(device.user!.tidy(tab.app!))
        await drive(clock.sleep(2_000))
      }
      if (devices.every(({ ledger }) => ledger.edits().length === 0)) return
    }
    const left = devices.flatMap(({ ledger }) => ledger.edits())
    throw new Error(
      `edits are left: ${left.map(({ id, op, state, problem }) => `${id} ${op} ${state} ${problem?.code ?? ''}`).join(', ')}`,
    )
  }

  async function waitFor(done: () => boolean): Promise<void> {
    while (!done()) await clock.sleep(100)
  }

  /** Runs the world until this promise settles, or the heal phase is over. */
  async function drive<T>(promise: Promise<T>): Promise<T> {
    let settled = false
    const mark = (): void => {
      settled = true
    }
    promise.then(mark, mark)
    await scheduler.run(() => settled, CHAOS_MS + HEAL_MS)
    if (!settled) throw new Error('nothing more happens, or time is up')
    return promise
  }

  async function compare(store: Store): Promise<void> {
    for (const type of Object.keys(schema.collections)) await compareAll(store, type)
    const spec = store.specOf('thing')
    const all = await drive(store.find(compileQuery({ collection: 'thing', where: {} }, spec)))
    for (const group of [null, 0, 1, 2, 3]) {
      const byIndex = await drive(store.find(compileQuery({ collection: 'thing', where: { group } }, spec)))
      const byScan = all.filter(({ row }) => (row['group'] ?? null) === group)
      if (byIndex.map(({ id }) => id).join() !== byScan.map(({ id }) => id).join())
        diverges(`group ${String(group)} differs between index and scan`)
    }
  }

  async function compareAll(store: Store, type: string): Promise<void> {
    const { objects } = await server.store.list('acme', ['everyone'], type, { page: 1, perPage: 100_000 })
    const want = new Map<string, string>()
    const unfit = new Set<string>()
    for (const { id, data } of objects) {
      if (data === null) continue
      if (typeof data['name'] === 'string') want.set(canonicalId(id)!, JSON.stringify(data))
      else unfit.add(canonicalId(id)!)
    }
    const all = await drive(store.find(compileQuery({ collection: type, where: {} }, store.specOf(type))))
    const states = new Map(all.map(({ id }) => [id, store.stateOf(type, id)]))
    const have = new Map(
      all
        .filter(({ id }) => states.get(id) !== 'stale' && !unfit.has(id))
        .map(({ id, row }) => [id, JSON.stringify(row)]),
    )
    for (const [id, text] of want)
      if (have.get(id) !== text) diverges(`${type} ${id} is ${have.get(id) ?? 'missing'} and should be ${text}`)
    for (const id of have.keys()) if (!want.has(id)) diverges(`${type} ${id} should not be here`)
    const stale = all.length - have.size
    if (stale > unfit.size) diverges(`${stale} rows are stale, ${unfit.size} are quarantined`)
    for (const [id, state] of states)
      if (state === 'pending' || state === 'failed') diverges(`${type} ${id} is ${state} and there is no edit`)
  }

  /** Records are found under the keys the app made, for ever (R18). */
  async function compareHandles(device: Device, store: Store): Promise<void> {
    for (const { type, key, tag } of device.user?.handles ?? []) {
      const made = server.made(tag)
      const data = made === undefined ? null : (server.versions(made.type, made.id).at(-1)?.data ?? null)
      // A key of one's own that was taken back may be another device's record by now.
      if (made === undefined && server.versions(type, String(key)).length > 0) continue
      const [row] = await drive(store.get(type, [key]))
      if (data !== null && typeof data['name'] !== 'string') continue
      if (JSON.stringify(row ?? null) !== JSON.stringify(data))
        fail(
          'alias',
          `device ${device.at}: ${type} ${key} is ${JSON.stringify(row)} and should be ${JSON.stringify(data)}`,
        )
    }
  }
}

function isWrite(url: string, method: string): boolean {
  return method !== 'GET' && !url.includes('/sync/')
}

function sum(all: readonly Ledger['counts'][]): Ledger['counts'] {
  const total = { ...all[0]! }
  for (const counts of all.slice(1))
    for (const key of Object.keys(total) as Array<keyof typeof total>) total[key] += counts[key]
  return total
}
