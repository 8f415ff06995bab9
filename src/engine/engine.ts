/**
 * The engine of one tab: follows the database always, leads when the lock is ours. This file only wires;
 * no DOM, no Dexie, no Comlink: everything variable is a dependency, so the whole engine runs in the simulation.
 */
import type { Clock, Random } from '../clock.ts'
import { toPlain } from '../errors.ts'
import type { Log } from '../log.ts'
import { readCapabilities, type Capabilities } from '../protocol/capabilities.ts'
import type { Lease, SessionFacts, Store } from '../store/store.ts'
import { oneAtATime } from '../waiting.ts'
import type { Channel, Hint } from './channel.ts'
import { createStatusBoard, type StatusBoard, type StorageInfo } from './facts.ts'
import { holdLeadership, type Locks } from './leader.ts'
import { createLeaderLoop } from './loop.ts'
import { createProgress, type ProgressMeter } from './progress.ts'
import { createProof } from './proof.ts'
import { createRateLimit } from './rate.ts'
import { createMeeting } from './run.ts'
import { DEFAULT_CEILING, type Ceiling } from './settle.ts'
import type { Progress } from './status.ts'
import { createEndpoint, type Http, type Timeouts, type TokenReason } from './transport.ts'
import { createWake } from './wake.ts'

export interface EngineOptions {
  readonly endpoint: string
  readonly lockName: string
  /** Requests a second; null: what the server says, or 8 (R12). */
  readonly rate: number | null
  readonly capabilities: Partial<Capabilities>
  readonly poll: number
  readonly timeouts: Partial<Timeouts>
  readonly ceiling: Partial<Ceiling>
}

export interface EngineDeps {
  readonly store: Store
  readonly http: Http
  readonly token: (reason: TokenReason, signal: AbortSignal) => Promise<string>
  readonly locks: Locks
  readonly channel: Channel
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly storageInfo: () => Promise<StorageInfo>
}

export interface Engine {
  readonly status: Pick<StatusBoard, 'current' | 'subscribe'>
  /** @throws SyncError `timeout`, `aborted`, `paused`, `closed`, or what stopped the engine. */
  now(timeoutMs: number, signal?: AbortSignal): Promise<void>
  pause(): Promise<void>
  resume(): Promise<void>
  /** Wipes and downloads anew, under a new device UUID. */
  restart(): Promise<void>
  /** What the page learns about itself: only decides when to try. */
  pageEvent(event: 'visible' | 'hidden' | 'online' | 'offline'): void
  close(): Promise<void>
}

const DEFAULT_TIMEOUTS: Timeouts = { headers: 30_000, total: 120_000 }
/** What the vendor allows is 10 (RATE-1). */
const UNKNOWN_SERVER_RATE = 8
const FOLLOW_MS = 5_000
const FIRST_COUNT_MS = 1_000
/** Pages not yet stored are shown at most so often. */
const SHOW_MS = 100

