/**
 * The only source of time and randomness. Everything that waits, measures or draws lots takes a
 * `Clock` or a `Random`, so that the whole engine runs under virtual time in the simulation.
 * Wall time only decides when to try; it never decides what is newer or what is kept.
 */
import { SyncError } from './errors.ts'

export interface Clock {
  /** Wall clock, milliseconds since 1970. For display only. */
  now(): number
  /** Never goes backwards, milliseconds since an arbitrary start. For durations. */
  monotonic(): number
  /** Resolves after `ms`, rejects with `aborted` as soon as `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** All that waiting needs. */
export type Sleeper = Pick<Clock, 'sleep'>

export interface Random {
  /** A fresh version 4 UUID. */
  uuid(): string
  /** Uniform in [0, 1). */
  float(): number
}

/** Waits by the system's clock. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer)
      reject(aborted())
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop, { once: true })
  })
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep,
}

export const systemRandom: Random = {
  uuid: () => crypto.randomUUID?.() ?? randomUuid(),
  float: () => Math.random(),
}

/** The error that a cancelled wait rejects with. */
export function aborted(): SyncError {
  return new SyncError('aborted', 'The operation was cancelled.')
}

// Pages on plain http (other than localhost) have no randomUUID. Digits 1 and 0 become any, 8 becomes 8, 9, a or b.
function randomUuid(): string {
  return '10000000-1000-4000-8000-100000000000'.replace(/[018]/g, (digit) => {
    const random = crypto.getRandomValues(new Uint8Array(1))[0]!
    return (Number(digit) ^ (random & (15 >> (Number(digit) / 4)))).toString(16)
  })
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
