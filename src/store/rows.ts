/** What the database's stores hold (the disk format), and what they are called. */
import type { ShadowKey } from '../keys.ts'
import type { Row } from '../schema.ts'

/** One record of a collection: server truth, with the shadow keys its indexes are built on (R4, R7). */
export interface TableRow {
  id: string
  rev: number
  data: Row
  k: Record<string, ShadowKey>
}

/** One page, or a part of at most 100 records of one, exactly as received (R1, R30). */
export interface InboxRow {
  seq: number
  count: number
  bytes: number
  /** JSON text of `StoredItem[]`. */
  items: string
  /** The schema its verdicts were made under. */
  schema: string
}

/** Ack keys of one commit; sent only under the device UUID they were received with (R23). */
export interface AckRow {
  n?: number
  device: string
  keys: string[]
}

/** A deleted record. `run` is the number of sessions started when it was written (R5). */
export interface Tombstone {
  type: string
  id: string
  rev: number
  run: number
}

export interface QuarantineRow {
  type: string
  id: string
  rev: number
  raw: unknown
  reason: string
  at: number
}

/** Who this copy is. The device UUID is its generation: born with the data, replaced with the data (R23). */
export interface Identity {
  key: 'identity'
  device: string
  /** Grows with each leader; the fence of every engine write (R24). */
  epoch: number
  schemaVersion: number
  schemaHash: string
  /** What the service calls the account, once it has said so (R22). */
  account: string | null
  /** The service's epoch these revisions belong to. */
  serverEpoch: string | null
}

/** How far the log goes: last sequence written, last one settled, and where this generation began. */
export interface LogRow {
  key: 'log'
  head: number
  mark: number
  /**
   * How far settling had read. A record that a newer page overtook was not written, so whoever reads the tables
   * must have read the inbox as far as this. Absent in a log that was written before this was kept.
   */
  seen?: number
  base: number
}

export interface SessionRow {
  key: 'session'
  id: string
  startedAt: number
  run: number
  dirty: boolean
  done: number
  estimate: number | null
}

/** What was proved, and what the user asked for. */
export interface SyncRow {
  key: 'sync'
  lastSyncedAt: number | null
  /** Sessions asked for so far, and the last of them that proved "in sync". */
  started: number
  clean: number
  stuck: number
  unreadable: number
  paused: boolean
  /** A tab signed out: engines that still run stop (R28). */
  signedOut?: boolean
  /** The service's capabilities as it sent them. */
  capabilities: string | null
}

/** How far the outbox goes: `version` grows with every change of it, so that other tabs see there is one. */
export interface OutboxMeta {
  key: 'outbox'
  version: number
  /** The order of the next edit. */
  next: number
  /** The last edits that users took back: what is gone without being here was synced. */
  discarded: readonly string[]
}

export type MetaRow = Identity | LogRow | SessionRow | SyncRow | OutboxMeta

export interface HistoryRow {
  n?: number
  startedAt: number
  endedAt: number
  outcome: 'clean' | 'dirty' | 'failed'
  pages: number
  items: number
  acked: number
  error: string | null
}

export type TypeAndId = [type: string, id: string]

const TABLE_PREFIX = 't_'

/** The store of a collection's rows. */
export function tableName(type: string): string {
  return TABLE_PREFIX + type
}

/** The collection a store belongs to, or null if it holds none. */
export function typeOfTable(store: string): string | null {
  return store.startsWith(TABLE_PREFIX) ? store.slice(TABLE_PREFIX.length) : null
}

/** Dexie's name of the index over these fields. */
export function indexPath(fields: readonly string[]): string {
  const paths = fields.map((field) => `k.${field}`)
  return paths.length === 1 ? paths[0]! : `[${paths.join('+')}]`
}
