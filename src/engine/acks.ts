/**
 * The ack sender: keys go out as soon as the commit that stored them has completed, never before
 * (promise 1), and are dropped from disk only once the server has taken them (ACK-6, I9). It never holds up
 * the drain.
 */
import type { Clock, Random } from '../clock.ts'
import { toPlain, type PlainError } from '../errors.ts'
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
  /** The server refuses these keys for good; they stay on disk and are tried again with the next run. */
  readonly refused: PlainError | null
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

/** Tries within one run before the run gives up; the next run begins with the kept keys. */
const TRIES = 4

export function createAckSender({ store, transport, clock, random, lease, signal, onChange }: AckDeps): AckSender {
  const queue: Array<{ readonly n: number; keys: readonly string[] }> = []
  let pending = 0
  let taken = 0
  let refused: PlainError | null = null
  let sending: Promise<void> | null = null

  /** Sends until the queue is empty: several small rows share a call, a large row takes several. */
  async function sendAll(): Promise<void> {
    let tries = 0
    while (queue.length > 0) {
      const batch: string[] = []
      let rows = 0
      for (; rows < queue.length; rows++) {
        const { keys } = queue[rows]!
        if (batch.length + keys.length > ACK_KEYS_PER_CALL) break
        batch.push(...keys)
      }
      const part = rows === 0 ? queue[0]!.keys.slice(0, ACK_KEYS_PER_CALL) : batch
      try {
        await transport.ack(part, signal)
        tries = 0
      } catch (error) {
        const plain = toPlain(error)
        if (plain.code === 'request_refused') {
          refused = plain
          queue.length = 0
          return
        }
        const passing = ['endpoint_unreachable', 'timeout', 'server_error', 'rate_limited'].includes(plain.code)
        if (signal.aborted || !passing || ++tries >= TRIES) throw error
        await clock.sleep(backoff(tries, random, plain.retryAfterMs), signal)
        continue
      }
      pending -= part.length
      taken += part.length
      if (rows === 0) queue[0] = { n: queue[0]!.n, keys: queue[0]!.keys.slice(part.length) }
      else for (const { n } of queue.splice(0, rows)) await store.dropAcks(lease, n)
      onChange()
    }
  }

  function send(): Promise<void> {
    sending ??= sendAll().finally(() => {
      sending = null
    })
    return sending
  }

  return {
    add(row) {
      queue.push({ ...row })
      pending += row.keys.length
      void send().catch(() => undefined)
    },
    async flush() {
      // A sender that failed while the drain went on gets one more chance, now that somebody waits for it.
      while (queue.length > 0 || sending !== null) await send()
    },
    get pending() {
      return pending
    },
    get taken() {
      return taken
    },
    get refused() {
      return refused
    },
  }
}
