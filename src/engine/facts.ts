/**
 * The status: facts read from the store (so that every tab sees the same, I19 of state in the database) and
 * the phase the loop is in. One object, replaced on change, told to listeners.
 */
import type { Store } from '../store/store.ts'
import { NOTHING_KNOWN, type Facts, type Phase, type Status, type StorageMode } from './status.ts'

export interface StorageInfo {
  readonly mode: StorageMode
  readonly usage: number | null
  readonly quota: number | null
}

/** Share of the quota above which room is short. */
const LOW = 0.8

export interface StatusBoard {
  readonly current: Status
  readonly phase: Phase
  setPhase(phase: Phase): void
  setFacts(facts: Partial<Facts>): void
  /** Both at once, with the depths of the logs from memory: what a drain says of itself. */
  show(facts: Partial<Facts>, phase: Phase): void
  /** Reads everything but the row counts of the tables from the store. */
  refresh(): Promise<void>
  /** Counts the tables' rows; slow on large ones, so only when settling has moved some. */
  recount(): Promise<void>
  refreshStorage(): Promise<void>
  /** How much waits in inbox and outbox, from memory. */
  refreshLogs(): void
  subscribe(listener: (status: Status) => void): () => void
}

export function createStatusBoard(store: Store, storageInfo: () => Promise<StorageInfo>): StatusBoard {
  const listeners = new Set<(status: Status) => void>()
  let phase: Phase = { phase: 'starting' }
  let facts: Facts = NOTHING_KNOWN
  let current: Status = { ...facts, ...phase }

  function set(more: Partial<Facts>, next: Phase = phase): void {
    facts = { ...facts, ...more }
    phase = next
    current = { ...facts, ...phase }
    for (const listener of [...listeners]) listener(current)
  }

  const logs = (): Pick<Facts, 'records' | 'inbox' | 'outbox'> => {
    const { pages, records } = store.counts()
    const outbox = store.outbox.counts()
    return { records: { ...facts.records, unsettled: records }, inbox: { pages, records }, outbox }
  }

  return {
    get current() {
      return current
    },
    get phase() {
      return phase
    },
    setPhase: (next) => set({}, next),
    setFacts: (next) => set(next),
    show: (more, next) => set({ ...logs(), ...more }, next),
    async refresh() {
      const [{ device }, { lastSyncedAt, stuck, unreadable }, session, acks, quarantined] = await Promise.all([
        store.device.identity(),
        store.device.sync(),
        store.device.session(),
        store.pendingAcks(),
        store.quarantine.count(),
      ])
      const pendingAcks = acks.reduce((sum, { keys }) => sum + keys.length, 0)
      const sessionId = session?.id ?? null
      set({ ...logs(), deviceId: device, sessionId, lastSyncedAt, stuck, unreadable, quarantined, pendingAcks })
    },
    async recount() {
      const settled = await store.settledCount()
      set({ records: { settled, unsettled: store.counts().records } })
    },
    async refreshStorage() {
      const info = await storageInfo()
      const { usage, quota } = info
      set({ storage: { ...info, low: (usage ?? 0) > (quota ?? Infinity) * LOW } })
    },
    refreshLogs: () => set(logs()),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
