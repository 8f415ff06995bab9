/**
 * Who is listening: counts listeners, starts the source with the first one and stops it after the last.
 * Stopping lingers for one task, so that a view which unsubscribes and subscribes again at once
 * (a re-run effect) does not restart its query. A listener that throws disturbs nobody else.
 */
import type { Clock } from '../clock.ts'

export interface Audience<Arguments extends readonly unknown[]> {
  /** Adds a listener; returns the way to leave, which may be called twice. */
  join(listener: (...args: Arguments) => void): () => void
  tell(...args: Arguments): void
}

/** The source that runs while anybody listens. */
export interface Attendance {
  enter(): void
  leave(): void
}

export function createAttendance(clock: Clock, start: () => void, stop: () => void): Attendance {
  let present = 0
  let running = false
  return {
    enter() {
      present += 1
      if (running) return
      running = true
      start()
    },
    leave() {
      present -= 1
      if (present > 0) return
      void clock.sleep(0).then(() => {
        if (present > 0 || !running) return
        running = false
        stop()
      })
    },
  }
}

export function createAudience<Arguments extends readonly unknown[]>(attendance?: Attendance): Audience<Arguments> {
  // One entry a call, so that a function given twice is called twice and leaves once at a time.
  const seats = new Set<{ readonly listener: (...args: Arguments) => void }>()
  return {
    join(listener) {
      const seat = { listener }
      seats.add(seat)
      attendance?.enter()
      return () => {
        if (seats.delete(seat)) attendance?.leave()
      }
    },
    tell(...args) {
      for (const seat of [...seats]) if (seats.has(seat)) safely(() => seat.listener(...args))
    },
  }
}

/** Listeners that get the whole first and differences afterwards. */
export interface Followers<Change> {
  /** `ready`: whether there is a whole to give already; else the next `tell` gives it. */
  join(listener: (change: Change) => void, ready: boolean): () => void
  /** A difference for those who have the whole; null: nothing new for them. */
  tell(difference: Change | null): void
}

export function createFollowers<Change>(attendance: Attendance, whole: () => Change): Followers<Change> {
  const seats = new Set<{ readonly listener: (change: Change) => void; primed: boolean }>()
  const give = (seat: { readonly listener: (change: Change) => void; primed: boolean }, difference: Change | null): void => {
    if (!seats.has(seat)) return
    const change = seat.primed ? difference : whole()
    seat.primed = true
    if (change !== null) safely(() => seat.listener(change))
  }
  return {
    join(listener, ready) {
      const seat = { listener, primed: false }
      seats.add(seat)
      attendance.enter()
      // Not at once: the caller does not hold the way to leave yet. A `tell` in between has given it already.
      if (ready) queueMicrotask(() => give(seat, null))
      return () => {
        if (seats.delete(seat)) attendance.leave()
      }
    },
    tell(difference) {
      for (const seat of [...seats]) give(seat, difference)
    },
  }
}

/** Runs the app's code; what it throws is reported as uncaught, as for any event listener, and stops nothing here. */
export function safely(run: () => void): void {
  try {
    run()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
