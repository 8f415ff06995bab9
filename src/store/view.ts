/**
 * What this worker knows of the inbox: the overlay, kept up with what others write, and told to whoever watches
 * (R25). Hints only decide when it looks; what it finds is on the disk.
 */
import type { Clock } from '../clock.ts'
import type { SyncError } from '../errors.ts'
import { oneAtATime } from '../waiting.ts'
import type { Database } from './database.ts'
import type { RowState } from './edit.ts'
import { type Change, type Edits, type OutboxChange, type Truth, type TruthOf } from './edits.ts'
import type { LoadedRow, Overlay } from './overlay.ts'
import { readLogs } from './read-logs.ts'
import { createRecordMap, type RecordMap } from './record-map.ts'
import type { TypeAndId } from './rows.ts'

export type { Change }

export type StoreEvent =
  /** These records changed; everything else is as it was. */
  | {
      readonly kind: 'changes'
      /** Made when first asked for, which must be at once. */
      readonly changes: readonly Change[]
    }
  /** Anything may have changed: pages were settled unseen, or the data was replaced. */
  | { readonly kind: 'reset' }
  /** Edits came, went, or have another state. Rows that look different for it are told as `changes`. */
  | { readonly kind: 'outbox' }
  /** A temporary key has its real one: queries that name it must be compiled anew (R18). */
  | { readonly kind: 'aliases' }
  /** The view is the same, but the log moved: counts in the status differ. */
  | { readonly kind: 'settled' }
  /** The connection is gone; the store answers nothing any more. */
  | { readonly kind: 'closed'; readonly error: SyncError }

export interface View {
  /** The device whose data this is. */
  readonly generation: string
  /** Reads all that waits; to be called once, before anything else. */
  load(): Promise<void>
  /** Rows that were just stored are visible now, and the edits gone that they make superfluous. */
  show(rows: readonly LoadedRow[], outbox: OutboxChange | null): void
  /** Edits changed, and these records look different for it. */
  showEdits(changes: readonly Change[], aliases: boolean): void
  /** Rows up to this sequence are settled. */
  settled(mark: number): void
  /** Reads what was stored since. */
  follow(): Promise<void>
  stateOf(type: string, id: string): RowState
}

interface ViewDeps {
  readonly database: Database
  readonly overlay: Overlay
  readonly edits: Edits
  readonly clock: Clock
  readonly emit: (event: StoreEvent) => void
}

export function createView({ database, overlay, edits, clock, emit }: ViewDeps): View {
  const { specs } = database
  const stale = createRecordMap<true>()
  let generation = ''

  function add(rows: readonly LoadedRow[]): void {
    overlay.add(rows, clock.monotonic())
  }

  const truthIn =
    (truths: RecordMap<Truth> | null): TruthOf =>
    (type, id) => {
      const entry = overlay.entry(type, id)
      return entry !== undefined && entry.seq > overlay.mark ? entry : truths?.get(type, id)
    }

  /** Edits after rows: an edit goes only when what the server made of it is there (R16). */
  function take(
    rows: readonly LoadedRow[],
    outbox: OutboxChange | null,
    truths: RecordMap<Truth> | null,
  ): readonly Change[] {
    add(rows)
    const truthOf = truthIn(truths)
    if (edits.all().length > 0) edits.newTruth(recordsOf(rows), truthOf)
    return outbox === null ? [] : edits.apply(outbox, truthOf)
  }

  function show(rows: readonly LoadedRow[], outbox: OutboxChange | null, truths: RecordMap<Truth> | null = null): void {
    const looks = take(rows, outbox, truths)
    for (const { items } of rows)
      for (const { type, id, kind } of items)
        if (kind === 'bad') {
          if (specs.has(type)) stale.set(type, id, true)
        } else if (overlay.bad(type, id) === undefined) stale.delete(type, id)
    tell(rows, looks, outbox)
  }

  function tell(rows: readonly LoadedRow[], looks: readonly Change[], outbox: OutboxChange | null): void {
    if (outbox?.puts.some(({ kind }) => kind === 'alias') === true) emit({ kind: 'aliases' })
    let changes: readonly Change[] | null = null
    if (rows.length + looks.length > 0)
      emit({
        kind: 'changes',
        get changes() {
          return (changes ??= changesOf(rows, looks))
        },
      })
    if (outbox !== null) emit({ kind: 'outbox' })
  }

  /** The last word on each record of these rows. */
  function changesOf(rows: readonly LoadedRow[], looks: readonly Change[]): readonly Change[] {
    const changes = createRecordMap<Change>()
    for (const change of looks) changes.set(change.type, change.id, change)
    for (const [type, id] of recordsOf(rows)) {
      if (!specs.has(type)) continue
      const entry = overlay.entry(type, id)
      const edited = edits.truths.get(type, id)
      changes.set(type, id, {
        type,
        id,
        rev: entry?.rev ?? 0,
        local: edited?.local ?? 0,
        row: edited ? edited.row : entry?.row,
      })
    }
    return changes.values()
  }

  /** Quarantined records of known collections; what the overlay holds is newer than what is settled. */
  async function loadStale(): Promise<void> {
    const keys = await database.quarantine.toCollection().primaryKeys()
    stale.clear()
    for (const [type, id] of keys)
      if (specs.has(type) && overlay.entry(type, id) === undefined) stale.set(type, id, true)
    for (const { item } of overlay.allBad()) if (specs.has(item.type)) stale.set(item.type, item.id, true)
  }

  async function load(): Promise<void> {
    const { device, log, rows, outbox, truths } = await readLogs(database, null, edits)
    generation = device
    overlay.clear(log)
    edits.clear()
    take(rows, outbox, truths)
    await loadStale()
  }

  async function catchUp(): Promise<void> {
    const { device, log, rows, outbox, truths } = await readLogs(database, overlay.head, edits)
    if (device !== generation) {
      await load()
      emit({ kind: 'reset' })
      return emit({ kind: 'outbox' })
    }
    const unseen = log.mark > overlay.head
    const moved = log.mark > overlay.mark
    overlay.skipTo(log.mark)
    if (moved) overlay.settled(log.mark)
    if (unseen) {
      // What was settled unseen is truth of edited records too.
      if (outbox !== null) edits.clear()
      const looks = take(rows, outbox, truths)
      await loadStale()
      emit({ kind: 'reset' })
      tell([], looks, outbox)
    } else show(rows, outbox, truths)
    if (moved) emit({ kind: 'settled' })
  }

  return {
    get generation() {
      return generation
    },
    load,
    show,
    showEdits(changes, aliases) {
      if (aliases) emit({ kind: 'aliases' })
      if (changes.length > 0) emit({ kind: 'changes', changes })
      emit({ kind: 'outbox' })
    },
    settled(mark) {
      overlay.settled(mark)
      emit({ kind: 'settled' })
    },
    follow: oneAtATime(catchUp).run,
    stateOf: (type, id) => {
      const state = edits.stateOf(type, id) ?? 'synced'
      return state === 'synced' && stale.get(type, id) === true ? 'stale' : state
    },
  }
}

function* recordsOf(rows: readonly LoadedRow[]): Iterable<TypeAndId> {
  for (const { items } of rows) for (const { type, id } of items) yield [type, id]
}
