/**
 * The engine of one tab: follows the database always, leads when the lock is ours. This file only wires;
 * no DOM, no Dexie, no Comlink: everything variable is a dependency, so the whole engine runs in the simulation.
 */
import type { Clock, Random } from '../clock.ts'
import { toPlain, type PlainError } from '../errors.ts'
import type { Log } from '../log.ts'
import { readCapabilities, type Capabilities } from '../protocol/capabilities.ts'
import type { Lease, Store } from '../store/store.ts'
import type { Channel, Hint } from './channel.ts'
import { createStatusBoard, type StatusBoard, type StorageInfo } from './facts.ts'
import { createFollowing } from './follow.ts'
import { actAsOwner, holdLeadership, type Locks } from './leader.ts'
import { createLeaving, type IfUnsent } from './leave.ts'
import { createLeaderLoop } from './loop.ts'
import { createProgress, type ProgressMeter } from './progress.ts'
import { createProof } from './proof.ts'
import { createMeeting } from './run.ts'
import { createServerTerms } from './server-terms.ts'
import { DEFAULT_CEILING, type Ceiling } from './settle.ts'
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
  /** Called when this device has its data for the first time: from then on it is worth keeping. */
  readonly persist?: (() => void) | undefined
}

export type PageEvent = 'visible' | 'hidden' | 'online' | 'offline' | 'persisted'

export interface Engine {
  readonly status: Pick<StatusBoard, 'current' | 'subscribe'>
  /** @throws SyncError `timeout`, `aborted`, `paused`, `closed`, or what stopped the engine. */
  now(timeoutMs: number, signal?: AbortSignal): Promise<void>
  pause(): Promise<void>
  resume(): Promise<void>
  /** Wipes and downloads anew, under a new device UUID. */
  restart(): Promise<void>
  /** Edits were made or changed in this tab: they are sent soon, and other tabs look. */
  edited(): void
  /** Ends syncing in all tabs and removes the data (R28). @throws SyncError `unsent_edits` */
  logout(ifUnsent: IfUnsent): Promise<void>
  /** A sign-out took the database away: nothing is sent any more. */
  leave(): Promise<void>
  /** What the page learns about itself: only decides when to try. */
  pageEvent(event: PageEvent): void
  close(): Promise<void>
}

const DEFAULT_TIMEOUTS: Timeouts = { headers: 30_000, total: 120_000 }
const FIRST_COUNT_MS = 1_000
/** Pages not yet stored are shown at most so often. */
const SHOW_MS = 100
/** Usage and quota are asked for at most so often. */
const MEASURE_MS = 10_000

export function createEngine(deps: EngineDeps, options: EngineOptions): Engine {
  const { store, clock, random, log, channel, locks } = deps
  const board = createStatusBoard(store, deps.storageInfo)
  const wake = createWake(clock)
  const life = new AbortController()
  const server = createServerTerms(clock, options)
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
  /** This device has never had all of its data. */
  let fresh = false
  let measured = -Infinity

  const endpoint = createEndpoint({
    http: deps.http,
    clock,
    endpoint: options.endpoint,
    token: deps.token,
    life: life.signal,
    rate: server.rate,
    timeouts: { ...DEFAULT_TIMEOUTS, ...options.timeouts },
  })

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
          ({ capabilities }) => server.heed(capabilities),
        ),
      }
    },
    onSession: (session) => board.setFacts({ sessionId: session?.id ?? null }),
    onAcks: (sender) => {
      acks = () => sender.pending
    },
    lanes: server.lanes,
    // The commit that follows every page shows the rest.
    onProgress: () => {
      if (board.phase.phase !== 'draining' || clock.monotonic() - shown >= SHOW_MS) showDrain()
    },
    onCommit: () => {
      showDrain()
      measure()
      tell('log')
    },
    edits: { terms: server.writes, failed: new Set(), onPushed: () => tell('log') },
    onPush: () => {
      board.setPhase({ phase: 'connecting' })
      showRun()
    },
    onRunEnd: showRun,
    onSignedOut: () => void leaving.leave(),
    onSettled: () => tell('log'),
  })
  /** Sessions have ended, and may be a proof. */
  function showRun(): void {
    tell('sync')
    proof.look()
    measure()
    if (!fresh || board.current.lastSyncedAt === null) return
    fresh = false
    deps.persist?.()
  }
  function measure(wait = MEASURE_MS): void {
    if (clock.monotonic() < measured + wait) return
    measured = clock.monotonic()
    void board.refreshStorage().catch(() => undefined)
  }
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

  const { look, forever } = createFollowing({
    store,
    clock,
    log,
    board,
    life: life.signal,
    leads: () => lease !== null,
    onLook: () => {
      proof.look()
      measure()
    },
    onLost: lost,
    onSignedOut: () => void leaving.leave(),
  })

  const tell = (kind: Hint['kind']): void => channel.post({ kind })

  channel.onHint(({ kind }) => {
    if (leaving.left) return
    if (kind === 'left') return void leaving.check()
    if (life.signal.aborted) return
    if (kind === 'wake') wake.ring()
    else if (kind === 'edited' && lease !== null)
      void store
        .follow()
        .catch(() => undefined)
        .then(push)
    else if (kind === 'control' && lease !== null) {
      takeOrders()
      // Also a leader that writes nothing for now must see that its data was replaced (R23).
      void store.follow().catch(() => undefined)
    } else look()
  })

  function push(): void {
    if (online) wake.ring()
  }

  const asOwner = (work: (held: Lease) => Promise<unknown>): Promise<void> => actAsOwner(store, lease, work)

  const leaving = createLeaving({
    store,
    clock,
    board,
    log,
    asOwner,
    stop: async () => {
      life.abort()
      wake.ring()
      await Promise.all([leading, following])
    },
    tell: () => tell('left'),
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
    if (event.kind === 'outbox') board.refreshLogs()
    if (event.kind === 'closed') lost(toPlain(event.error))
    if (event.kind === 'reset')
      void board
        .refresh()
        .then(board.recount)
        .catch(() => undefined)
  })

  /** Nothing works any more, unless this engine has ended before: where storage is gone, the page starts another worker. */
  function lost(error: PlainError): void {
    if (life.signal.aborted) return
    board.setPhase({ phase: 'stopped', error })
    life.abort()
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
        fresh = known?.lastSyncedAt === null
        server.heed(readCapabilities(known?.capabilities ?? null))
        return await loop.lead(held, signal)
      } finally {
        lease = null
        board.setFacts({ role: 'follower' })
      }
    },
  ).catch((error: unknown) => lost(toPlain(error)))
  const following = forever(() => visible).catch(() => undefined)
  measure()
  // Counting is slow on large tables; the app's first queries go first.
  void clock
    .sleep(FIRST_COUNT_MS, life.signal)
    .then(board.recount)
    .catch(() => undefined)
  look()

  return {
    status: board,
    async now(timeoutMs, signal) {
      leaving.stay()
      await proof.now(timeoutMs, signal)
    },
    async pause() {
      leaving.stay()
      await store.device.setPaused(true)
      loop.interrupt()
      tell('control')
      look()
    },
    async resume() {
      leaving.stay()
      await store.device.setPaused(false)
      forgetTrouble()
      takeOrders()
      tell('control')
      look()
    },
    async restart() {
      leaving.stay()
      await asOwner(wipe)
      forgetTrouble()
      takeOrders()
    },
    edited() {
      tell('edited')
      push()
    },
    leave: leaving.leave,
    logout: leaving.logout,
    pageEvent(event) {
      if (event === 'persisted') return measure(0)
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