export function createEngine(deps: EngineDeps, options: EngineOptions): Engine {
  const { store, clock, random, log, channel, locks } = deps
  const board = createStatusBoard(store, deps.storageInfo)
  const wake = createWake(clock)
  const life = new AbortController()
  const rate = createRateLimit(clock, options.rate ?? options.capabilities.rate ?? UNKNOWN_SERVER_RATE)
  const proof = createProof({
    store,
    clock,
    board,
    life: life.signal,
    ask: () => {
      wake.ring()
      if (lease === null) tell('wake')
    },
  })
  let lease: Lease | null = null
  let online = true
  let visible = true
  let progress: ProgressMeter | null = null
  /** Of one session: what the server last announced; one until it has (R13). */
  let lanes = options.capabilities.lanes ?? 1

  const endpoint = createEndpoint({
    http: deps.http,
    clock,
    endpoint: options.endpoint,
    token: deps.token,
    life: life.signal,
    rate,
    timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
  })

  /** What the server announced, unless the app said otherwise (R12, R13). */
  function heed(capabilities: Capabilities | null): void {
    if (options.rate === null && options.capabilities.rate === undefined && capabilities?.rate !== undefined)
      rate.set(capabilities.rate)
    lanes = options.capabilities.lanes ?? capabilities?.lanes ?? 1
  }

  const loop = createLeaderLoop({
    store,
    clock,
    random,
    log,
    board,
    wake,
    ceiling: { ...DEFAULT_CEILING, ...options.ceiling },
    poll: options.poll,
    online: () => online,
    forLease: (held) => {
      progress = createProgress(clock)
      return {
        transport: endpoint.as(held.device),
        progress,
        meet: createMeeting(
          store,
          held,
          () => wipe(held),
          ({ capabilities }) => heed(capabilities),
        ),
      }
    },
    onSession: (session) => board.setFacts({ sessionId: session?.id ?? null }),
    onAcks: (sender) => {
      acks = () => sender.pending
    },
    lanes: () => lanes,
    // The commit that follows every page shows the rest.
    onProgress: () => {
      if (board.phase.phase !== 'draining' || clock.monotonic() - shown >= SHOW_MS) showDrain()
    },
    onCommit: () => {
      showDrain()
      tell('log')
    },
    onRunEnd: () => {
      tell('sync')
      proof.look()
    },
    onSettled: () => tell('log'),
  })
  let acks = (): number => 0
  let shown = 0
  function showDrain(): void {
    shown = clock.monotonic()
    const drains = progress !== null && (board.phase.phase === 'connecting' || board.phase.phase === 'draining')
    board.show({ pendingAcks: acks() }, drains ? { phase: 'draining', progress: progress!.snapshot() } : board.phase)
  }

  async function wipe(held: Lease): Promise<void> {
    const next = await store.wipe(held)
    if (lease !== null) lease = next
    tell('control')
    await board.refresh()
    await board.recount()
  }

  let watched: { readonly id: string; readonly meter: ProgressMeter } | null = null
  /** A follower measures what it sees of the leader's drain, by the same rules. */
  function progressOf({ id, done, estimate }: SessionFacts): Progress {
    if (watched?.id !== id) watched = { id, meter: createProgress(clock, done) }
    const { meter } = watched
    meter.page(done - meter.snapshot().done, estimate === null ? null : Math.max(0, estimate - done))
    return meter.snapshot()
  }

  /** A follower's phase is what the database says the leader is doing. */
  async function lookAround(): Promise<void> {
    await store.follow()
    await board.refresh()
    proof.look()
    const [sync, session] = [await store.device.sync(), await store.device.session()]
    // Asked last: this tab may have become the leader meanwhile, and a leader says its phase itself.
    if (lease !== null || board.phase.phase === 'stopped' || board.phase.phase === 'storage-problem') return
    if (sync.paused) board.setPhase({ phase: 'paused' })
    else if (session !== null) board.setPhase({ phase: 'draining', progress: progressOf(session) })
    else if (sync.lastSyncedAt === null) board.setPhase({ phase: 'connecting' })
    else board.setPhase({ phase: store.counts().pages > 0 ? 'settling' : 'idle' })
  }

  const looking = oneAtATime(async () => {
    if (!life.signal.aborted)
      await lookAround().catch((error: unknown) => log('info', 'follow.failed', { code: toPlain(error).code }))
  })
  /** The leader knows; whoever follows reads what it did. */
  function look(): void {
    if (lease === null) void looking.run()
  }

  const tell = (kind: Hint['kind']): void => channel.post({ kind })

  channel.onHint(({ kind }) => {
    if (life.signal.aborted) return
    if (kind === 'wake') wake.ring()
    else if (kind === 'control' && lease !== null) {
      takeOrders()
      // Also a leader that writes nothing for now must see that its data was replaced (R23).
      void store.follow().catch(() => undefined)
    } else look()
  })

  /** Somebody paused, resumed or wiped, in this tab or another: what stopped this leader may be mended. */
  function takeOrders(): void {
    endpoint.forgetToken()
    loop.unblock()
    loop.interrupt()
  }

  /** What a person just mended is not said any more. */
  function forgetTrouble(): void {
    if (['paused', 'needs-auth', 'stopped', 'storage-problem'].includes(board.phase.phase))
      board.setPhase({ phase: 'connecting' })
  }

  const stopStore = store.subscribe((event) => {
    if (event.kind === 'closed') {
      board.setPhase({ phase: 'stopped', error: toPlain(event.error) })
      life.abort()
    }
    if (event.kind === 'reset')
      void board
        .refresh()
        .then(board.recount)
        .catch(() => undefined)
  })

  async function followForever(): Promise<void> {
    while (!life.signal.aborted) {
      await clock.sleep(FOLLOW_MS, life.signal)
      if (visible) look()
    }
  }

  const leading = holdLeadership(
    {
      store,
      locks,
      lockName: options.lockName,
      clock,
      onTrouble: (error) => board.setPhase({ phase: 'storage-problem', error }),
    },
    life.signal,
    async (held, signal) => {
      lease = held
      board.setFacts({ role: 'leader' })
      try {
        // A session left over is drained without a start that would announce it again.
        const known = await store.device.sync().catch(() => null)
        heed(readCapabilities(known?.capabilities ?? null))
        return await loop.lead(held, signal)
      } finally {
        lease = null
        board.setFacts({ role: 'follower' })
      }
    },
  ).catch((error: unknown) => {
    if (!life.signal.aborted) board.setPhase({ phase: 'stopped', error: toPlain(error) })
  })
  const following = followForever().catch(() => undefined)
  void board.refreshStorage().catch(() => undefined)
  // Counting is slow on large tables; the app's first queries go first.
  void clock
    .sleep(FIRST_COUNT_MS, life.signal)
    .then(board.recount)
    .catch(() => undefined)
  look()

  return {
    status: board,
    now: proof.now,
    async pause() {
      await store.device.setPaused(true)
      loop.interrupt()
      tell('control')
      look()
    },
    async resume() {
      await store.device.setPaused(false)
      forgetTrouble()
      takeOrders()
      tell('control')
      look()
    },
    async restart() {
      // A follower may do it too: the epoch it takes fences the leader, which then leads on with the new data.
      const held = lease ?? (await store.device.takeEpoch())
      await wipe(held)
      forgetTrouble()
      takeOrders()
    },
    pageEvent(event) {
      if (event === 'online' || event === 'offline') online = event === 'online'
      else visible = event === 'visible'
      if (event === 'visible') look()
      if (event === 'online' || event === 'visible') wake.ring()
    },
    async close() {
      life.abort()
      wake.ring()
      await Promise.all([leading, following])
      stopStore()
      board.setPhase({ phase: 'closed' })
      channel.close()
      store.close()
    },
  }
}
