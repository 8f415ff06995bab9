/** What one schedule is made of, drawn by its seed: not every fault in every schedule. */
import type { Fault } from '../support/network.ts'

export interface Swarm {
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

/** What comes on top where devices write. */
export interface WriteSwarm {
  readonly devices: number
  readonly profile: 'tidegate' | 'vendor'
  readonly create: 'idempotency-key' | 'ask' | { readonly upsert: string }
  readonly conflict: 'client-wins' | 'server-wins' | 'function'
  /** Calls of the app on each device. */
  readonly edits: number
  /** What the user does about edits on each device. */
  readonly actions: number
  /** How many of them follow each other at once. */
  readonly burst: number
  /** How often each device is offline for a while. */
  readonly offline: number
  /** The share of values that the server refuses. */
  readonly refused: number
  /** The share of edits that go to a few records, so that devices meet. */
  readonly crowd: number
  /** The chance that a tab dies with a write request: when it leaves, when it has arrived, when it is answered. */
  readonly deadly: number
  /** Write requests that arrive without their sender, or twice. */
  readonly odd: number
  /** How often all tokens end. */
  readonly expiries: number
  /** How often a device's data is replaced: by its user, or because the server forgot the device. */
  readonly restarts: number
  /** Somebody else writes values that no device can show. */
  readonly invalid: number
}

type Draw = () => number

const picker =
  (random: Draw) =>
  <T>(...of: readonly T[]): T =>
    of[Math.floor(random() * of.length)]!

export function drawSwarm(random: Draw): Swarm {
  const pick = picker(random)
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

/** The world of a schedule with writes is smaller: what counts there happens between devices, not between pages. */
export function smaller(swarm: Swarm): Swarm {
  return {
    ...swarm,
    tabs: Math.min(2, swarm.tabs),
    things: Math.min(20, swarm.things),
    writes: Math.min(15, swarm.writes),
    pageSize: Math.max(3, swarm.pageSize),
    readEveryMs: swarm.readEveryMs * 20,
  }
}

/** Null: nobody writes here; half of all schedules. */
export function drawWrites(random: Draw): WriteSwarm | null {
  const pick = picker(random)
  if (random() < 0.5) return null
  const profile = pick('tidegate', 'tidegate', 'vendor')
  return {
    devices: pick(1, 1, 2, 2, 3),
    profile,
    create:
      profile === 'tidegate'
        ? pick<WriteSwarm['create']>('idempotency-key', 'idempotency-key', { upsert: 'ext' }, 'ask')
        : pick<WriteSwarm['create']>('ask', { upsert: 'ext' }),
    conflict: pick('client-wins', 'client-wins', 'server-wins', 'function'),
    edits: pick(3, 6, 12),
    burst: pick(1, 1, 3),
    offline: pick(0, 0, 1, 3),
    actions: pick(0, 4, 8),
    refused: pick(0, 0.1, 0.3),
    crowd: pick(0, 0.5, 0.9),
    deadly: pick(0, 0, 0.05, 0.2),
    odd: profile === 'tidegate' ? pick(0, 0.1, 0.3) : 0,
    expiries: pick(0, 0, 3, 10),
    restarts: profile === 'tidegate' ? pick(0, 0, 0, 1, 3) : 0,
    invalid: pick(0, 0, 0.1),
  }
}
