/**
 * The rate limit: no second holds more requests than the endpoint allows (R12, RATE-1). A burst may use them up
 * at once; then each request waits until the one so many before it is a second old. Where the limit is
 * felt, fetches go before acks, but an ack is overtaken only so often, since by then its call is full (FAQ-6.2).
 */
import { aborted, type Clock } from '../clock.ts'

export interface RateLimit {
  /** Resolves when a request may go out. `first`: it goes before those that can wait. */
  take(signal: AbortSignal, first: boolean): Promise<void>
  /** False: nobody needs to ask. */
  readonly limited: boolean
  /** Requests a second; 0 lifts the limit. */
  set(perSecond: number): void
}

/** Fetches that may overtake an ack: by then a call of 500 keys is full. */
const OVERTAKEN_AT_MOST = 4
/** The longest an ack holds back for fetches that do not come. */
const HOLD_BACK_MS = 500

interface Turn {
  readonly first: boolean
  readonly since: number
  readonly go: () => void
  overtaken: number
}

export function createRateLimit(clock: Clock, perSecond: number): RateLimit {
  let rate = perSecond
  let sent: number[] = []
  let line: Turn[] = []
  let serving = false
  let nap = new AbortController()

  // Below one a second it is one in so many seconds.
  const allowed = (): number => Math.max(1, Math.floor(rate))
  const window = (): number => Math.max(1_000, 1_000 / rate)

  /** Milliseconds until another request may go. */
  function left(): number {
    const before = rate === 0 ? undefined : sent.at(-allowed())
    return before === undefined ? 0 : before + window() - clock.monotonic()
  }

  /** Less than half of what is allowed was used: nobody need hold back. */
  function isRoomy(): boolean {
    return rate === 0 || sent.filter((at) => clock.monotonic() - at < window()).length * 2 < allowed()
  }

  /** Whose turn it is, or for how many milliseconds it is nobody's. */
  function next(): Turn | number {
    const now = clock.monotonic()
    const patient = line.find(({ first }) => !first)
    const urgent = line.find(({ first }) => first)
    if (patient === undefined) return urgent ?? 0
    if (patient.overtaken >= OVERTAKEN_AT_MOST) return patient
    if (urgent !== undefined) {
      patient.overtaken++
      return urgent
    }
    const hold = isRoomy() ? 0 : patient.since + HOLD_BACK_MS - now
    return hold > 0 ? hold : patient
  }

  async function serve(): Promise<void> {
    serving = true
    while (line.length > 0) {
      const ms = left()
      const turn = ms > 0 ? ms : next()
      if (typeof turn === 'number') {
        nap = new AbortController()
        await clock.sleep(turn, nap.signal).catch(() => undefined)
        continue
      }
      line = line.filter((other) => other !== turn)
      sent = rate === 0 ? [] : [...sent, clock.monotonic()].slice(-allowed())
      turn.go()
      // Whoever was let go may ask again before the next is chosen.
      await null
    }
    serving = false
  }

  return {
    get limited() {
      return rate !== 0
    },
    take: (signal, first) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(aborted())
        const leave = (): void => {
          line = line.filter((other) => other !== turn)
          reject(aborted())
        }
        const turn: Turn = {
          first,
          since: clock.monotonic(),
          overtaken: 0,
          go: () => {
            signal.removeEventListener('abort', leave)
            resolve()
          },
        }
        signal.addEventListener('abort', leave, { once: true })
        line.push(turn)
        if (serving) nap.abort()
        else void serve()
      }),
    set: (next) => {
      rate = next
      nap.abort()
    },
  }
}
