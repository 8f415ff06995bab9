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

interface Row {
  readonly n: number
  /** Keys not yet answered for. */
  open: number
  readonly refused: string[]
}

/** Tries within one run before the run gives up; the next run begins with the kept keys. */
const TRIES = 4

export function createAckSender({ store, transport, clock, random, lease, signal, onChange }: AckDeps): AckSender {
  /** Keys in the order of their commits; a row leaves the disk with its last key. */
  let waiting: Array<{ readonly key: string; readonly row: Row }> = []
  let taken = 0
  const refused = new Set<string>()
  let sending: Promise<void> | null = null

  async function done(part: typeof waiting, accepted: boolean): Promise<void> {
    waiting = waiting.slice(part.length)
    const rows = new Set<Row>()
    for (const { key, row } of part) {
      row.open--
      if (!accepted && !refused.has(key)) {
        // It comes with every session; one copy of it is kept.
        refused.add(key)
        row.refused.push(key)
      }
      if (row.open === 0) rows.add(row)
    }
    for (const row of rows) await store.dropAcks(lease, row.n, row.refused)
    if (accepted) taken += part.length
    onChange()
  }

  async function sendAll(): Promise<void> {
    let tries = 0
    let size = ACK_KEYS_PER_CALL
    while (waiting.length > 0) {
      let part: typeof waiting = []
      try {
        await transport.ack(() => {
          part = waiting.slice(0, size)
          return part.map(({ key }) => key)
        }, signal)
      } catch (error) {
        const plain = toPlain(error)
        if (plain.code === 'request_refused') {
          // One key the server cannot take must not hold back the others: halve until it stands alone.
          if (part.length === 1) await done(part, false)
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
      await done(part, true)
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
      const row: Row = { n, open: keys.length, refused: [] }
      waiting = waiting.concat(keys.map((key) => ({ key, row })))
      void send().catch(() => undefined)
    },
    async flush() {
      // A sender that failed while the drain went on gets one more chance, now that somebody waits for it.
      while (waiting.length > 0 || sending !== null) await send()
    },
    get pending() {
      return waiting.length
    },
    get taken() {
      return taken
    },
    get refused() {
      return refused.size
    },
  }
}
