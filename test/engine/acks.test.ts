/** The ack sender by itself: what goes into a call, and when a row leaves the disk (ACK-6, ACK-8, I9). */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock, systemRandom } from '../../src/clock.ts'
import { createAckSender } from '../../src/engine/acks.ts'
import type { Transport } from '../../src/engine/transport.ts'
import { SyncError } from '../../src/errors.ts'
import type { Lease, Store } from '../../src/store/store.ts'

function sender(refuses: (key: string) => boolean = () => false) {
  const calls: string[][] = []
  const accepted = new Set<string>()
  const dropped: Array<{ n: number; refused: readonly string[]; sent: number }> = []
  const acks = createAckSender({
    store: {
      dropAcks: (_lease, n, refused) => {
        dropped.push({ n, refused, sent: accepted.size })
        return Promise.resolve()
      },
    } as Pick<Store, 'dropAcks'> as Store,
    transport: {
      async ack(keys) {
        // The call waits for its turn; what is added meanwhile goes along (R12).
        await null
        const list = keys()
        calls.push([...list])
        if (list.some(refuses)) throw new SyncError('request_refused', 'no', { status: 422 })
        for (const key of list) accepted.add(key)
      },
    } as Pick<Transport, 'ack'> as Transport,
    clock: systemClock,
    random: systemRandom,
    lease: {} as Lease,
    signal: new AbortController().signal,
    onChange: () => undefined,
  })
  return { acks, calls, accepted, dropped }
}

const keysOf = (n: number, size: number): string[] => Array.from({ length: size }, (_, at) => `${n}-${at}`)

describe('the ack sender', () => {
  it('fills calls of at most 500 keys across commits, each key once and in order; a row goes with its last key (ACK-6, ACK-8, I9)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 1_300 }), { maxLength: 12 }), async (sizes) => {
        const { acks, calls, dropped } = sender()
        for (const [n, size] of sizes.entries()) acks.add({ n, keys: keysOf(n, size) })
        const total = sizes.reduce((sum, size) => sum + size, 0)
        expect(acks.pending).toBe(total)
        await acks.flush()
        expect(calls.flat()).toEqual(sizes.flatMap((size, n) => keysOf(n, size)))
        expect(calls.slice(0, -1).filter(({ length }) => length !== 500)).toEqual([])
        expect(calls.at(-1)?.length ?? 0).toBeLessThanOrEqual(500)
        expect([acks.pending, acks.taken, acks.refused]).toEqual([0, total, 0])
        let before = 0
        const due = sizes.map((size) => (before += size))
        for (const { n, sent } of dropped) expect(sent).toBeGreaterThanOrEqual(due[n]!)
        const filled = sizes.flatMap((size, n) => (size > 0 ? [n] : []))
        expect(dropped.map(({ n }) => n).filter((n) => sizes[n]! > 0)).toEqual(filled)
      }),
      { numRuns: 60 },
    )
  })

  it('finds the keys a server refuses among thousands; only they stay on the disk, each in its row (R11, ACK-5)', async () => {
    const poison = new Set(['0-3', '0-4', '1-699', '2-0'])
    const { acks, calls, accepted, dropped } = sender((key) => poison.has(key))
    for (const [n, size] of [600, 700, 1].entries()) acks.add({ n, keys: keysOf(n, size) })
    await acks.flush()
    expect(accepted.size).toBe(1_301 - 4)
    expect(dropped.map(({ n, refused }) => [n, refused])).toEqual([
      [0, ['0-3', '0-4']],
      [1, ['1-699']],
      [2, ['2-0']],
    ])
    expect([acks.pending, acks.taken, acks.refused]).toEqual([0, 1_297, 4])
    expect(calls.length).toBeLessThan(80)
  })
})
