/**
 * What runs on the page: starts a contestant, asks it, takes times, and answers the runner with plain data.
 * The contestant's code is loaded by `open`, so that loading and parsing count for everybody alike.
 */
import type { Row } from '../data.ts'
import { timeCalls, type Client } from './client.ts'
import type { Ask, Contender, Setup } from './contestant.ts'
import { watchThread, type ThreadReport } from './thread.ts'
import { probeWrites, type WriteProbe, type WriteTimes } from './writes.ts'

/** Milliseconds since 1970, with fractions; comparable with the server's. */
const now = (): number => performance.timeOrigin + performance.now()

export interface Timed<T> {
  readonly ms: number
  readonly value: T
}

export interface Cold {
  readonly openMs: number
  /** From before the contestant's code was loaded until the first record, and until the first indexed query. */
  readonly rowMs: number
  readonly queryMs: number
  readonly row: Row | undefined
  readonly rows: readonly Row[]
}

type Calls = ReadonlyArray<readonly [Ask, readonly unknown[]]>

export interface Probe {
  readonly ask: Ask
  readonly ms: number
}

/** The harness as the runner finds it on `window`. */
export interface Bench {
  watch(): void
  threadReport(): ThreadReport
  /** Milliseconds until storage is open. */
  open(setup: Setup): Promise<number>
  /** When the contestant had everything, in milliseconds since 1970. */
  sync(): Promise<Timed<number>>
  /** Resolves when the contestant has visibly begun to settle; at once if it never does. */
  settling(): Promise<void>
  /** When settling was done; null for contestants that do not settle. */
  settled(): Promise<number | null>
  ask(ask: Ask, args: readonly unknown[]): Promise<Timed<unknown>>
  askMany(ask: Ask, calls: ReadonlyArray<readonly unknown[]>): Promise<readonly number[]>
  askInside(ask: Ask, calls: ReadonlyArray<readonly unknown[]>): Promise<readonly number[]>
  cold(setup: Setup, id: number, group: Row[string]): Promise<Cold>
  live(group: Row[string], limit: number | null): Promise<void>
  /** Syncs; resolves with the time at which a live query showed record `id` with this stamp. */
  syncUntilSeen(id: number, stamp: number): Promise<number>
  /** Asks in turn, again and again, from now until `stopProbes`. */
  startProbes(calls: Calls): void
  /** The same, from the moment the contestant is open. */
  startProbesOnceOpen(calls: Calls): Promise<void>
  /** Asks each of them so many times. */
  probe(calls: Calls, rounds: number): Promise<readonly Probe[]>
  stopProbes(): Promise<readonly Probe[]>
  /** Writes record `id` and a raw row, in turn, from the moment the contestant has that record until `stopWrites`. */
  startWrites(row: Row, gapMs: number): Promise<void>
  stopWrites(): Promise<readonly WriteTimes[]>
  writes(row: Row, gapMs: number, rounds: number): Promise<readonly WriteTimes[]>
  /** Milliseconds from the call until a live query shows the write. */
  writeUntilSeen(id: number, stamp: number): Promise<number>
  close(): Promise<void>
}

declare global {
  interface Window {
    bench: Bench
  }
}

let setup: Setup
let client: Client
let opened: () => void
const isOpen = new Promise<void>((resolve) => {
  opened = resolve
})
let thread: ReturnType<typeof watchThread> | undefined
let waiting: { id: number; stamp: number; resolve: (at: number) => void } | undefined
let writing: WriteProbe | undefined
let probing: { stop: boolean; done: Promise<readonly Probe[]> } | undefined

async function time<T>(work: () => Promise<T>): Promise<Timed<T>> {
  const start = performance.now()
  const value = await work()
  return { ms: performance.now() - start, value }
}

async function open(given: Setup): Promise<void> {
  setup = given
  const { connect } = await import('virtual:client')
  client = connect()
  await client.contestant.open(setup)
  opened()
}

