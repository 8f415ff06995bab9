/**
 * Who is listening: starts the source with the first listener and stops it after the last.
 * Stopping lingers for one task, so that a view which unsubscribes and subscribes again at once
 * (a re-run effect) does not restart its query. A listener that throws disturbs nobody else.
 */
import type { Sleeper } from '../clock.ts'

/** The source that runs while anybody listens. */
export interface Attendance {
  enter(): void
  leave(): void
}

export function createAttendance(clock: Sleeper, start: () => void, stop: () => void): Attendance {
  let present = 0
  let running = false
  return {
    enter() {
      present += 1
      if (!running) start()
      running = true
    },
    leave() {
      present -= 1
      void clock.sleep(0).then(() => {
        if (present > 0 || !running) return
        running = false
        stop()
      })
    },
  }
}

export interface Audience<Change> {
  /** Adds a listener; returns the way to leave, which may be called twice. */
  join(listener: (change: Change) => void): () => void
  /** Gives `change` to those who have the whole, and the whole to newcomers. Null: nothing new. */
  tell(change: Change | null): void
}

/** @param whole what a newcomer gets before any difference; null while there is none */
export function createAudience<Change>(attendance: Attendance | null, whole?: () => Change | null): Audience<Change> {
  const seats = new Set<Seat<Change>>()
  const give = (seat: Seat<Change>, difference: Change | null): void => {
    const change = seat.newcomer && whole !== undefined ? whole() : difference
    if (change === null || !seats.has(seat)) return
    seat.newcomer = false
    try {
      seat.listener(change)
    } catch (error) {
      // Reported as uncaught, as with any event listener.
      queueMicrotask(() => {
        throw error
      })
    }
  }
  return {
    join(listener) {
      const seat = { listener, newcomer: true }
      seats.add(seat)
      attendance?.enter()
      // Not at once: the caller does not hold the way to leave yet.
      queueMicrotask(() => give(seat, null))
      return () => {
        if (seats.delete(seat)) attendance?.leave()
      }
    },
    tell: (change) => [...seats].forEach((seat) => give(seat, change)),
  }
}

interface Seat<Change> {
  readonly listener: (change: Change) => void
  newcomer: boolean
}
