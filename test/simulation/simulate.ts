/**
 * One schedule: the real engine over the real store (Dexie on fake-indexeddb) against the real service, under
 * virtual time, with faults and kills drawn by a seed. First chaos, then a heal phase with a deadline (L1),
 * then the device's tables are compared with the server's, field by field (I2), through the index and by scan.
 */
import type { Clock } from '../../src/clock.ts'
import { canonicalId } from '../../src/keys.ts'
import { compileQuery } from '../../src/query.ts'
import { collection, defineSchema } from '../../src/schema.ts'
import type { Http } from '../../src/engine/transport.ts'
import type { Fault } from '../support/network.ts'
import { createNetwork } from '../support/network.ts'
import { createMachine, startProcess, type Process } from '../support/device.ts'
import { createScheduler, seeded, seededRandom, virtualClock } from '../support/virtual-time.ts'
import { createExchange } from '../../src/service/exchange.ts'
import { createMemoryStore } from '../../src/service/memory.ts'

export interface Thing {
  readonly id: number
  readonly name: string
  readonly group: number | null
}

const check = (value: unknown): { issues?: Array<{ message: string }> } =>
  typeof (value as Thing).name === 'string' ? {} : { issues: [{ message: 'name must be text' }] }

const schema = defineSchema({
  version: 1,
  collections: {
    thing: collection<Thing>({
      indexes: ['group'],
      validate: { '~standard': { version: 1, vendor: 'test', validate: check } },
    }),
  },
})

export interface Outcome {
  readonly seed: number
  /** Null: every invariant held. */
  readonly violation: string | null
  readonly hash: string
  readonly steps: number
  readonly virtualMs: number
  readonly kills: number
  readonly requests: number
  /** The most GETs of one tab under way at once. */
  readonly lanes: number
  readonly trace: readonly string[]
}

interface Swarm {
  readonly faults: number
  readonly kinds: ReadonlyArray<Fault['kind']>
  readonly kill: number
  readonly tabs: number
  readonly pageSize: number
  readonly things: number
  readonly writes: number
  readonly ackDelayMs: number
  readonly maxDelayMs: number
  readonly ceiling: number
  /** GETs of one session side by side, at most; the service announces four. */
  readonly lanes: number
  /** Whether memory may answer alone. */
  readonly memory: boolean
  /** Milliseconds between the reads of each tab; 0: none. While there are reads, rows are settled in parts. */
  readonly readEveryMs: number
}

const CHAOS_MS = 60_000
const HEAL_MS = 600_000

function draw(random: () => number): Swarm {
  const pick = <T>(...of: readonly T[]): T => of[Math.floor(random() * of.length)]!
  const kinds = (['lost-request', 'lost-answer', 'cut', 'status'] as const).filter(() => random() < 0.6)
  const swarm = {
    faults: kinds.length === 0 ? 0 : pick(0, 0.05, 0.2, 0.4),
    kinds,
    kill: pick(0, 0, 0.001, 0.004, 0.01),
    tabs: pick(1, 1, 2, 3),
    pageSize: pick(1, 3, 10, 50),
    things: pick(0, 5, 20, 60),
    writes: pick(0, 5, 30),
    ackDelayMs: pick(0, 0, 500, 20_000),
    maxDelayMs: pick(1, 20, 400, 5_000),
    ceiling: pick(5, 40, 100_000),
    lanes: pick(1, 4),
    memory: pick(true, false),
    readEveryMs: pick(0, 0, 60, 500),
  }
  if (swarm.lanes === 1) return swarm
  // Lanes open when there is something to gain: many pages on a slow line.
  return { ...swarm, pageSize: pick(1, 2, 3), things: pick(30, 60, 120), maxDelayMs: pick(60, 400, 2_000) }
}

