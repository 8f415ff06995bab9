/** A live query kept at hand: its rows, each row by key, and how each stands (R21). Follows until told to stop. */
import type { LiveQuery } from '../../src/index.ts'
import type { RowState } from './sync.ts'

export interface Mirror<T> {
  readonly state: () => 'loading' | 'ready' | 'error'
  readonly error: () => string
  readonly rows: () => readonly T[]
  readonly get: (id: number | string | null | undefined) => T | undefined
  readonly stateOf: (id: number | string) => RowState
  /** Called at once if there are rows already, and after each change; returns the way to stop. */
  readonly subscribe: (listener: () => void) => () => void
  readonly stop: () => void
}

export function createMirror<T extends { readonly id: number }>(live: LiveQuery<T>): Mirror<T> {
  const listeners = new Set<() => void>()
  let byId: ReadonlyMap<string, number> = new Map()
  let snapshot = live.getSnapshot()
  const take = (): void => {
    const next = live.getSnapshot()
    // A query that begins anew keeps what it knew.
    if (next.state === 'loading') return
    if (next.rows !== snapshot.rows) byId = new Map(next.rows.map((row, index) => [String(row.id), index]))
    snapshot = next
    for (const listener of listeners) listener()
  }
  const stop = live.subscribe(take)
  take()
  return {
    state: () => snapshot.state,
    error: () => snapshot.error?.message ?? '',
    rows: () => snapshot.rows,
    get: (id) => snapshot.rows[byId.get(String(id)) ?? -1],
    stateOf: (id) => snapshot.states[byId.get(String(id)) ?? -1] ?? 'synced',
    subscribe: (listener) => {
      listeners.add(listener)
      if (snapshot.state !== 'loading') listener()
      return () => listeners.delete(listener)
    },
    stop,
  }
}
