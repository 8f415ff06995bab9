/**
 * The store in memory: for tests, for the simulation (deterministic, given `uuid` and `now`), and for a
 * service inside a page. Nothing survives the process.
 *
 * Cost: a page costs its items, a start what changed since the device's last start and what it left
 * unacknowledged; only a device's first start, and one whose user sees other scopes, look at every object.
 */
import type { AckedRevision } from './ack-key.ts'
import { fingerprint, fromJson } from './data.ts'
import {
  changeSight,
  createDevice,
  pendingOf,
  settleAck,
  takeItems,
  type Device,
  type Session,
} from './memory/devices.ts'
import { createObjects, storedOf, type Kept, type Numbers, type Objects } from './memory/objects.ts'
import { compareBy, type Sortable } from './order.ts'
import { inSight, scopeSet } from './pending.ts'
import {
  defaultTerms,
  StoreClosedError,
  type DeviceRef,
  type Draft,
  type JsonObject,
  type Reviewed,
  type StoredObject,
  type SyncStore,
  type Terms,
} from './store.ts'
import { matches } from './upsert.ts'

export interface MemoryStoreOptions {
  /** Name of this store's life; another one tells every device to start anew (R14). Default: random. */
  readonly epoch?: string | undefined
  /** Source of session ids and of the secret behind ack keys. */
  readonly uuid?: (() => string) | undefined
  /** Wall clock, milliseconds since 1970. */
  readonly now?: (() => number) | undefined
  readonly terms?: Partial<Terms> | undefined
}

