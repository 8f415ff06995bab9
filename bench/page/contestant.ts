/** What every contestant can do. Values are plain data, since most of them live in a worker. */
import type { Row, Shape } from '../data.ts'

export interface Setup {
  readonly shape: Shape
  /** Records in the data set, for those that must say when they are complete. */
  readonly size: number
}

export interface Contestant {
  /** Opens storage; finds what an earlier browser process left. */
  open(setup: Setup): Promise<void>
  /** Fetches all that waits. Resolves when it is stored and can be queried, and acknowledged if this one does that. */
  sync(): Promise<void>
  count(): Promise<number>
  get(id: number): Promise<Row | undefined>
  /** Records of one group, any `limit` of them. */
  byGroup(group: Row[string], limit: number): Promise<readonly Row[]>
  /** The first `limit` records by `shape.sort`. */
  bySort(limit: number): Promise<readonly Row[]>
  /** Records with `shape.scan.field` from `shape.scan.from` on, found without an index. */
  scan(): Promise<readonly Row[]>
  /** Tells `seen` the records of a group, now and after each change. */
  live(group: Row[string], limit: number | null, seen: (rows: readonly Row[]) => void): Promise<void>
  close(): Promise<void>
}

/** A contestant that takes local writes, for the server to have later. */
export interface WritingContestant extends Contestant {
  /** Changes the stamp of a record. Resolves when that is durable. */
  write(id: number, stamp: number): Promise<void>
}

/** A contestant that goes on working after `sync`. */
export interface SettlingContestant extends Contestant {
  /** Resolves when that work has visibly begun, or is done. */
  settling(): Promise<void>
  /** Resolves when that work is done. */
  settled(): Promise<void>
}

/** What fetches and stores nothing can answer nothing. */
export type Contender = Pick<Contestant, 'open' | 'sync'> & Partial<SettlingContestant & WritingContestant>

export type Ask = 'count' | 'get' | 'byGroup' | 'bySort' | 'scan'