function run(ask: Ask, args: readonly unknown[]): Promise<unknown> {
  const method = client.contestant[ask] as NonNullable<Contender[Ask]>
  return (method as (...args: readonly unknown[]) => Promise<unknown>)(...args)
}

function seen(rows: readonly Row[]): void {
  if (waiting === undefined) return
  const { id, stamp, resolve } = waiting
  if (rows.find((row) => row['id'] === id)?.[setup.shape.stamp] === stamp) resolve(now())
}

async function probe(
  calls: Calls,
  until: { stop: boolean },
  rounds = Number.POSITIVE_INFINITY,
): Promise<readonly Probe[]> {
  const probes: Probe[] = []
  for (let round = 0; round < rounds && !until.stop; round++)
    for (const [ask, args] of calls) {
      probes.push({ ask, ms: (await time(() => run(ask, args))).ms })
      // As an app would: not in one breath, so that what is measured is waiting, not a queue of questions.
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  return probes
}

const idOf = (row: Row): number => row['id'] as number

function write(id: number, stamp: number): Promise<void> {
  return (client.contestant.write as NonNullable<Contender['write']>)(id, stamp)
}

async function untilThere(id: number): Promise<void> {
  await isOpen
  while ((await run('get', [id])) === undefined) await new Promise((resolve) => setTimeout(resolve, 5))
}

function startProbes(calls: Calls): void {
  const until = { stop: false, done: Promise.resolve<readonly Probe[]>([]) }
  until.done = probe(calls, until)
  probing = until
}

window.bench = {
  watch() {
    thread = watchThread()
  },
  threadReport: () => (thread as NonNullable<typeof thread>).report(),
  open: async (given) => (await time(() => open(given))).ms,
  async sync() {
    const { ms } = await time(() => client.contestant.sync())
    return { ms, value: now() }
  },
  settling: async () => client.contestant.settling?.(),
  async settled() {
    if (client.contestant.settled === undefined) return null
    await client.contestant.settled()
    return now()
  },
  ask: (ask, args) => time(() => run(ask, args)),
  askMany: (ask, calls) => timeCalls(client.contestant, ask, calls),
  askInside: (ask, calls) => client.timeInside(ask, calls),
  async cold(given, id, group) {
    const start = performance.now()
    await open(given)
    const openMs = performance.now() - start
    const row = (await run('get', [id])) as Row | undefined
    const rowMs = performance.now() - start
    const rows = (await run('byGroup', [group, 50])) as readonly Row[]
    return { openMs, rowMs, queryMs: performance.now() - start, row, rows }
  },
  live: async (group, limit) => client.contestant.live?.(group, limit, seen),
  async syncUntilSeen(id, stamp) {
    const shown = new Promise<number>((resolve) => {
      waiting = { id, stamp, resolve }
    })
    await client.contestant.sync()
    const at = await shown
    waiting = undefined
    return at
  },
  startProbes,
  startProbesOnceOpen: (calls) => isOpen.then(() => startProbes(calls)),
  probe: (calls, rounds) => probe(calls, { stop: false }, rounds),
  async stopProbes() {
    if (probing === undefined) return []
    probing.stop = true
    return probing.done
  },
  async startWrites(row, gapMs) {
    await untilThere(idOf(row))
    writing = probeWrites((stamp) => write(idOf(row), stamp), row, gapMs)
  },
  stopWrites: async () => (await writing?.stop()) ?? [],
  writes: (row, gapMs, rounds) => probeWrites((stamp) => write(idOf(row), stamp), row, gapMs, rounds).done,
  async writeUntilSeen(id, stamp) {
    const start = now()
    const shown = new Promise<number>((resolve) => {
      waiting = { id, stamp, resolve }
    })
    await write(id, stamp)
    const at = await shown
    waiting = undefined
    return at - start
  },
  close: async () => client.contestant.close?.(),
}
