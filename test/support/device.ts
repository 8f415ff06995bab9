/** One device for tests: the real engine over the real store on fake-indexeddb, and parts that can be killed. */
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import type { Clock, Random } from '../../src/clock.ts'
import { aborted } from '../../src/clock.ts'
import type { Channel, Hint } from '../../src/engine/channel.ts'
import { createEngine, type Engine, type EngineOptions } from '../../src/engine/engine.ts'
import type { Locks } from '../../src/engine/leader.ts'
import type { Http } from '../../src/engine/transport.ts'
import { silentLog } from '../../src/log.ts'
import type { Schema } from '../../src/schema.ts'
import { openStore, type Store } from '../../src/store/store.ts'

/** What survives a process: the disk, and what the browser shares between tabs. */
export interface Machine {
  readonly indexedDB: IDBFactory
  readonly locks: Locks & { release(owner: object): void; for(owner: object): Locks }
  readonly channels: Set<{ owner: object; listener: ((hint: Hint) => void) | null }>
}

export function createMachine(): Machine {
  const held = new Map<string, object>()
  const waiting: Array<{ name: string; owner: object; grant: () => void }> = []
  const next = (name: string): void => {
    const at = waiting.findIndex((one) => one.name === name)
    if (at >= 0 && !held.has(name)) waiting.splice(at, 1)[0]!.grant()
  }
  const forOwner = (owner: object): Locks => ({
    exclusive: true,
    request: (name, signal, work) =>
      new Promise((resolve, reject) => {
        const grant = (): void => {
          held.set(name, owner)
          work()
            .then(resolve, reject)
            .finally(() => {
              if (held.get(name) === owner) held.delete(name)
              next(name)
            })
        }
        waiting.push({ name, owner, grant })
        signal.addEventListener('abort', () => {
          const at = waiting.findIndex((one) => one.grant === grant)
          if (at < 0) return
          waiting.splice(at, 1)
          reject(aborted())
        })
        next(name)
      }),
  })
  return {
    indexedDB: new IDBFactory(),
    channels: new Set(),
    locks: {
      ...forOwner({}),
      for: forOwner,
      release(owner) {
        for (let at = waiting.length - 1; at >= 0; at--) if (waiting[at]!.owner === owner) waiting.splice(at, 1)
        for (const [name, holder] of [...held]) {
          if (holder !== owner) continue
          held.delete(name)
          next(name)
        }
      },
    },
  }
}

export interface ProcessDeps {
  readonly machine: Machine
  readonly schema: Schema
  readonly http: Http
  readonly clock: Clock
  readonly random: Random
  readonly token?: () => Promise<string>
  readonly options?: Partial<EngineOptions>
  /** False: memory never answers alone. */
  readonly fromMemory?: boolean
  /** A transaction that may write these stores has just completed, and no later one of them has begun. */
  readonly onCommit?: (stores: readonly string[], durability: string) => void
}

export interface Process {
  /** The store and engine, once storage is open. */
  readonly ready: Promise<{ readonly store: Store; readonly engine: Engine }>
  /** Ends the process as SIGKILL would: open transactions roll back, nothing else is said. */
  kill(): void
}

export function startProcess(deps: ProcessDeps): Process {
  const { machine, schema, http, clock, random, token, options, fromMemory, onCommit } = deps
  const owner = {}
  const tracked = trackTransactions(machine.indexedDB, onCommit)
  const entry: { owner: object; listener: ((hint: Hint) => void) | null } = { owner, listener: null }
  const channel: Channel = {
    post: (hint) => {
      for (const other of machine.channels)
        if (other !== entry) void clock.sleep(1).then(() => machine.channels.has(other) && other.listener?.(hint))
    },
    onHint: (listener) => {
      entry.listener = listener
    },
    close: () => machine.channels.delete(entry),
  }
  machine.channels.add(entry)
  const ready = openStore('test', schema, { indexedDB: tracked.factory, IDBKeyRange, clock, random, fromMemory }).then(
    (store) => ({
      store,
      engine: createEngine(
        {
          store,
          http,
          clock,
          random,
          channel,
          token: token ?? (() => Promise.resolve('token')),
          locks: machine.locks.for(owner),
          log: silentLog,
          storageInfo: () => Promise.resolve({ mode: 'best-effort', usage: null, quota: null }),
        },
        {
          endpoint: 'http://sync.test',
          lockName: 'lock',
          rate: 0,
          capabilities: {},
          poll: 60_000,
          timeouts: {},
          ceiling: {},
          ...options,
        },
      ),
    }),
  )
  return {
    ready,
    kill: () => {
      tracked.crash()
      machine.channels.delete(entry)
      machine.locks.release(owner)
    },
  }
}

/** A factory whose connections can be cut as a dying process cuts them: what is not complete rolls back. */
export function trackTransactions(
  real: IDBFactory,
  onCommit?: ProcessDeps['onCommit'],
): { factory: IDBFactory; crash: () => void } {
  const connections = new Set<IDBDatabase>()
  const active = new Set<IDBTransaction>()
  let dead = false
  const factory = {
    cmp: real.cmp.bind(real),
    databases: real.databases.bind(real),
    deleteDatabase: real.deleteDatabase.bind(real),
    open: (name: string, version?: number) => {
      const request = version === undefined ? real.open(name) : real.open(name, version)
      request.addEventListener('success', () => {
        const db = request.result as unknown as IDBDatabase
        connections.add(db)
        if (dead) db.close()
        const begin = db.transaction.bind(db)
        db.transaction = (...args: Parameters<typeof begin>) => {
          const tx = begin(...args)
          active.add(tx)
          if (onCommit !== undefined && tx.mode === 'readwrite')
            tx.addEventListener('complete', () => onCommit([...tx.objectStoreNames], args[2]?.durability ?? 'default'))
          for (const end of ['complete', 'abort'] as const) tx.addEventListener(end, () => active.delete(tx))
          return tx
        }
      })
      return request
    },
  }
  return {
    factory: factory as unknown as IDBFactory,
    crash: () => {
      dead = true
      for (const tx of active) {
        try {
          tx.abort()
        } catch {
          // It has just completed.
        }
      }
      for (const db of connections) db.close()
    },
  }
}

/** What is on the disk of a machine right now, without asking for it: only for between two transactions of a store. */
export function peek<T>({ indexedDB }: Pick<Machine, 'indexedDB'>, store: string): T[] {
  const inside = indexedDB as unknown as {
    _databases: Map<string, { rawObjectStores: Map<string, { records: { values(): Iterable<{ value: T }> } }> }>
  }
  const [database] = inside._databases.values()
  return Array.from(database?.rawObjectStores.get(store)?.records.values() ?? [], ({ value }) => value)
}
