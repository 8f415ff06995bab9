/**
 * One followed query, worker side. It knows the ids in its answer, so what crosses to the page is the
 * difference, in slices (R39). Without a limit the change feeds it and it is never run again; a window
 * (`limit`) is patched too, and read again only when a row left it and another must move up. Changes within
 * one frame cross together.
 */
import type { Clock } from '../clock.ts'
import { toPlain } from '../errors.ts'
import type { ShadowKey } from '../keys.ts'
import { compileQuery, type Position, type Query } from '../query.ts'
import { own, type Row } from '../schema.ts'
import type { Change, Found, Store, StoreEvent } from '../store/store.ts'
import { oneAtATime } from '../waiting.ts'
import type { StreamMode, ToPage, WireRow } from './api.ts'

/** Most rows in one message: more would be a long task on the page. */
const SLICE_ROWS = 2_000
const SLICE_SLOTS = 20_000
const FRAME_MS = 16

export interface Stream {
  onEvent(event: StoreEvent): void
  close(): void
}

export interface StreamDeps {
  readonly store: Store
  readonly clock: Clock
  readonly send: (message: ToPage, transfer?: Transferable[]) => void
}

interface Member {
  readonly key: ShadowKey | null
  readonly rev: number
  readonly stale: boolean
}

interface Update {
  readonly row: Row
  readonly key: ShadowKey | null
  readonly stale: boolean
}

/** @throws SyncError `invalid_argument` for a query that cannot be understood. */
export function openStream({ store, clock, send }: StreamDeps, stream: number, mode: StreamMode, query: Query): Stream {
  const spec = store.specOf(query.collection)
  const compiled = compileQuery(query, spec)
  const { select, limit } = query
  const members = new Map<string, Member>()
  const deliver = mode === 'columns' ? columnSender(stream, select ?? [], send) : rowSender(stream, select, send)
  let ready = false
  let closed = false
  let early: Change[] = []

  // What waits to be sent: the newest word on each record since the last frame.
  let updates = new Map<string, Update | null>()
  let resetNext = false
  let framing = false
  /** A window is being read again: what waits is half of a step and must not be sent. */
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

  function put({ id, rev, row, key }: Found): void {
    const stale = store.stateOf(spec.name, id) === 'stale'
    members.set(id, { key, rev, stale })
    updates.set(id, { row, key, stale })
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
      const found = await store.find(compiled)
      if (closed) return
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
      if (before?.rev !== one.rev || before.stale !== (store.stateOf(spec.name, one.id) === 'stale')) put(one)
    }
    if (updates.size > 0 || resetNext) schedule()
  }

  function apply({ id, rev, row }: Change): void {
    if (row === undefined) {
      if (members.has(id)) void refreshState(id)
      return
    }
    if (row === null || !compiled.matches(row)) return remove(id)
    const key = compiled.sortKey(row)
    if (!isAfterStart({ key, id })) return remove(id)
    put({ id, rev, local: 0, row, key })
  }

  /** The row is the same, its state is not. */
  async function refreshState(id: string): Promise<void> {
    const before = members.get(id)
    const [row] = await store.get(spec.name, [id]).catch(() => [])
    // A change that came meanwhile has said more than this read can.
    if (row === undefined || closed || before === undefined || members.get(id) !== before) return
    put({ id, row, local: 0, ...before })
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
      if (closed || event.kind === 'settled' || event.kind === 'outbox' || event.kind === 'aliases') return
      if (event.kind === 'closed') return fail(event.error)
      if (event.kind === 'reset') return void reading.run()
      const changes = event.changes.filter(({ type }) => type === spec.name)
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

type Deliver = (batch: ReadonlyMap<string, Update | null>, reset: boolean) => void

function rowSender(stream: number, select: readonly string[] | undefined, send: StreamDeps['send']): Deliver {
  return (batch, reset) => {
    const removed: string[] = []
    const rows: WireRow[] = []
    for (const [id, update] of batch) {
      if (update === null) removed.push(id)
      else
        rows.push({
          id,
          key: update.key,
          data: select === undefined ? update.row : pick(update.row, select),
          stale: update.stale,
        })
    }
    const length = Math.max(rows.length, removed.length, 1)
    for (let at = 0; at < length; at += SLICE_ROWS) {
      const end = at + SLICE_ROWS
      send({
        kind: 'rows',
        stream,
        reset: reset && at === 0,
        rows: rows.slice(at, end),
        removed: removed.slice(at, end),
        last: end >= length,
      })
    }
  }
}

/** Each record gets a slot when first seen and keeps it; a record that left has NaN in its slot. */
function columnSender(stream: number, fields: readonly string[], send: StreamDeps['send']): Deliver {
  let slotOf = new Map<string, number>()
  let used = 0
  return (batch, reset) => {
    if (reset) {
      slotOf = new Map()
      used = 0
    }
    const entries = [...batch].flatMap(([id, update]): Array<[number, Row | null]> => {
      let slot = slotOf.get(id)
      if (slot === undefined) {
        if (update === null) return []
        slot = used++
        slotOf.set(id, slot)
      }
      return [[slot, update === null ? null : update.row]]
    })
    const length = Math.max(entries.length, 1)
    for (let at = 0; at < length; at += SLICE_SLOTS) {
      const part = entries.slice(at, at + SLICE_SLOTS)
      const slots = Uint32Array.from(part, ([slot]) => slot)
      const values = fields.map((field) =>
        Float64Array.from(part, ([, row]) => (row === null ? NaN : numberOf(own(row, field)))),
      )
      send({ kind: 'columns', stream, reset: reset && at === 0, slots, values, last: at + SLICE_SLOTS >= length }, [
        slots.buffer,
        ...values.map(({ buffer }) => buffer),
      ])
    }
  }
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : NaN
}

function pick(row: Row, fields: readonly string[]): Row {
  return Object.fromEntries(fields.filter((field) => Object.hasOwn(row, field)).map((field) => [field, row[field]]))
}
