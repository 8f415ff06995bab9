/** Followed queries, worker side: what a page that applies every message shows equals a fresh query (I21, R39). */
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock, systemRandom, type Clock } from '../../src/clock.ts'
import { readPage } from '../../src/protocol/queue.ts'
import { compileQuery, type Query } from '../../src/query.ts'
import { collection, defineSchema } from '../../src/schema.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import type { ToPage } from '../../src/worker/api.ts'
import { openStream } from '../../src/worker/stream.ts'

const schema = defineSchema({
  version: 1,
  collections: { thing: collection<{ id: number; n: number | null; s: string }>({ indexes: ['n'] }) },
})

const clock: Clock = { ...systemClock, sleep: () => new Promise((resolve) => setImmediate(resolve)) }

interface Write {
  readonly id: number
  /** Undefined deletes the record. */
  readonly n: number | null | undefined
}

async function freshStore(): Promise<Store> {
  return openStore('stream', schema, { indexedDB: new IDBFactory(), IDBKeyRange, clock, random: systemRandom })
}

/** Commits writes as one page, with revisions that grow. */
function writer(store: Store): { write: (writes: readonly Write[]) => Promise<void>; settle: () => Promise<void> } {
  let revision = 0
  const lease = store.device.takeEpoch()
  const session = { id: 's', startedAt: 0, run: 1, dirty: false, done: 0, estimate: null }
  return {
    async write(writes) {
      const items = writes.map(({ id, n }) => ({
        data: n === undefined ? { id } : { id, n, s: `at ${revision}` },
        meta: {
          type: 'thing',
          sync: { event_type: n === undefined ? 'deleted' : 'updated', ack_key: `${id}-${++revision}`, revision },
        },
      }))
      const page = readPage({ items })
      await store.commit(await lease, [{ items: page?.items ?? [], suspect: false }], session)
    },
    async settle() {
      await store.settleNext(await lease)
    },
  }
}

/** A page that believes every message. */
function page(): {
  receive: (message: ToPage) => void
  rows: Map<string, unknown>
  resets: number
  messages: ToPage[]
} {
  const rows = new Map<string, unknown>()
  const state = {
    rows,
    resets: 0,
    messages: [] as ToPage[],
    receive(message: ToPage): void {
      state.messages.push(message)
      if (message.kind !== 'rows') return
      if (message.reset) {
        state.resets++
        rows.clear()
      }
      for (const id of message.removed) rows.delete(id)
      for (const row of message.rows) rows.set(row.id, row.data)
    },
  }
  return state
}

