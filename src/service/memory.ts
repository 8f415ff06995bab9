/**
 * The store in memory: for tests, for the simulation (deterministic, given `uuid` and `now`), and for a
 * service inside a page. Nothing survives the process.
 *
 * Cost: a page costs its items. A start costs what changed since the device's last start and what it left
 * unacknowledged, because each device keeps its candidates; only the first start of a device, and one whose
 * user sees other scopes than before, look at every object (AUTH-3: the documented slow mode).
 */
import { createAckKeys, type AckKeys, type AckedRevision } from './ack-key.ts'
import { fingerprint, fromJson, mergeFields, sameJson, toJson } from './data.ts'
import { idOf, keyFieldsOf, naturalId } from './identity.ts'
import { compareBy } from './order.ts'
import { inSight, isPending, overlap, sameScopes, scopeSet, type Placed } from './pending.ts'
import {
  defaultTerms,
  EVERYONE,
  StoreClosedError,
  type DeviceRef,
  type HandedItem,
  type ImportRecord,
  type JsonObject,
  type StoredObject,
  type SyncStore,
  type Terms,
  type WriteOp,
  type WriteResult,
} from './store.ts'

export interface MemoryStoreOptions {
  /** Name of this store's life; another one tells every device to start anew (R14). Default: random. */
  readonly epoch?: string | undefined
  /** Source of session ids and of the secret behind ack keys. */
  readonly uuid?: (() => string) | undefined
  /** Wall clock, milliseconds since 1970. */
  readonly now?: (() => number) | undefined
  readonly terms?: Partial<Terms> | undefined
}

/** An object as kept. Mutable: sessions refer to it and so meet its newest state (ITEM-1). */
interface Kept extends Placed {
  readonly n: number
  readonly type: string
  readonly id: string
  revision: number
  seq: number
  dead: boolean
  scopes: readonly string[]
  ever: readonly string[]
  movedRevision: number
  movedSeq: number
  /** The data; of a dead object its key fields. */
  json: string
}

interface Tenant {
  readonly objects: Map<string, Kept>
  readonly types: Map<string, { readonly all: Kept[]; nextId: number }>
  /** Every change in order; an entry whose object has changed since is void. */
  changes: { readonly seq: number; readonly object: Kept }[]
}

interface Device {
  readonly account: string
  readonly user: string
  readonly keys: AckKeys
  readonly firstSeq: number
  sees: readonly string[]
  /** Changes up to here are in `candidates`. */
  seen: number
  lastSeen: number
  /** Every pending object, and some that are not. */
  readonly candidates: Set<Kept>
  /** Highest acknowledged revision by object number; 0: owed a deletion, nothing acknowledged. */
  readonly acked: Map<number, number>
  /** The newest session: the only one that counts towards the limit (O-4). */
  current: Session | null
}

interface Session {
  readonly id: string
  readonly device: Device
  readonly sees: readonly string[]
  readonly startedAt: number
  queue: readonly Kept[]
  next: number
  usedAt: number
  drained: boolean
}

/** JSON text around an item on a page: envelope, sync metadata, ack key. Counted towards the page's bytes. */
const ENVELOPE_BYTES = 200

