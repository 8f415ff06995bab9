/** A value that can be shown and followed: what `status`, `history` and `quarantine` are. */
import type { Store } from './api.ts'
import { createAudience, type Attendance } from './audience.ts'

export interface ValueStore<T> extends Store<T> {
  set(value: T): void
}

export function createValueStore<T>(initial: T, attendance?: Attendance): ValueStore<T> {
  const audience = createAudience<[]>(attendance)
  let value = initial
  return {
    getSnapshot: () => value,
    subscribe: audience.join,
    set(next) {
      value = next
      audience.tell()
    },
  }
}