export function createMemoryStore(options: MemoryStoreOptions = {}): SyncStore {
  const uuid = options.uuid ?? (() => crypto.randomUUID())
  const now = options.now ?? (() => Date.now())
  const terms = { ...defaultTerms, ...options.terms }
  const epoch = options.epoch ?? uuid()
  const secret = `${epoch} ${uuid()}`
  const numbers: Numbers = { lastSeq: 0, byNumber: [] }
  const accounts = new Map<string, Objects>()
  const devices = new Map<string, Device>()
  const sessions = new Map<string, Session>()
  const outcomes = new Map<string, { readonly print: string; readonly object: StoredObject; readonly at: number }>()
  let inbox: { readonly device: Device; readonly at: number; readonly acks: readonly AckedRevision[] }[] = []
  let lives = 0
  let closed = false

  function open(): void {
    if (closed) throw new StoreClosedError('The store is closed.')
  }

  function objectsOf(account: string): Objects {
    const objects = accounts.get(account) ?? createObjects(numbers)
    accounts.set(account, objects)
    return objects
  }

  function deviceOf(ref: DeviceRef): Device | undefined {
    const device = devices.get(deviceKey(ref))
    return device !== undefined && now() - device.lastSeen <= terms.device ? device : undefined
  }

  function register(ref: DeviceRef, sees: readonly string[]): Device {
    drop(ref)
    const device = createDevice(ref, numbers, { secret, life: ++lives, sees, now: now() })
    devices.set(deviceKey(ref), device)
    return device
  }

  function drop(ref: DeviceRef): void {
    const device = devices.get(deviceKey(ref))
    devices.delete(deviceKey(ref))
    for (const session of sessions.values()) if (session.device === device) sessions.delete(session.id)
    inbox = inbox.filter((taken) => taken.device !== device)
  }

  function isLive(session: Session): boolean {
    return now() - session.usedAt <= terms.sessionIdle && now() - session.startedAt <= terms.sessionLife
  }

  /** Sessions that count towards the limit of a user's other devices (O-4). */
  function countOthers(ref: DeviceRef, own: Device | undefined): number {
    let count = 0
    for (const device of devices.values()) {
      const { account, user, newest } = device
      if (account !== ref.account || user !== ref.user || device === own) continue
      if (newest !== null && !newest.drained && isLive(newest)) count += 1
    }
    return count
  }

  function dropOldOutcomes(): void {
    for (const [key, { at }] of outcomes) {
      if (now() - at <= terms.idempotency) return
      outcomes.delete(key)
    }
  }

  function fresh(answer: { readonly reviewed: Reviewed; readonly at: number } | undefined): Reviewed | undefined {
    return answer?.at === numbers.lastSeq ? answer.reviewed : undefined
  }

  return {
    epoch,

    async openSession(ref, scopes, maxSessions) {
      open()
      for (const session of sessions.values()) if (!isLive(session)) sessions.delete(session.id)
      const known = deviceOf(ref)
      if (countOthers(ref, known) >= maxSessions) return { kind: 'too_many' }
      const sees = scopeSet(scopes)
      const device = known ?? register(ref, sees)
      const deviceIsNew = known === undefined
      device.lastSeen = now()
      const objects = objectsOf(ref.account)
      changeSight(objects, device, sees)
      const queue = pendingOf(objects, numbers, device)
      device.newest = null
      if (queue.length === 0) return { kind: 'nothing', deviceIsNew }
      const session: Session = {
        id: uuid(),
        device,
        sees,
        queue,
        next: 0,
        startedAt: now(),
        usedAt: now(),
        drained: false,
      }
      sessions.set(session.id, session)
      device.newest = session
      return { kind: 'opened', session: session.id, pending: queue.length, deviceIsNew }
    },

    async takePage(ref, id, limits) {
      open()
      const session = sessions.get(id)
      if (session === undefined || session.device !== deviceOf(ref) || !isLive(session)) return { kind: 'gone' }
      session.usedAt = now()
      return takeItems(session, limits)
    },

    async acceptAcks(ref, keys) {
      open()
      const device = deviceOf(ref)
      if (device === undefined) return
      const acks = keys.map((key) => device.keys.read(key)).filter((ack) => ack !== null)
      if (acks.length > 0) inbox.push({ device, at: now(), acks })
    },

    async workOffAcks({ device: ref, minAgeMs = 0, limit = Infinity } = {}) {
      open()
      const only = ref === undefined ? undefined : deviceOf(ref)
      let done = 0
      inbox = inbox.filter(({ device, at, acks }) => {
        if (done >= limit || now() - at < minAgeMs || (ref !== undefined && device !== only)) return true
        for (const ack of acks) settleAck(device, numbers, ack)
        done += acks.length
        return false
      })
    },

    async write(writer, op, idempotencyKey, review) {
      open()
      dropOldOutcomes()
      const objects = objectsOf(writer.account)
      const key = idempotencyKey === undefined ? null : JSON.stringify([writer.account, writer.user, idempotencyKey])
      const print = key === null ? '' : fingerprint(op)
      let draft: Draft | undefined
      let answer: { readonly reviewed: Reviewed; readonly at: number } | undefined
      for (;;) {
        const first = key === null ? undefined : outcomes.get(key)
        if (first !== undefined) {
          return first.print === print ? { kind: 'written', object: first.object } : { kind: 'key_reused' }
        }
        // An answer holds for what was stored when it was asked for; after any change it is asked for again.
        const result = objects.write(op, writer.sees, review && ((asked) => ((draft = asked), fresh(answer))))
        if (result.kind === 'written' && key !== null) outcomes.set(key, { print, object: result.object, at: now() })
        if (result.kind !== 'undecided') return result
        const at = numbers.lastSeq
        if (draft !== undefined && review !== undefined) answer = { reviewed: await review(draft), at }
        open()
      }
    },

    async read(account, sees, type, id) {
      open()
      const object = objectsOf(account).find(type, id)
      return object !== undefined && inSight(object, sees) ? storedOf(object) : null
    },

    async list(account, sees, type, { page, perPage, ids, match, sortBy }) {
      open()
      const wanted = ids === undefined ? undefined : new Set(ids)
      const found = objectsOf(account)
        .ofType(type)
        .filter((object) => inSight(object, sees) && (wanted === undefined || wanted.has(object.id)))
        .filter((object) => match === undefined || matches(object.json, match))
        .map(sortableOf)
        .sort(compareBy(sortBy))
      const slice = found.slice((page - 1) * perPage, page * perPage)
      return { objects: slice.map(({ object }) => storedOf(object)), count: found.length }
    },

    async importRecords(account, records, progress = () => {}) {
      open()
      return { changed: objectsOf(account).importRecords(records, progress) }
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

function deviceKey({ account, user, device }: DeviceRef): string {
  return JSON.stringify([account, user, device])
}

/** Data is taken apart only if the order asks for a field. */
function sortableOf(object: Kept): Sortable & { readonly object: Kept } {
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
