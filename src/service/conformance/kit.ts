/** What the conformance cases are written with: a user's device as a peer of the store, and two assertions. */
import { canonicalJson } from '../data.ts'
import {
  EVERYONE,
  type DeviceRef,
  type HandedItem,
  type ImportRecord,
  type JsonObject,
  type SyncStore,
  type WriteOp,
  type WriteResult,
} from '../store.ts'

export interface Bench {
  readonly store: SyncStore
  /** An account of this case alone. */
  readonly account: string
  /** Moves the clock given to the store. */
  advance(ms: number): void
}

export type Case = readonly [name: string, run: (bench: Bench) => Promise<void>]

export interface PeerOptions {
  readonly user?: string
  readonly sees?: readonly string[]
  readonly limit?: number
  readonly bytes?: number
}

export interface Peer {
  readonly ref: DeviceRef
  /** The session's id, or null if there is nothing. */
  start(): Promise<string | null>
  startIsNew(): Promise<boolean>
  /** The next page; null: drained. Throws if the session is gone. */
  page(session: string): Promise<readonly HandedItem[] | null>
  /** Starts, and fetches all pages without acknowledging anything. */
  fetchAll(): Promise<readonly HandedItem[]>
  /** Acknowledges and waits until that is worked off. */
  ack(items: readonly HandedItem[]): Promise<void>
  /** Fetches and acknowledges everything. */
  drain(): Promise<readonly HandedItem[]>
}

const MAX_SESSIONS = 100

export function peer({ store, account }: Bench, device: string, options: PeerOptions = {}): Peer {
  const { user = 'ann', sees = [EVERYONE], limit = 100, bytes = 1024 * 1024 } = options
  const ref: DeviceRef = { account, user, device }

  async function open(): Promise<{ readonly session: string | null; readonly isNew: boolean }> {
    const opened = await store.openSession(ref, sees, MAX_SESSIONS)
    if (opened.kind === 'too_many') throw new Error('The store counts too many sessions.')
    return { session: opened.kind === 'opened' ? opened.session : null, isNew: opened.deviceIsNew }
  }

  async function start(): Promise<string | null> {
    return (await open()).session
  }

  async function page(session: string): Promise<readonly HandedItem[] | null> {
    const taken = await store.takePage(ref, session, { limit, bytes, sees })
    if (taken.kind === 'gone') throw new Error('The session is gone.')
    return taken.kind === 'page' ? taken.items : null
  }

  async function fetchAll(): Promise<readonly HandedItem[]> {
    const session = await start()
    const items: HandedItem[] = []
    for (let next = session && (await page(session)); session !== null && next; next = await page(session))
      items.push(...next)
    return items
  }

  async function ack(items: readonly HandedItem[]): Promise<void> {
    await store.acceptAcks(
      ref,
      items.map((item) => item.ackKey),
    )
    await store.workOffAcks()
  }

  async function drain(): Promise<readonly HandedItem[]> {
    const items = await fetchAll()
    await ack(items)
    return items
  }

  return { ref, start, startIsNew: async () => (await open()).isNew, page, fetchAll, ack, drain }
}

export function importCities(bench: Bench, ids: readonly (number | string)[], name = 'first'): Promise<unknown> {
  const records: ImportRecord[] = ids.map((id) => ({ type: 'city', data: { id, name } }))
  return bench.store.importRecords(bench.account, records)
}

export function write({ store, account }: Bench, op: WriteOp, key?: string): Promise<WriteResult> {
  return store.write({ account, user: 'ann' }, op, key)
}

export function rename(bench: Bench, id: string, name: string): Promise<WriteResult> {
  return write(bench, { kind: 'update', type: 'city', id, patch: { name } })
}

export function remove(bench: Bench, id: string): Promise<WriteResult> {
  return write(bench, { kind: 'delete', type: 'city', id })
}

/** A create of a city. */
export function create(data: JsonObject): WriteOp {
  return { kind: 'create', type: 'city', data }
}

/** A written object as [id, revision, data]; else why it was not. */
export function outcome(result: WriteResult): unknown {
  return result.kind === 'written' ? [result.object.id, result.object.revision, result.object.data] : result.kind
}

/** Items as `event id`, for comparing what a device is told. */
export function told(items: readonly HandedItem[]): readonly string[] {
  return items.map((item) => `${item.event} ${item.id}`).sort()
}

export function range(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

/** @throws Error showing both if they are not the same JSON value. */
export function same(actual: unknown, wanted: unknown, what = 'value'): void {
  const [got, expected] = [canonicalJson(actual), canonicalJson(wanted)]
  if (got !== expected) throw new Error(`Wrong ${what}.\n  got      ${got}\n  expected ${expected}`)
}

export function holds(condition: boolean, what: string): void {
  if (!condition) throw new Error(`Does not hold: ${what}`)
}
