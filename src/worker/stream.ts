/**
 * One followed query, worker side. It knows the ids in its answer, so what crosses to the page is the
 * difference, in slices (R39). Without a limit the change feeds it and it is never run again; a window
 * (`limit`) is patched too, and read again only when a row left it and another must move up. Changes within
 * one frame cross together.
 */
import type { Clock } from '../clock.ts'
import { toPlain } from '../errors.ts'
import type { ShadowKey } from '../keys.ts'
import type { CompiledQuery, Position, Query } from '../query.ts'
import type { Change, Found, Store, StoreEvent } from '../store/store.ts'
import { oneAtATime } from '../waiting.ts'
import type { RowState, StreamMode } from './api.ts'
import { columnSender, rowSender, type Send, type Update } from './senders.ts'

const FRAME_MS = 16

export interface Stream {
  onEvent(event: StoreEvent): void
  close(): void
}

export interface StreamDeps {
  readonly store: Store
  readonly clock: Clock
  readonly send: Send
}

interface Member {
  readonly key: ShadowKey | null
  readonly rev: number
  readonly local: number
  readonly state: RowState
}

/** @throws SyncError `invalid_argument` for a query that cannot be understood. */
export function openStream({ store, clock, send }: StreamDeps, stream: number, mode: StreamMode, query: Query): Stream {
  const { collection, select, limit } = query
  let compiled = store.compile(query)
  const members = new Map<string, Member>()
  const deliver = mode === 'columns' ? columnSender(stream, select ?? [], send) : rowSender(stream, select, send)
  let ready = false
  let closed = false
  let early: Change[] = []

  // What waits to be sent: the newest word on each record since the last frame.
  let updates = new Map<string, Update | null>()
  let resetNext = false
  let framing = false
  /** The answer is being read again: what waits is half of a step and must not be sent. */
  let held = false
  let sentAt = -Infinity

  function schedule(): void {
    if (framing || closed || held) return
    framing = true
    const wait = Math.max(0, sentAt + FRAME_MS - clock.monotonic())
    void (wait === 0 ? Promise.resolve() : clock.sleep(wait)).then(flush)
  }

  function flush(): void {
    framing = false
    if (closed || held) return
    sentAt = clock.monotonic()
    const batch = updates
    const reset = resetNext
    updates = new Map()
    resetNext = false
    try {
      deliver(batch, reset)
    } catch (error) {
      fail(error)
    }
  }

  function put({ id, rev, local, row, key }: Found): void {
    const state = store.stateOf(collection, id)
    members.set(id, { key, rev, local, state })
    updates.set(id, { row, key, state })
  }

  function remove(id: string): void {
    if (members.delete(id)) updates.set(id, null)
  }

  /** What cannot be read or sent must not silence the stream. */
  function fail(error: unknown): void {
    if (!closed) send({ kind: 'failed', stream, error: toPlain(error, 'storage_failed') })
    closed = true
  }

  const reading = oneAtATime(async () => {
    if (closed) return
    try {
      const asked = compiled
      const found = await store.find(asked)
      // Under other conditions it is asked again already.
      if (closed || asked !== compiled) return
      held = false
      if (!ready || limit === undefined) replace(found)
      else patch(found)
    } catch (error) {
      fail(error)
    }
  })

  /** The whole answer anew. */
  function replace(found: readonly Found[]): void {
    members.clear()
    updates = new Map()
    resetNext = true
    for (const one of found) put(one)
    ready = true
    const missed = early
    early = []
    if (mode === 'once') {
      // What was found is one exact answer; anything later belongs to the next.
      flush()
      closed = true
      return
    }
    // `found` may hold these changes already, so only the last word on each record counts.
    const last = [...new Map(missed.map((change) => [change.id, change])).values()]
    if (limit === undefined) for (const change of last) apply(change)
    else if (last.length > 0) readAgain()
    schedule()
  }

  /** A temporary key got its real one (R18). Where the query names it, what was found by the old one must not show. */
  function renamed(): void {
    const next = store.compile(query)
    if (conditionsOf(next) === conditionsOf(compiled)) return
    compiled = next
    readAgain()
  }

  function readAgain(): void {
    held = true
    void reading.run()
  }

  /** A window read again: only what differs is sent. */
  function patch(found: readonly Found[]): void {
    const now = new Set(found.map(({ id }) => id))
    for (const id of [...members.keys()]) if (!now.has(id)) remove(id)
    for (const one of found) {
      const before = members.get(one.id)
      if (before?.rev !== one.rev || before.local !== one.local || before.state !== store.stateOf(collection, one.id))
        put(one)
    }
    if (updates.size > 0 || resetNext) schedule()
  }

  function apply({ id, rev, local, row }: Change): void {
    if (row === undefined) {
      if (members.has(id) && mode !== 'columns') void refreshState(id)
      return
    }
    if (row === null || !compiled.matches(row)) return remove(id)
    const key = compiled.sortKey(row)
    if (!isAfterStart({ key, id })) return remove(id)
    put({ id, rev, local, row, key })
  }

  /** The row is the same, its state is not. */
  async function refreshState(id: string): Promise<void> {
    const before = members.get(id)
    const [row] = await store.get(collection, [id]).catch(() => [])
    // A change that came meanwhile has said more than this read can.
    if (row === undefined || closed || before === undefined || members.get(id) !== before) return
    put({ id, row, ...before })
    schedule()
  }

  /**
   * A window patched by changes. Says false if it must be read again: it was full and lost a row, or one moved
   * behind its end, so rows it does not know may come in.
   */
  function applyToWindow(changes: readonly Change[], size: number): boolean {
    const full = members.size >= size
    const end = full ? lastPosition() : null
    for (const change of changes) {
      const { id, row } = change
      if (row === undefined) {
        apply(change)
        continue
      }
      const position = row === null || !compiled.matches(row) ? null : { key: compiled.sortKey(row), id }
      const inside =
        position !== null && isAfterStart(position) && (end === null || compiled.compare(position, end) <= 0)
      if (members.has(id) && !inside && full) return false
      if (members.has(id) || inside) apply(change)
    }
    const ordered = members.size > size ? [...members].map(([id, { key }]) => ({ id, key })).sort(compiled.compare) : []
    for (const { id } of ordered.slice(size)) remove(id)
    return true
  }

  function lastPosition(): Position | null {
    let last: Position | null = null
    for (const [id, { key }] of members)
      if (last === null || compiled.compare(last, { key, id }) < 0) last = { key, id }
    return last
  }

  function isAfterStart(position: Position): boolean {
    const { after } = compiled.query
    return after === undefined || compiled.compare(after, position) < 0
  }

  void reading.run()

  return {
    onEvent(event) {
      if (closed || event.kind === 'settled' || event.kind === 'outbox') return
      if (event.kind === 'aliases') return renamed()
      if (event.kind === 'closed') return fail(event.error)
      if (event.kind === 'reset') return void reading.run()
      const changes = event.changes.filter(({ type }) => type === collection)
      if (changes.length === 0) return
      if (!ready) early.push(...changes)
      else if (reading.running) void reading.run()
      else {
        if (limit === undefined) for (const change of changes) apply(change)
        else if (!applyToWindow(changes, limit)) return readAgain()
        if (updates.size > 0) schedule()
      }
    },
    close() {
      closed = true
    },
  }
}

function conditionsOf({ fields, query }: CompiledQuery): string {
  return JSON.stringify([...fields, query.after])
}