export async function simulate(seed: number): Promise<Outcome> {
  const stream = (n: number): (() => number) => seeded(seed * 1_000 + n)
  const swarm = draw(stream(0))
  const [net, work, death, ids] = [stream(2), stream(3), stream(4), stream(5)]
  const scheduler = createScheduler(stream(1))
  const uninstall = scheduler.install()
  const trace: string[] = [JSON.stringify(swarm)]
  const note = (event: string): void => {
    scheduler.note(event)
    trace.push(`${String(scheduler.now).padStart(7)} ${event}`)
  }
  const clock = virtualClock(scheduler)
  let healing = false
  let kills = 0
  let requests = 0
  let lanes = 0
  let violation: string | null = null
  const fail = (what: string): void => {
    violation ??= what
    note(`VIOLATION ${what}`)
  }

  const service = createMemoryStore({ epoch: 'one', uuid: seededRandom(ids).uuid, now: () => clock.now() })
  const exchange = createExchange({
    store: service,
    authorize: () => ({ account: 'acme', user: 'ann', scopes: ['sync', 'read', 'write'] }),
    pageSize: swarm.pageSize,
    ackDelayMs: swarm.ackDelayMs,
    now: () => clock.now(),
    uuid: seededRandom(ids).uuid,
    background: (task, delayMs) => scheduler.after(delayMs, () => void task()),
  })
  const thing = (id: number): Record<string, unknown> => ({
    id,
    name: work() < 0.05 ? id : `thing ${Math.floor(work() * 1000)}`,
    group: work() < 0.2 ? null : Math.floor(work() * 4),
  })
  const record = (id: number): { type: string; data: Record<string, unknown> } => ({
    type: work() < 0.1 ? 'other' : 'thing',
    data: thing(id),
  })
  await service.importRecords(
    'acme',
    Array.from({ length: swarm.things }, (_, at) => record(at + 1)),
  )

  async function serverWrite(): Promise<void> {
    const id = String(1 + Math.floor(work() * (swarm.things + 5)))
    const writer = { account: 'acme', user: 'bob' }
    const lot = work()
    if (lot < 0.3) await service.write(writer, { kind: 'create', type: 'thing', id, data: thing(Number(id)) })
    else if (lot < 0.8)
      await service.write(writer, {
        kind: 'update',
        type: 'thing',
        id,
        patch: { name: work() < 0.05 ? 7 : `again ${Math.floor(work() * 1000)}` },
      })
    else await service.write(writer, { kind: 'delete', type: 'thing', id })
    note(`server write ${id}`)
  }
  for (let at = 0; at < swarm.writes; at++) scheduler.after(work() * CHAOS_MS, () => void serverWrite())

  const machine = createMachine()
  interface Tab {
    process: Process
    alive: boolean
  }
  const tabs: Tab[] = []
  function spawn(): void {
    const tab: Tab = { process: undefined as unknown as Process, alive: true }
    const tabClock = virtualClock(scheduler, () => tab.alive)
    const network = createNetwork({
      exchange,
      clock: tabClock,
      alive: () => tab.alive,
      delayMs: () => net() * (healing ? Math.min(50, swarm.maxDelayMs) : swarm.maxDelayMs),
      fault: ({ method, url }) => {
        requests++
        const fault = drawFault()
        note(`${method} ${url.slice(url.lastIndexOf('/'))} ${fault.kind}`)
        return fault
      },
    })
    let gets = 0
    const http: Http = async (request) => {
      if (request.method !== 'GET') return network.http(request)
      gets++
      lanes = Math.max(lanes, gets)
      return network.http(request).finally(() => gets--)
    }
    tab.process = startProcess({
      machine,
      schema,
      http,
      clock: tabClock,
      random: seededRandom(ids),
      fromMemory: swarm.memory,
      options: { ceiling: { records: swarm.ceiling }, rate: 0, capabilities: swarm.lanes === 1 ? { lanes: 1 } : {} },
    })
    tab.process.ready.catch((error: unknown) => {
      if (tab.alive) fail(`a tab could not open: ${String(error)}`)
    })
    if (swarm.readEveryMs > 0) void readOn(tab, tabClock).catch(() => undefined)
    tabs.push(tab)
    note('tab opened')
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
          fail(`a tab showed thing ${id} in revision ${before.rev}${before.gone ? ', then not,' : ''} then in ${rev}`)
      }
      for (const [id, rev] of rows) shown.set(id, { rev, gone: false })
      await tabClock.sleep(swarm.readEveryMs)
    }
  }
  function drawFault(): Fault {
    if (healing || net() >= swarm.faults) return { kind: 'none' }
    const kind = swarm.kinds[Math.floor(net() * swarm.kinds.length)]!
    if (kind === 'cut') return { kind, share: net() }
    if (kind === 'status')
      return {
        kind,
        status: [429, 500, 502, 503, 404][Math.floor(net() * 5)]!,
        ...(net() < 0.5 ? { retryAfter: '1' } : {}),
      }
    return { kind } as Fault
  }
  scheduler.onStep = () => {
    if (healing || death() >= swarm.kill) return
    const living = tabs.filter(({ alive }) => alive)
    const victim = living[Math.floor(death() * living.length)]
    if (victim === undefined) return
    kills++
    note('kill')
    victim.alive = false
    victim.process.kill()
    scheduler.after(death() * 3_000, () => {
      if (!healing) spawn()
    })
  }

  try {
    for (let at = 0; at < swarm.tabs; at++) spawn()
    await scheduler.run(() => scheduler.now >= CHAOS_MS, CHAOS_MS)
    healing = true
    note('heal')
    if (!tabs.some(({ alive }) => alive)) spawn()
    const living = tabs.filter(({ alive }) => alive)

    for (const tab of living) {
      const { store, engine } = await drive(tab.process.ready)
      // The acks of this sync may still be under way, so the last word is a start that finds nothing.
      await drive(engine.now(HEAL_MS))
      await compare(store)
    }
    const { store } = await drive(living[0]!.process.ready)
    await drive(waitFor(() => store.counts().pages === 0))
    for (const tab of living) {
      const { store: one } = await drive(tab.process.ready)
      await drive(one.follow())
      await compare(one)
      if ((await drive(one.pendingAcks())).length > 0) fail('ack keys are left over after a clean sync')
    }
    await drive(Promise.all(living.map(async ({ process }) => (await process.ready).engine.close())))
  } catch (error) {
    fail(`not quiescent: ${error instanceof Error ? `${error.name} ${error.message}` : String(error)}`)
  } finally {
    uninstall()
  }
  return {
    seed,
    violation,
    hash: scheduler.hash,
    steps: scheduler.steps,
    virtualMs: scheduler.now,
    kills,
    requests,
    lanes,
    trace,
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

  async function compare(store: Awaited<Process['ready']>['store']): Promise<void> {
    const { objects } = await service.list('acme', ['everyone'], 'thing', { page: 1, perPage: 100_000 })
    const spec = store.specOf('thing')
    const want = new Map<string, string>()
    let quarantined = 0
    for (const { id, data } of objects) {
      if (data === null) continue
      if (typeof data['name'] === 'string') want.set(canonicalId(id)!, JSON.stringify(data))
      else quarantined++
    }
    const all = await drive(store.find(compileQuery({ collection: 'thing', where: {} }, spec)))
    const stale = all.filter(({ id }) => store.stateOf('thing', id) === 'stale').length
    const have = new Map(
      all.filter(({ id }) => store.stateOf('thing', id) !== 'stale').map(({ id, row }) => [id, JSON.stringify(row)]),
    )
    for (const [id, text] of want)
      if (have.get(id) !== text) fail(`thing ${id} is ${have.get(id) ?? 'missing'} and should be ${text}`)
    for (const id of have.keys()) if (!want.has(id)) fail(`thing ${id} should not be here`)
    if (stale > quarantined) fail(`${stale} rows are stale, ${quarantined} are quarantined`)
    for (const group of [null, 0, 1, 2, 3]) {
      const byIndex = await drive(store.find(compileQuery({ collection: 'thing', where: { group } }, spec)))
      const byScan = all.filter(({ row }) => (row['group'] ?? null) === group)
      if (byIndex.map(({ id }) => id).join() !== byScan.map(({ id }) => id).join())
        fail(`group ${String(group)} differs between index and scan`)
    }
  }
}
