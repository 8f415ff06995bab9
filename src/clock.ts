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
  uuid: () => crypto.randomUUID?.() ?? uuidFromBytes(crypto.getRandomValues(new Uint8Array(16))),
  float: () => Math.random(),
}

/** The error that a cancelled wait rejects with. */
export function aborted(): SyncError {
  return new SyncError('aborted', 'The operation was cancelled.')
}

// Pages on plain http (other than localhost) have no randomUUID.
function uuidFromBytes(bytes: Uint8Array): string {
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = toHex(bytes)
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
