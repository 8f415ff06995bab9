/** A value that can be shown and followed: what `status`, `history` and `quarantine` are. */
import type { Store } from './api.ts'
import { createAudience, type Attendance } from './audience.ts'

export interface ValueStore<T> extends Store<T> {
  set(value: T): void
}

export function createValueStore<T>(value: T, attendance: Attendance | null): ValueStore<T> {
  const audience = createAudience<true>(attendance)
  return {
    getSnapshot: () => value,
    subscribe: (listener) => audience.join(() => listener()),
    set(next) {
      value = next
      audience.tell(true)
    },
  }
}
