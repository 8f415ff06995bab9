/**
 * One run: kept ack keys first (ACK-6), then sessions until one proves that this device is in sync (R10), at most a
 * few; then local edits leave, and sessions again bring back what became of them. Server truth comes first, so that
 * conflicts are seen before an edit leaves (R19). A session left over from before is drained to its end, but it is
 * dirty by definition (R9).
 */
import type { Clock, Random } from '../clock.ts'
import { fromPlain, SyncError, toPlain, type PlainError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { HistoryRow, Lease, SessionFacts, Store } from '../store/store.ts'
import { createAckSender, type AckSender } from './acks.ts'
import type { ProgressMeter } from './progress.ts'
import { drain, type Drained } from './pull.ts'
import { push, type Pushed, type PushDeps } from './push.ts'
import { backoff } from './retry.ts'
import type { Ceiling } from './settle.ts'
import type { ServerFacts, Transport } from './transport.ts'

export interface RunDeps {
  readonly store: Store
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly ceiling: Ceiling
  readonly lease: Lease
  readonly progress: ProgressMeter
  /** What the server said at a start; throws to refuse it (R22), resolves to `wiped` if the data had to go (R14). */
  readonly meet: (server: ServerFacts) => Promise<'known' | 'wiped'>
  readonly onSession: (session: SessionFacts | null) => void
  readonly onAcks: (sender: AckSender) => void
  readonly lanes: () => number
  /** Numbers moved: pages fetched, keys taken. */
  readonly onProgress: () => void
  readonly onCommit: () => void
  readonly edits: Pick<PushDeps, 'terms' | 'failed' | 'onPushed'>
  /** Sessions are over, edits leave. */
  readonly onPush: () => void
}

export interface RunResult {
  /** `in-sync`: proved. `owed`: sessions ended dirty, more are needed. `wiped`: begin again with new data. */
  readonly end: 'in-sync' | 'owed' | 'wiped'
  /** Nothing new came, only items that come every time (R11). */
  readonly onlyStuck: boolean
}

/** Dirty sessions in one run before it pauses. */
const SESSIONS_A_RUN = 4

export async function runOnce(deps: RunDeps, signal: AbortSignal): Promise<RunResult> {
  const { store, transport, clock, random, lease } = deps
  const acks = createAckSender({ store, transport, clock, random, lease, signal, onChange: deps.onProgress })
  deps.onAcks(acks)
  for (const row of await store.pendingAcks()) acks.add(row)

  let result: RunResult
  try {
    result = await readAll(deps, acks, signal)
  } catch (error) {
    // What cannot be read, again and again, must not keep edits here (L3), if it is known how this server takes them (R17).
    const { capabilities, lastSyncedAt } = await store.device.sync()
    if ((capabilities ?? lastSyncedAt) !== null && isOfReading(toPlain(error))) await pushAll()
    throw error
  }
  if (result.end === 'wiped') return result
  const { accepted, failure } = await pushAll()
  if (accepted > 0) result = await readAll(deps, acks, signal)
  if (failure !== null) throw fromPlain(failure)
  return result

  async function pushAll(): Promise<Pushed> {
    // Another tab may have written some, and its hint may be lost (R25).
    await store.follow()
    if (store.outbox.counts().pending === 0) return { accepted: 0, failure: null }
    deps.onPush()
    return push({ ...deps.edits, store, transport, lease }, signal)
  }
}

/** It was the service that answered, and not that it is away. */
function isOfReading({ code, status }: PlainError): boolean {
  return code === 'page_too_large' || code === 'bad_response' || status === 500
}

/** Sessions until one is a proof. */
async function readAll(deps: RunDeps, acks: AckSender, signal: AbortSignal): Promise<RunResult> {
  const { store, transport, clock, random, lease, progress } = deps
  await acks.flush()
  let leftOver = await store.device.session()
  for (let sessions = 0; sessions < SESSIONS_A_RUN; sessions++) {
    if (sessions > 0) await clock.sleep(backoff(sessions, random), signal)
    const session = leftOver === null ? await startSession() : { ...leftOver, dirty: true }
    leftOver = null
    if (session === 'wiped') return { end: 'wiped', onlyStuck: false }
    if (session === null) return { end: 'in-sync', onlyStuck: false }
    deps.onSession(session)
    progress.begin(session.estimate === null ? null : Math.max(0, session.estimate - session.done))
    const startedTaken = acks.taken
    let drained: Drained
    try {
      drained = await drain({ ...deps, acks }, session, signal)
      await acks.flush()
    } catch (error) {
      const plain = toPlain(error)
      if (plain.code !== 'aborted') await note(session, { outcome: 'failed', error: plain.code }).catch(() => undefined)
      throw error
    } finally {
      deps.onSession(null)
    }
    const clean = drained.end === 'drained' && !drained.dirty
    const stuck = drained.stuck + acks.refused
    const { unreadable } = drained
    // Asked for at once: the browser does them in this order without a pause in between.
    await Promise.all([
      store.device.setSession(lease, null),
      clean ? prove(session, { stuck, unreadable }) : store.device.updateSync(lease, { stuck, unreadable }),
      note(session, {
        ...drained,
        outcome: clean ? 'clean' : 'dirty',
        acked: acks.taken - startedTaken,
        error: null,
      }),
    ])
    if (drained.divergent > 0) deps.log('error', 'session.divergent', { items: drained.divergent })
    const nothingNew = drained.accepted === 0 && stuck + unreadable > 0
    if (clean) return { end: 'in-sync', onlyStuck: nothingNew }
    if (nothingNew && drained.onlyOversized) return { end: 'owed', onlyStuck: true }
  }
  return { end: 'owed', onlyStuck: false }

  /** Null: nothing is pending, which is a proof of its own. */
  async function startSession(): Promise<SessionFacts | null | 'wiped'> {
    const startedAt = clock.now()
    const { started } = await store.device.sync()
    const run = started + 1
    await store.device.updateSync(lease, { started: run })
    const answer = await transport.start(signal)
    if ((await deps.meet(answer)) === 'wiped') return 'wiped'
    if (answer.session !== null)
      return { id: answer.session.id, startedAt, run, dirty: false, done: 0, estimate: answer.session.estimate }
    await prove({ startedAt, run }, { stuck: 0, unreadable: 0 })
    return null
  }

  /** Everything that was pending at that start is here (R10). */
  async function prove(
    { startedAt, run }: Pick<SessionFacts, 'startedAt' | 'run'>,
    counts: Pick<Drained, 'stuck' | 'unreadable'>,
  ): Promise<void> {
    await Promise.all([
      store.device.updateSync(lease, { clean: run, lastSyncedAt: startedAt, ...counts }),
      store.proved(lease, run),
    ])
  }

  async function note(
    { startedAt }: SessionFacts,
    { outcome, error, pages = 0, items = 0, acked = 0 }: Partial<HistoryRow> & Pick<HistoryRow, 'outcome' | 'error'>,
  ): Promise<void> {
    const facts = { outcome, pages, items, acked, error }
    deps.log('info', 'session.end', facts)
    await store.addHistory(lease, { ...facts, startedAt, endedAt: clock.now() })
  }
}

/** The check of what a server says about itself and the account (R13, R14, R22). */
export function createMeeting(
  store: Store,
  lease: Lease,
  onWipe: () => Promise<void>,
  onCapabilities: (facts: ServerFacts) => void,
): RunDeps['meet'] {
  return async (server) => {
    const identity = await store.device.identity()
    if (server.account !== null && identity.account !== null && server.account !== identity.account)
      throw new SyncError(
        'account_mismatch',
        'The token is of another account than the data here; give createSync that account, or discard what is unsent and call restart().',
      )
    const { capabilities } = server
    onCapabilities(server)
    const epoch = capabilities?.epoch ?? null
    const forgotten =
      capabilities?.device === 'new' ||
      (epoch !== null && identity.serverEpoch !== null && epoch !== identity.serverEpoch)
    if (forgotten && !store.counts().empty) {
      await onWipe()
      return 'wiped'
    }
    const text = capabilities === null ? null : JSON.stringify(capabilities)
    if (
      server.account !== identity.account ||
      epoch !== identity.serverEpoch ||
      (await store.device.sync()).capabilities !== text
    )
      await store.device.setServer(lease, { account: server.account, serverEpoch: epoch, capabilities: text })
    return 'known'
  }
}
