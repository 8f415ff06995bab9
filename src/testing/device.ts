/**
 * What the tabs of one device share besides its disk: locks and hints. Tabs over one `indexedDB` object are one
 * device, so a second client over it is a second tab, or the next visit. Also a factory that holds virtual time.
 */
import { aborted } from '../clock.ts'
import type { Channel, Hint } from '../engine/channel.ts'
import type { Locks } from '../engine/leader.ts'
import type { VirtualClock } from './clock.ts'

export interface Device {
  readonly locks: Locks
  readonly createChannel: (name: string) => Channel
}

const devices = new WeakMap<IDBFactory, Device>()

export function deviceOf(disk: IDBFactory): Device {
  const known = devices.get(disk) ?? { locks: createLocks(), createChannel: createChannels() }
  devices.set(disk, known)
  return known
}

/** Exclusive locks, granted in the order in which they were asked for, as Web Locks are. */
function createLocks(): Locks {
  const ends = new Map<string, Promise<void>>()
  return {
    exclusive: true,
    request: (name, signal, work) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(aborted())
        let ours = false
        signal.addEventListener('abort', () => ours || reject(aborted()), { once: true })
        const end = (ends.get(name) ?? Promise.resolve()).then(() => {
          if (signal.aborted) return
          ours = true
          return work().then(resolve, reject)
        })
        ends.set(name, end)
      }),
  }
}

function createChannels(): (name: string) => Channel {
  const members = new Set<{ readonly name: string; listener: (hint: Hint) => void }>()
  return (name) => {
    const own = { name, listener: (_hint: Hint): void => {} }
    members.add(own)
    return {
      post: (hint) => {
        for (const other of members)
          if (other !== own && other.name === name)
            void Promise.resolve().then(() => members.has(other) && other.listener(hint))
      },
      onHint: (listener) => void (own.listener = listener),
      close: () => void members.delete(own),
    }
  }
}

/** No virtual time passes while a database is being opened or a transaction is open. */
export function holdingTime(disk: IDBFactory, clock: VirtualClock): IDBFactory {
  const watch = (db: IDBDatabase): void => {
    const begin = db.transaction.bind(db)
    db.transaction = (...args: Parameters<typeof begin>) => {
      const transaction = begin(...args)
      releaseAt(transaction, ['complete', 'abort'], clock.hold())
      return transaction
    }
  }
  return {
    cmp: disk.cmp.bind(disk),
    databases: disk.databases.bind(disk),
    deleteDatabase: (name) => {
      const request = disk.deleteDatabase(name)
      // Blocked, it waits for others, who may wait for time.
      releaseAt(request, ['success', 'error', 'blocked'], clock.hold())
      return request
    },
    open: (name, version) => {
      const request = version === undefined ? disk.open(name) : disk.open(name, version)
      releaseAt(request, ['success', 'error', 'blocked'], clock.hold())
      request.addEventListener('success', () => watch(request.result))
      return request
    },
  }
}

function releaseAt(target: EventTarget, events: readonly string[], release: () => void): void {
  for (const event of events) target.addEventListener(event, release, { once: true })
}