export function createMemoryStore(options: MemoryStoreOptions = {}): SyncStore {
  const uuid = options.uuid ?? (() => crypto.randomUUID())
  const now = options.now ?? (() => Date.now())
  const terms = { ...defaultTerms, ...options.terms }
  const epoch = options.epoch ?? uuid()
  const secret = `${epoch} ${uuid()}`
  const tenants = new Map<string, Tenant>()
  const byNumber: Kept[] = []
  const devices = new Map<string, Device>()
  const sessions = new Map<string, Session>()
  const outcomes = new Map<string, { readonly print: string; readonly object: StoredObject; readonly at: number }>()
  let inbox: { readonly device: Device; readonly at: number; readonly acks: readonly AckedRevision[] }[] = []
  let lastSeq = 0
  let lives = 0
  let closed = false

  function tenantOf(account: string): Tenant {
    const tenant = tenants.get(account) ?? { objects: new Map(), types: new Map(), changes: [] }
    tenants.set(account, tenant)
    return tenant
  }

  function typeOf(tenant: Tenant, type: string): { readonly all: Kept[]; nextId: number } {
    const kept = tenant.types.get(type) ?? { all: [], nextId: 1 }
    tenant.types.set(type, kept)
    return kept
  }

  // --- objects

  function insert(tenant: Tenant, type: string, id: string, data: JsonObject, scopes: readonly string[]): Kept {
    const ofType = typeOf(tenant, type)
    const set = scopeSet(scopes)
    const object: Kept = {
      n: byNumber.length, type, id, revision: 0, seq: 0, dead: false, scopes: set, ever: set, movedRevision: 0, movedSeq: 0,
      json: toJson(data),
    }
    byNumber.push(object)
    ofType.all.push(object)
    ofType.nextId = Math.max(ofType.nextId, (naturalId(id) ?? 0) + 1)
    tenant.objects.set(keyOf(type, id), object)
    touch(tenant, object)
    return object
  }

  /** Gives the object its next revision. */
  function touch(tenant: Tenant, object: Kept): void {
    object.revision += 1
    object.seq = ++lastSeq
    tenant.changes.push({ seq: object.seq, object })
    if (tenant.changes.length > 1000 + 2 * tenant.objects.size) {
      tenant.changes = tenant.changes.filter((change) => change.seq === change.object.seq)
    }
  }

  /** As `touch`, for a change by which the object leaves somebody's sight. */
  function move(tenant: Tenant, object: Kept): void {
    touch(tenant, object)
    object.movedRevision = object.revision
    object.movedSeq = object.seq
  }

  /** Sets the whole state of a present or dead object; true if anything changed. */
  function replace(tenant: Tenant, object: Kept, json: string, scopes: readonly string[]): boolean {
    const set = scopeSet(scopes)
    const stays = sameScopes(set, object.scopes)
    if (!object.dead && stays && sameJson(json, object.json)) return false
    object.json = json
    object.dead = false
    object.scopes = set
    if (stays) touch(tenant, object)
    else {
      object.ever = scopeSet([...object.ever, ...set])
      move(tenant, object)
    }
    return true
  }

  function create(tenant: Tenant, op: WriteOp & { kind: 'create' }): WriteResult {
    const scopes = op.scopes ?? [EVERYONE]
    const given = op.id ?? idOf(op.data['id'])
    const id = given ?? String(typeOf(tenant, op.type).nextId)
    const data = Object.hasOwn(op.data, 'id') ? op.data : { id: given ?? Number(id), ...op.data }
    const found = tenant.objects.get(keyOf(op.type, id))
    if (found === undefined) return written(insert(tenant, op.type, id, data, scopes))
    if (!found.dead) return { kind: 'exists' }
    replace(tenant, found, toJson(data), scopes)
    return written(found)
  }

  function apply(account: string, sees: readonly string[] | undefined, op: WriteOp): WriteResult {
    const tenant = tenantOf(account)
    if (op.kind === 'create') return create(tenant, op)
    const object = tenant.objects.get(keyOf(op.type, op.id))
    if (object === undefined || object.dead || (sees !== undefined && !overlap(object.scopes, sees))) return { kind: 'missing' }
    const data = fromJson(object.json)
    if (op.kind === 'update') {
      replace(tenant, object, toJson(mergeFields(data, op.patch)), op.scopes ?? object.scopes)
    } else {
      object.dead = true
      object.json = toJson(keyFieldsOf(object.type, data))
      move(tenant, object)
    }
    return written(object)
  }

  // --- devices and sessions

  function deviceOf(ref: DeviceRef): Device | undefined {
    const device = devices.get(deviceKey(ref))
    return device !== undefined && now() - device.lastSeen <= terms.device ? device : undefined
  }

  function isLive(session: Session): boolean {
    return now() - session.usedAt <= terms.sessionIdle && now() - session.startedAt <= terms.sessionLife
  }

  function drop(ref: DeviceRef): void {
    const device = devices.get(deviceKey(ref))
    devices.delete(deviceKey(ref))
    for (const session of sessions.values()) if (session.device === device) sessions.delete(session.id)
    inbox = inbox.filter((taken) => taken.device !== device)
  }

  function register(ref: DeviceRef, sees: readonly string[]): Device {
    drop(ref)
    const device: Device = {
      account: ref.account, user: ref.user, keys: createAckKeys(secret, ref, ++lives), firstSeq: lastSeq, sees, seen: 0,
      lastSeen: now(), candidates: new Set(), acked: new Map(), current: null,
    }
    devices.set(deviceKey(ref), device)
    return device
  }

  /**
   * The user's scopes changed since the device's last start. What went out of sight gets a new revision, so
   * that the deletion is newer than what the device holds, and is noted as owed; what came back although its
   * deletion was acknowledged gets one too. Then every object is looked at anew.
   */
  function changeSight(tenant: Tenant, device: Device, sees: readonly string[]): void {
    for (const object of tenant.objects.values()) {
      const before = overlap(object.scopes, device.sees)
      const after = overlap(object.scopes, sees)
      if (before === after) continue
      const acked = device.acked.get(object.n)
      if (before) {
        if (!object.dead) move(tenant, object)
        if (acked === undefined && (!object.dead || object.movedSeq > device.firstSeq)) device.acked.set(object.n, 0)
      } else if (!object.dead && acked !== undefined && acked >= object.revision) touch(tenant, object)
    }
    device.sees = sees
    device.seen = 0
    device.candidates.clear()
  }

  function pendingOf(tenant: Tenant, device: Device): Kept[] {
    for (let at = firstAfter(tenant.changes, device.seen); at < tenant.changes.length; at++) {
      const change = tenant.changes[at]
      if (change !== undefined && change.seq === change.object.seq) device.candidates.add(change.object)
    }
    device.seen = lastSeq
    for (const object of device.candidates) {
      if (!isPending(object, device.acked.get(object.n), device)) device.candidates.delete(object)
    }
    return [...device.candidates].sort((one, other) => one.n - other.n)
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

  function settleAck(device: Device, ack: AckedRevision): void {
    const object = byNumber[ack.object]
    if (object === undefined) return
    const acked = Math.max(ack.revision, device.acked.get(object.n) ?? 0)
    device.acked.set(object.n, acked)
    if (acked >= object.revision) device.candidates.delete(object)
  }

  function open(): void {
    if (closed) throw new StoreClosedError('The store is closed.')
  }

  return {
    epoch,

    async openSession(ref, scopes, maxSessions) {
      open()
      for (const session of sessions.values()) if (!isLive(session)) sessions.delete(session.id)
      const sees = scopeSet(scopes)
      const known = deviceOf(ref)
      let active = 0
      for (const device of devices.values()) {
        const { account, user, current } = device
        if (account !== ref.account || user !== ref.user || device === known) continue
        if (current !== null && !current.drained && isLive(current)) active += 1
      }
      if (active >= maxSessions) return { kind: 'too_many' }
      const device = known ?? register(ref, sees)
      const deviceIsNew = known === undefined
      const tenant = tenantOf(ref.account)
      device.lastSeen = now()
      device.current = null
      if (!sameScopes(device.sees, sees)) changeSight(tenant, device, sees)
      const queue = pendingOf(tenant, device)
      if (queue.length === 0) return { kind: 'nothing', deviceIsNew }
      const session: Session = { id: uuid(), device, sees, queue, next: 0, startedAt: now(), usedAt: now(), drained: false }
      sessions.set(session.id, session)
      device.current = session
      return { kind: 'opened', session: session.id, pending: queue.length, deviceIsNew }
    },

    async takePage(ref, id, { limit, bytes, sees }) {
      open()
      const session = sessions.get(id)
      if (session === undefined || session.device !== deviceOf(ref) || !isLive(session)) return { kind: 'gone' }
      const { device } = session
      session.usedAt = device.lastSeen = now()
      const viewpoint = { firstSeq: device.firstSeq, sees: session.sees }
      const items: HandedItem[] = []
      let size = 0
      for (; session.next < session.queue.length && items.length < limit; session.next++) {
        const object = session.queue[session.next]
        if (object === undefined || !isPending(object, device.acked.get(object.n), viewpoint)) continue
        // Seen at the start of the session and not now, or the other way round: the next start sorts it out.
        if (!object.dead && overlap(object.scopes, session.sees) !== overlap(object.scopes, sees)) continue
        const item = itemOf(object, session)
        size += utf8Length(item.json) + ENVELOPE_BYTES
        if (items.length > 0 && size > bytes) break
        items.push(item)
      }
      if (items.length > 0) return { kind: 'page', items, left: session.queue.length - session.next }
      session.drained = true
      session.queue = []
      return { kind: 'drained' }
    },

    async acceptAcks(ref, keys) {
      open()
      const device = deviceOf(ref)
      if (device === undefined) return
      device.lastSeen = now()
      const acks = keys.map((key) => device.keys.read(key)).filter((ack) => ack !== null)
      if (acks.length > 0) inbox.push({ device, at: now(), acks })
    },

    async workOffAcks({ device: ref, minAgeMs = 0, limit = Infinity } = {}) {
      open()
      const only = ref === undefined ? undefined : deviceOf(ref)
      let done = 0
      inbox = inbox.filter((taken) => {
        if (done >= limit || now() - taken.at < minAgeMs || (ref !== undefined && taken.device !== only)) return true
        for (const ack of taken.acks) settleAck(taken.device, ack)
        done += taken.acks.length
        return false
      })
    },

    async write(writer, op, idempotencyKey) {
      open()
      if (idempotencyKey === undefined) return apply(writer.account, writer.sees, op)
      for (const [key, { at }] of outcomes) {
        if (now() - at <= terms.idempotency) break
        outcomes.delete(key)
      }
      const key = JSON.stringify([writer.account, writer.user, idempotencyKey])
      const print = fingerprint(op)
      const first = outcomes.get(key)
      if (first !== undefined) {
        return first.print === print ? { kind: 'written', object: first.object, replayed: true } : { kind: 'key_reused' }
      }
      const result = apply(writer.account, writer.sees, op)
      if (result.kind === 'written') outcomes.set(key, { print, object: result.object, at: now() })
      return result
    },

    async read(account, sees, type, id) {
      open()
      const object = tenantOf(account).objects.get(keyOf(type, id))
      return object !== undefined && inSight(object, sees) ? storedOf(object) : null
    },

    async list(account, sees, type, { page, perPage, ids, sortBy }) {
      open()
      const wanted = ids === undefined ? undefined : new Set(ids)
      const found = typeOf(tenantOf(account), type)
        .all.filter((object) => inSight(object, sees) && (wanted === undefined || wanted.has(object.id)))
        .map((object) => sortableOf(object))
        .sort(compareBy(sortBy))
      const slice = found.slice((page - 1) * perPage, page * perPage)
      return { objects: slice.map(({ object }) => storedOf(object)), count: found.length }
    },

    async importRecords(account, records, progress) {
      open()
      // All of the input is read before any of it is stored: all or nothing.
      const entries = records.map(({ type, data, scopes }) => ({ type, id: requireId(data), json: toJson(data), data, scopes }))
      const tenant = tenantOf(account)
      let changed = 0
      entries.forEach(({ type, id, json, data, scopes }, index) => {
        const found = tenant.objects.get(keyOf(type, id))
        if (found === undefined) insert(tenant, type, id, data, scopes ?? [EVERYONE])
        if (found === undefined || replace(tenant, found, json, scopes ?? [EVERYONE])) changed += 1
        if ((index + 1) % 1000 === 0) progress?.(index + 1)
      })
      progress?.(entries.length)
      return { changed }
    },

    async forget(ref) {
      open()
      drop(ref)
    },

    async close() {
      closed = true
    },
  }
}

function keyOf(type: string, id: string): string {
  return `${type} ${id}`
}

function deviceKey({ account, user, device }: DeviceRef): string {
  return JSON.stringify([account, user, device])
}

function written(object: Kept): WriteResult {
  return { kind: 'written', object: storedOf(object), replayed: false }
}

function storedOf({ type, id, revision, dead, json }: Kept): StoredObject {
  return { type, id, revision, data: dead ? null : fromJson(json) }
}

function sortableOf(object: Kept): { readonly object: Kept; readonly id: string; field(name: string): unknown } {
  let data: JsonObject | undefined
  return {
    object,
    id: object.id,
    field: (name) => {
      data ??= fromJson(object.json)
      return Object.hasOwn(data, name) ? data[name] : undefined
    },
  }
}

function requireId(data: JsonObject): string {
  const id = idOf(data['id'])
  if (id === null) throw new TypeError('A record needs an id: a whole number or a string.')
  return id
}

/** Index of the first change after `seq`. */
function firstAfter(changes: readonly { readonly seq: number }[], seq: number): number {
  let [low, high] = [0, changes.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((changes[middle]?.seq ?? 0) <= seq) low = middle + 1
    else high = middle
  }
  return low
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