const quiet = async (): Promise<void> => {
  for (let turn = 0; turn < 60; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const anyWrite: fc.Arbitrary<Write> = fc.record({
  id: fc.integer({ min: 1, max: 12 }),
  n: fc.option(fc.option(fc.integer({ min: 0, max: 5 })), { nil: undefined }),
})
const anyQuery: fc.Arbitrary<Query> = fc
  .record({
    where: fc.constantFrom({}, { n: { gte: 2 } }, { n: null }, { n: { in: [1, 3, 5] } }),
    order: fc.constantFrom(
      undefined,
      { field: 'n', dir: 'asc' as const },
      { field: 'n', dir: 'desc' as const },
      { field: 's', dir: 'asc' as const },
    ),
    limit: fc.constantFrom(undefined, 0, 1, 3, 6),
  })
  .map((shape) => ({ collection: 'thing', ...shape }))

describe('a followed query', () => {
  it('I21, R39: after any writes, settling in between, the page shows what a fresh query finds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyWrite, { maxLength: 15 }),
        fc.array(
          fc.oneof(
            { weight: 5, arbitrary: fc.array(anyWrite, { minLength: 1, maxLength: 4 }) },
            fc.constant('settle' as const),
          ),
          { maxLength: 12 },
        ),
        fc.array(anyQuery, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        async (before, steps, queries, patient) => {
          const store = await freshStore()
          const { write, settle } = writer(store)
          if (before.length > 0) await write(before)
          const followed = queries.map((query, stream) => {
            const seen = page()
            const open = openStream({ store, clock, send: seen.receive }, stream, 'live', query)
            store.subscribe(open.onEvent)
            return { query, seen }
          })
          if (patient) await quiet()
          for (const step of steps) {
            await (step === 'settle' ? settle() : write(step))
            if (patient) await quiet()
          }
          await quiet()
          for (const { query, seen } of followed) {
            const found = await store.find(compileQuery(query, store.specOf('thing')))
            expect(Object.fromEntries([...seen.rows].sort()), JSON.stringify(query)).toEqual(
              Object.fromEntries(found.map(({ id, row }) => [id, row] as const).sort()),
            )
          }
          store.close()
        },
      ),
      { numRuns: 60 },
    )
  })

  it('R39: a query without limit is never run again; what crosses is the difference', async () => {
    const store = await freshStore()
    const { write, settle } = writer(store)
    await write([1, 2, 3].map((id) => ({ id, n: id })))
    let finds = 0
    const counting: Store = { ...store, find: (query) => (finds++, store.find(query)) }
    const seen = page()
    const stream = openStream({ store: counting, clock, send: seen.receive }, 1, 'live', {
      collection: 'thing',
      where: {},
    })
    store.subscribe(stream.onEvent)
    await quiet()
    await write([{ id: 2, n: 9 }])
    await quiet()
    await write([{ id: 3, n: undefined }])
    await settle()
    await quiet()
    expect(finds).toBe(1)
    expect(seen.messages.slice(1)).toMatchObject([
      { kind: 'rows', reset: false, rows: [{ id: '2', data: { n: 9 } }], removed: [] },
      { kind: 'rows', reset: false, rows: [], removed: ['3'] },
    ])
    store.close()
  })

  it('R39: a window is read again only when a row left it and another must move up; settling wakes nobody', async () => {
    const store = await freshStore()
    const { write, settle } = writer(store)
    await write([1, 2, 3, 4, 5].map((id) => ({ id, n: id })))
    let finds = 0
    const counting: Store = { ...store, find: (query) => (finds++, store.find(query)) }
    const seen = page()
    const query: Query = { collection: 'thing', where: {}, order: { field: 'n', dir: 'desc' }, limit: 2 }
    const stream = openStream({ store: counting, clock, send: seen.receive }, 1, 'live', query)
    store.subscribe(stream.onEvent)
    await quiet()
    const messages = seen.messages.length
    await write([{ id: 1, n: 0 }])
    await settle()
    await quiet()
    expect([finds, seen.messages.length], 'a change below the window').toEqual([1, messages])
    await write([{ id: 6, n: 6 }])
    await quiet()
    expect([finds, [...seen.rows.keys()].sort()], 'a row that comes in on top').toEqual([1, ['5', '6']])
    await write([{ id: 6, n: undefined }])
    await quiet()
    expect([finds, [...seen.rows.keys()].sort()], 'a row that leaves').toEqual([2, ['4', '5']])
    store.close()
  })

  it('R39: rows cross in slices of at most 2,000, the last one marked', async () => {
    const store = await freshStore()
    const { write } = writer(store)
    await write(Array.from({ length: 4_500 }, (_, id) => ({ id, n: 1 })))
    const seen = page()
    openStream({ store, clock, send: seen.receive }, 1, 'once', { collection: 'thing', where: {} })
    await quiet()
    await expect.poll(() => seen.rows.size).toBe(4_500)
    const sizes = seen.messages.map((message) => (message.kind === 'rows' ? [message.rows.length, message.last] : null))
    expect(sizes).toEqual([
      [2_000, false],
      [2_000, false],
      [500, true],
    ])
    store.close()
  })

  it('R39: columns give each record a slot for good; one that leaves has NaN in it', async () => {
    const store = await freshStore()
    const { write } = writer(store)
    await write([
      { id: 1, n: 10 },
      { id: 2, n: null },
    ])
    const seen: Array<Extract<ToPage, { kind: 'columns' }>> = []
    const send = (message: ToPage): void => {
      if (message.kind === 'columns') seen.push(message)
    }
    const stream = openStream({ store, clock, send }, 1, 'columns', {
      collection: 'thing',
      where: {},
      select: ['id', 'n'],
    })
    store.subscribe(stream.onEvent)
    await quiet()
    await write([
      { id: 3, n: 30 },
      { id: 1, n: undefined },
    ])
    await quiet()
    const read = seen.map(({ slots, values }) => [Array.from(slots), ...values.map((value) => Array.from(value))])
    expect(read).toEqual([
      [
        [0, 1],
        [1, 2],
        [10, NaN],
      ],
      [
        [2, 0],
        [3, NaN],
        [30, NaN],
      ],
    ])
    store.close()
  })

  it('I20: a query that cannot be understood is refused by name', async () => {
    const store = await freshStore()
    const open = (query: Query): unknown => openStream({ store, clock, send: () => {} }, 1, 'live', query)
    expect(() => open({ collection: 'nothing', where: {} })).toThrow(/no collection "nothing"/)
    expect(() => open({ collection: 'thing', where: { n: { gte: null } as never } })).toThrow(
      /a range has no place for null/,
    )
    store.close()
  })
})
