/**
 * An item as the store keeps it, made from the wire under the app's schema: a record, a deletion, or
 * something that cannot be shown and goes to quarantine with a reason (R29, R31). Classifying never throws
 * for bad data; a wedged queue is worse than a quarantined item.
 */
import { messageOf, SyncError } from '../errors.ts'
import { canonicalId } from '../keys.ts'
import { inspect } from '../protocol/json.ts'
import { readPage, type WireItem } from '../protocol/queue.ts'
import { own, type CollectionSpec, type Row } from '../schema.ts'

export interface StoredItem {
  readonly type: string
  readonly id: string
  readonly rev: number
  readonly kind: 'put' | 'del' | 'bad'
  /** The record; of a `del` the deleted record as far as the server sent it; for `bad` the item as it came. */
  readonly data: unknown
  /** Why a `bad` item cannot be shown. */
  readonly reason?: string
}

const UNTYPED = '?'

/**
 * Levels of an item as it came that every browser can store and hand from thread to thread. `JSON.stringify` takes
 * 50,000, but copying an object gives up at some 2,000, and would do so at each settling and each query.
 */
const MAX_DEPTH = 500

const HARMLESS = { unsafeInteger: false, tooDeep: false }

/**
 * @param suspect the page held long numbers or deep nesting: look for numbers that JavaScript would round (R8), and for
 * what could not be stored.
 * @param knownId under which an item without a usable key is kept already.
 */
export function classify(
  item: WireItem,
  specs: ReadonlyMap<string, CollectionSpec>,
  suspect: boolean,
  knownId?: string,
): StoredItem {
  const { type, event, data } = item
  const spec = type === null ? undefined : specs.get(type)
  const row = isObject(data) ? data : null
  const id = row === null ? null : idOf(row, spec)
  const rev = item.revision ?? 0
  const bad = (reason: string): StoredItem => {
    const deep = suspect && inspect(item.raw, MAX_DEPTH).tooDeep
    return {
      type: type ?? UNTYPED,
      id: id ?? knownId ?? item.ackKey ?? (deep ? 'too deep to be named' : fingerprint(item.raw)),
      rev,
      kind: 'bad',
      data: deep ? null : item.raw,
      reason: deep ? 'is nested too deeply to be stored' : reason,
    }
  }
  if (type === null) return bad('names no type')
  if (row === null) return bad('has no data')
  const { unsafeInteger, tooDeep } = suspect ? inspect(row, MAX_DEPTH - 1) : HARMLESS
  if (unsafeInteger) return bad('holds a whole number beyond 2^53, which JavaScript would round')
  if (id === null) return bad('has no usable key')
  if (item.revision === null) return bad('has no revision')
  if (event === 'deleted') return { type, id, rev, kind: 'del', data: tooDeep ? null : row }
  if (tooDeep) return bad('')
  if (event !== 'created' && event !== 'updated') return bad(`has the unknown event type "${String(event)}"`)
  if (spec === undefined) return bad('is of a type this app does not know')
  const reason = verdict(row, spec)
  return reason === null ? { type, id, rev, kind: 'put', data: row } : bad(reason)
}

/** A stored item under another schema than the one it was classified with (R30). */
export function reclassify(stored: StoredItem, specs: ReadonlyMap<string, CollectionSpec>): StoredItem {
  if (stored.data === null) return stored
  const wire = stored.kind === 'bad' ? readPage({ items: [stored.data] })?.items[0] : wireItem(stored)
  if (wire === undefined) return stored
  const again = classify(wire, specs, true, stored.id)
  // A deletion stays one, under its old name where the new schema finds none in it.
  return stored.kind === 'del' && again.kind !== 'del' ? stored : again
}

function wireItem({ type, rev, kind, data }: StoredItem): WireItem {
  const event = kind === 'del' ? 'deleted' : 'updated'
  const raw = { data, meta: { type, sync: { event_type: event, revision: rev } } }
  return { type, event, revision: rev, ackKey: null, data, raw }
}

/** What an item says of its record: null once it is deleted, and of an unreadable item the data it came with. */
export function bodyOf({ kind, data }: Pick<StoredItem, 'kind' | 'data'>): unknown {
  if (kind === 'del') return null
  return kind === 'bad' && isObject(data) ? own(data, 'data') : data
}

/** Names an item that names itself in no way, so that it is kept once however often it comes (I23): length and FNV-1a. */
function fingerprint(raw: unknown): string {
  const text = JSON.stringify(raw)
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return `${text.length}-${hash >>> 0}`
}

function verdict(row: Row, spec: CollectionSpec): string | null {
  try {
    const reason = spec.check(row)
    return reason === null ? null : `does not fit the schema: ${reason}`
  } catch (error) {
    // An asynchronous validator is the app's mistake, not the item's.
    if (error instanceof SyncError) throw error
    return `made the validator throw: ${messageOf(error)}`
  }
}

function idOf(row: Row, spec: CollectionSpec | undefined): string | null {
  if (spec === undefined) return canonicalId(own(row, 'id'))
  try {
    return spec.idOf(row)
  } catch {
    return null
  }
}

function isObject(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
