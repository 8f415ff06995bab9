/**
 * Devices and their sessions in memory. Each device keeps its *candidates*: every object that is pending
 * for it, and some that are not. A start adds what changed since the last one and sorts out the rest, so it
 * never looks at the whole, except at the first and when the user's scopes changed.
 */
import { createAckKeys, type AckedRevision, type AckKeys } from '../ack-key.ts'
import { fromJson, toJson } from '../data.ts'
import { keyFieldsOf } from '../identity.ts'
import { inSight, isPending, overlap, sameScopes, type Viewpoint } from '../pending.ts'
import { ENVELOPE_BYTES, type DeviceRef, type HandedItem, type PageLimits, type TakenPage } from '../store.ts'
import type { Kept, Numbers, Objects } from './objects.ts'

export interface Device {
  readonly account: string
  readonly user: string
  readonly keys: AckKeys
  readonly firstSeq: number
  sees: readonly string[]
  /** Changes up to here are in `candidates`. */
  seen: number
  /** Time of its last start. */
  lastSeen: number
  readonly candidates: Set<Kept>
  /** Highest acknowledged revision by object number; 0: owed a deletion, nothing acknowledged. */
  readonly acked: Map<number, number>
  /** The newest session: the only one that counts towards the limit (O-4). */
  newest: Session | null
}

export interface Session {
  readonly id: string
  readonly device: Device
  readonly sees: readonly string[]
  readonly startedAt: number
  queue: readonly Kept[]
  next: number
  usedAt: number
  drained: boolean
}

export interface Birth {
  readonly secret: string
  /** Number of this life of the device. */
  readonly life: number
  readonly sees: readonly string[]
  readonly now: number
}

export function createDevice(ref: DeviceRef, numbers: Numbers, { secret, life, sees, now }: Birth): Device {
  const { account, user } = ref
  const keys = createAckKeys(secret, ref, life)
  return {
    account,
    user,
    keys,
    sees,
    firstSeq: numbers.lastSeq,
    seen: 0,
    lastSeen: now,
    candidates: new Set(),
    acked: new Map(),
    newest: null,
  }
}

/** Everything pending, in the order of birth: parents mostly come before what refers to them (ITEM-4). */
export function pendingOf(objects: Objects, numbers: Numbers, device: Device): readonly Kept[] {
  for (const object of objects.changedAfter(device.seen)) device.candidates.add(object)
  device.seen = numbers.lastSeq
  for (const object of device.candidates) {
    if (!isPending(object, device.acked.get(object.n), device)) device.candidates.delete(object)
  }
  return [...device.candidates].sort((one, other) => one.n - other.n)
}

/**
 * The slow mode of AUTH-3: the user's scopes changed since the device's last start. What went out of sight is
 * noted as owed and gets a new revision, so that its deletion is newer than what the device holds; what came
 * back although its deletion was acknowledged gets one too. Then every object is looked at anew.
 */
export function changeSight(objects: Objects, device: Device, sees: readonly string[]): void {
  if (sameScopes(device.sees, sees)) return
  for (const object of objects.all()) {
    const before = overlap(object.scopes, device.sees)
    if (before === overlap(object.scopes, sees)) continue
    const acked = device.acked.get(object.n)
    if (!before) {
      if (!object.dead && acked !== undefined && acked >= object.revision) objects.touch(object, false)
      continue
    }
    if (acked === undefined && (!object.dead || object.movedSeq > device.firstSeq)) device.acked.set(object.n, 0)
    if (!object.dead) objects.touch(object, true)
  }
  device.sees = sees
  device.seen = 0
  device.candidates.clear()
}

export function takeItems(session: Session, { limit, bytes, sees }: PageLimits): TakenPage {
  const { device, queue } = session
  const viewpoint: Viewpoint = { firstSeq: device.firstSeq, sees: session.sees }
  const items: HandedItem[] = []
  let size = 0
  for (; session.next < queue.length && items.length < limit; session.next++) {
    const object = queue[session.next]
    if (object === undefined || !isPending(object, device.acked.get(object.n), viewpoint)) continue
    // Seen at the start of the session and not now, or the other way round: the next start sorts it out (S10).
    if (!object.dead && overlap(object.scopes, session.sees) !== overlap(object.scopes, sees)) continue
    const item = itemOf(object, session)
    size += utf8Length(item.json) + ENVELOPE_BYTES
    if (items.length > 0 && size > bytes) break
    items.push(item)
  }
  if (items.length > 0) return { kind: 'page', items, left: queue.length - session.next }
  session.drained = true
  session.queue = []
  return { kind: 'drained' }
}

/** The acknowledged revision is the highest seen, in whatever order and how often keys come (S5). */
export function settleAck(device: Device, { byNumber }: Numbers, ack: AckedRevision): void {
  const object = byNumber[ack.object]
  if (object === undefined) return
  const acked = Math.max(ack.revision, device.acked.get(object.n) ?? 0)
  device.acked.set(object.n, acked)
  if (acked >= object.revision) device.candidates.delete(object)
}

function itemOf(object: Kept, { device, sees }: Session): HandedItem {
  const here = inSight(object, sees)
  const acked = device.acked.get(object.n) ?? 0
  return {
    type: object.type,
    id: object.id,
    revision: object.revision,
    event: here ? (acked === 0 ? 'created' : 'updated') : 'deleted',
    ackKey: device.keys.make(object.n, object.revision),
    json: here || object.dead ? object.json : toJson(keyFieldsOf(object.type, fromJson(object.json))),
  }
}

function utf8Length(text: string): number {
  let length = text.length
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    // Two units of a surrogate pair make four bytes, any other unit one to three.
    if (unit > 0x7f) length += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1
  }
  return length
}
