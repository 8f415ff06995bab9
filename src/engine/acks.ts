/**
 * The ack sender: keys go out as soon as the commit that stored them has completed, never before
 * (promise 1), and are dropped from disk only once the server has taken them (ACK-6, I9). It never holds up
 * the drain.
 */
import type { Clock, Random } from '../clock.ts'
import { toPlain } from '../errors.ts'
import { ACK_KEYS_PER_CALL } from '../protocol/routes.ts'
import type { Lease, Store } from '../store/store.ts'
import { backoff } from './retry.ts'
import type { Transport } from './transport.ts'

export interface AckSender {
  /** Keys of a completed commit. */
  add(row: { readonly n: number; readonly keys: readonly string[] }): void
  /** Resolves when everything added so far is with the server; rejects if it cannot be brought there now. */
  flush(): Promise<void>
  /** Keys not yet taken by the server. */
  readonly pending: number
  /** Keys the server has taken. */
  readonly taken: number
  /** Keys the server refuses, one by one; they stay on disk and are tried again with the next run (R11). */
  readonly refused: number
}

interface AckDeps {
  readonly store: Store
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly lease: Lease
  readonly signal: AbortSignal
  readonly onChange: () => void
}

/** The keys of one commit; the row leaves the disk with the last of them. */
interface Row {
  readonly n: number
  readonly keys: readonly string[]
  /** So many of them are answered for. */
  answered: number
  readonly refused: string[]
}

/** Tries within one run before the run gives up; the next run begins with the kept keys. */
const TRIES = 4

export function createAckSender({ store, transport, clock, random, lease, signal, onChange }: AckDeps): AckSender {
  /** In the order of their commits; the first may be answered for in part. */
  const rows: Row[] = []
  let pending = 0
  let taken = 0
  const refused = new Set<string>()
  let sending: Promise<void> | null = null
  /** Rows leave the disk while the next call is under way. */
  let drops: Promise<unknown> = Promise.resolve()

  /** The next keys, at most so many. */
  function next(size: number): string[] {
    const keys: string[] = []
    for (const row of rows) {
      if (keys.length === size) break
      keys.push(...row.keys.slice(row.answered, row.answered + size - keys.length))
    }
    return keys
  }

  function done(keys: readonly string[], accepted: boolean): void {
    const complete: Row[] = []
    let left = keys.length
    while (left > 0) {
      const row = rows[0]!
      const part = row.keys.slice(row.answered, row.answered + left)
      row.answered += part.length
      left -= part.length
      for (const key of part) {
        if (accepted || refused.has(key)) continue
        // It comes with every session; one copy of it is kept.
        refused.add(key)
        row.refused.push(key)
      }
      if (row.answered === row.keys.length) complete.push(rows.shift()!)
    }
    pending -= keys.length
    for (const row of complete) drops = Promise.all([drops, store.dropAcks(lease, row.n, row.refused)])
    // Whoever waits for the sender is told.
    drops.catch(() => undefined)
    if (accepted) taken += keys.length
    onChange()
  }

  async function sendAll(): Promise<void> {
    let tries = 0
    let size = ACK_KEYS_PER_CALL
    while (pending > 0) {
      let part: readonly string[] = []
      try {
        await transport.ack(() => (part = next(size)), signal)
      } catch (error) {
        const plain = toPlain(error)
        if (plain.code === 'request_refused') {
          // One key the server cannot take must not hold back the others: halve until it stands alone.
          if (part.length === 1) done(part, false)
          size = Math.max(1, Math.ceil(part.length / 2))
          continue
        }
        const passing = ['endpoint_unreachable', 'timeout', 'server_error', 'rate_limited'].includes(plain.code)
        if (signal.aborted || !passing || ++tries >= TRIES) throw error
        await clock.sleep(backoff(tries, random, plain.retryAfterMs), signal)
        continue
      }
      tries = 0
      size = Math.min(ACK_KEYS_PER_CALL, size * 2)
      done(part, true)
    }
  }

  function send(): Promise<void> {
    sending ??= sendAll().finally(() => {
      sending = null
    })
    return sending
  }

  return {
    add({ n, keys }) {
      rows.push({ n, keys, answered: 0, refused: [] })
      pending += keys.length
      void send().catch(() => undefined)
    },
    async flush() {
      // A sender that failed while the drain went on gets one more chance, now that somebody waits for it.
      while (pending > 0 || sending !== null) await send()
      await drops
    },
    get pending() {
      return pending
    },
    get taken() {
      return taken
    },
    get refused() {
      return refused.size
    },
  }
}
