/**
 * What this worker knows of the inbox: the overlay, kept up with what others write, and told to whoever watches
 * (R25). Hints only decide when it looks; what it finds is on the disk.
 */
import type { Clock } from '../clock.ts'
import type { Row } from '../schema.ts'
import type { SyncError } from '../errors.ts'
import { oneAtATime } from '../waiting.ts'
import type { Database } from './database.ts'
import type { Device } from './device.ts'
import type { Inbox } from './inbox.ts'
import type { LoadedRow, Overlay } from './overlay.ts'
import { createRecordMap } from './record-map.ts'
import type { LogRow } from './rows.ts'

/** A record as it is now: null if it is gone, undefined if only its state changed (a newer version went to quarantine). */
export interface Change {
  readonly type: string
  readonly id: string
  readonly rev: number
  /** Grows with every change of this record's local edits. */
  readonly local: number
  readonly row: Row | null | undefined
}

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
  /** Reads all that waits; to be called once, before anything else. */
  load(): Promise<void>
  /** Rows that were just stored are visible now. */
  show(rows: readonly LoadedRow[]): void
  /** Rows up to this sequence are settled. */
  settled(mark: number): void
  /** Reads what was stored since. */
  follow(): Promise<void>
  isStale(type: string, id: string): boolean
}

interface ViewDeps {
  readonly database: Database
  readonly overlay: Overlay
  readonly inbox: Inbox
  readonly device: Pick<Device, 'identity'>
  readonly clock: Clock
  readonly emit: (event: StoreEvent) => void
}

export function createView({ database, overlay, inbox, device, clock, emit }: ViewDeps): View {
  const { specs } = database
  const stale = createRecordMap<true>()
  let generation = ''

  function add(rows: readonly LoadedRow[]): void {
    overlay.add(rows, clock.monotonic())
  }

  function show(rows: readonly LoadedRow[]): void {
    if (rows.length === 0) return
    add(rows)
    for (const { items } of rows)
      for (const { type, id, kind } of items)
        if (kind === 'bad') {
          if (specs.has(type)) stale.set(type, id, true)
        } else if (overlay.bad(type, id) === undefined) stale.delete(type, id)
    let changes: readonly Change[] | null = null
    emit({
      kind: 'changes',
      get changes() {
        return (changes ??= changesOf(rows))
      },
    })
  }

  /** The last word on each record of these rows. */
  function changesOf(rows: readonly LoadedRow[]): readonly Change[] {
    const changes = createRecordMap<Change>()
    for (const { items } of rows)
      for (const { type, id } of items) {
        if (!specs.has(type)) continue
        const entry = overlay.entry(type, id)
        changes.set(type, id, { type, id, rev: entry?.rev ?? 0, local: 0, row: entry?.row })
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
    const identity = await device.identity()
    const { rows, log } = await inbox.readAbove(0)
    generation = identity.device
    overlay.clear(log)
    add(rows)
    await loadStale()
  }

  async function catchUp(): Promise<void> {
    if ((await device.identity()).device !== generation) {
      await load()
      return emit({ kind: 'reset' })
    }
    const { rows, log } = await inbox.readAbove(overlay.head)
    await take(rows, log)
  }

  async function take(rows: readonly LoadedRow[], log: LogRow): Promise<void> {
    const unseen = log.mark > overlay.head
    const moved = log.mark > overlay.mark
    overlay.skipTo(log.mark)
    if (moved) overlay.settled(log.mark)
    if (unseen) {
      add(rows)
      await loadStale()
      emit({ kind: 'reset' })
    } else show(rows)
    if (moved) emit({ kind: 'settled' })
  }

  return {
    load,
    show,
    settled(mark) {
      overlay.settled(mark)
      emit({ kind: 'settled' })
    },
    follow: oneAtATime(catchUp).run,
    isStale: (type, id) => stale.get(type, id) === true,
  }
}
