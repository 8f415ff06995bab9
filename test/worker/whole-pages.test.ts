/** Followed queries while much happens at once: slow reads, held frames, writes in between; only committed states show (I21). */
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock, systemRandom, type Clock } from '../../src/clock.ts'
import { readPage } from '../../src/protocol/queue.ts'
import { compileQuery, type Query } from '../../src/query.ts'
import { collection, defineSchema, type Row, type Schema } from '../../src/schema.ts'
import { openStore, type Found, type Store } from '../../src/store/store.ts'
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
  readonly s?: string
}

async function freshStore(shape: Schema = schema): Promise<Store> {
  return openStore('stream', shape, { indexedDB: new IDBFactory(), IDBKeyRange, clock, random: systemRandom })
}

/** Commits writes as one page, with revisions that grow. */
function writer(store: Store): { write: (writes: readonly Write[]) => Promise<void>; settle: () => Promise<void> } {
  let revision = 0
  const lease = store.device.takeEpoch()
  const session = { id: 's', startedAt: 0, run: 1, dirty: false, done: 0, estimate: null }
  return {
    async write(writes) {
      const items = writes.map(({ id, n, s }) => ({
        data: n === undefined ? { id } : { id, n, s: s ?? `at ${revision}` },
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
  messages: ToPage[]
  /** What was to be seen after each whole step, as `id:n` in the order of ids. */
  states: string[]
} {
  const rows = new Map<string, unknown>()
  const state = {
    rows,
    messages: [] as ToPage[],
    states: [] as string[],
    receive(message: ToPage): void {
      state.messages.push(message)
      if (message.kind !== 'rows') return
      if (message.reset) rows.clear()
      for (const id of message.removed) rows.delete(id)
      for (const row of message.rows) rows.set(row.id, row.data)
      if (message.last) state.states.push(stateOf([...rows].map(([id, data]) => ({ id, row: data as Row }))))
    },
  }
  return state
}

function stateOf(found: ReadonlyArray<Pick<Found, 'id' | 'row'>>): string {
  return found
    .map(({ id, row }) => `${id}:${String(row['n'])}`)
    .sort()
    .join(' ')
}

/** States that cannot be reached by going forward through `legal`, standing still and leaping included. */
function strays(states: readonly string[], legal: readonly string[]): string[] {
  let at = 0
  return states.filter((state) => {
    const next = legal.indexOf(state, at)
    if (next >= 0) at = next
    return next < 0
  })
}

/** A gate: what waits for `opened` goes on once `open` was called. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
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

describe('a followed query under load', () => {
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
            expect(Object.fromEntries(seen.rows), JSON.stringify(query)).toEqual(
              Object.fromEntries(found.map(({ id, row }) => [id, row] as const)),
            )
          }
          store.close()
        },
      ),
      { numRuns: 60 },
    )
  })

  const lowest: Query = { collection: 'thing', where: {}, order: { field: 'n', dir: 'asc' }, limit: 3 }
  const six = [1, 2, 3, 4, 5, 6].map((id) => ({ id, n: id * 10 }))

  it('I21: a window that is being read again sends nothing of the step it is in the middle of', async () => {
    const store = await freshStore()
    const { write } = writer(store)
    await write(six)
    const seen = page()
    const frames: Array<() => void> = []
    const held: Clock = { ...clock, monotonic: () => 0, sleep: () => new Promise((resolve) => frames.push(resolve)) }
    const frame = (): void => frames.splice(0).forEach((next) => next())
    let slow: Promise<void> = Promise.resolve()
    const slowStore: Store = { ...store, find: (query) => slow.then(() => store.find(query)) }
    const stream = openStream({ store: slowStore, clock: held, send: seen.receive }, 1, 'live', lowest)
    store.subscribe(stream.onEvent)
    await quiet()
    await write([{ id: 1, n: 11 }])
    const reading = gate()
    slow = reading.opened
    // A row on top and one that leaves: the window must be read again, and its frame comes first.
    await write([
      { id: 9, n: 5 },
      { id: 2, n: undefined },
    ])
    frame()
    await quiet()
    reading.open()
    await quiet()
    frame()
    await quiet()
    expect(strays(seen.states, ['1:10 2:20 3:30', '1:11 2:20 3:30', '1:11 3:30 9:5'])).toEqual([])
    expect(seen.states.at(-1)).toBe('1:11 3:30 9:5')
    store.close()
  })

  it('I21, R39: "after" counts in the folded order of its index, also for a row that changes', async () => {
    const folded = defineSchema({
      version: 1,
      collections: {
        thing: collection<{ id: number; n: number; s: string }>({ indexes: [{ field: 's', fold: true }] }),
      },
    })
    const store = await freshStore(folded)
    const { write } = writer(store)
    await write(['Ana', 'Bob', 'Cid'].map((s, at) => ({ id: at + 1, n: 0, s })))
    const inOrder: Query = { collection: 'thing', where: {}, order: { field: 's', dir: 'asc' } }
    const [, bob] = await store.find(compileQuery(inOrder, store.specOf('thing')))
    if (bob === undefined) throw new Error('Bob is missing')
    const seen = page()
    // Bob as the app knows him: not folded.
    const query: Query = { ...inOrder, afterRow: bob.row }
    const stream = openStream({ store, clock, send: seen.receive }, 1, 'live', query)
    store.subscribe(stream.onEvent)
    await quiet()
    expect([...seen.rows.keys()]).toEqual(['3'])
    await write([{ id: 1, n: 0, s: 'Ana Maria' }])
    await quiet()
    expect([...seen.rows.keys()]).toEqual(['3'])
    await write([{ id: 1, n: 0, s: 'dora' }])
    await quiet()
    expect([...seen.rows.keys()].sort()).toEqual(['1', '3'])
    store.close()
  })

  it('I21, R31: a row read for its new state gives way to the change that came meanwhile', async () => {
    const checked = defineSchema({
      version: 1,
      collections: {
        thing: collection<{ id: number; n: number; s: string }>({
          indexes: ['n'],
          validate: {
            '~standard': {
              version: 1,
              vendor: 'test',
              validate: (value) =>
                (value as Row)['n'] === -1 ? { issues: [{ message: 'n' }] } : { value: value as never },
            },
          },
        }),
      },
    })
    const store = await freshStore(checked)
    const { write, settle } = writer(store)
    await write([{ id: 1, n: 1 }])
    await settle()
    let slow: Promise<void> = Promise.resolve()
    let reads = 0
    const slowStore: Store = {
      ...store,
      get: async (type, ids) => {
        const rows = await store.get(type, ids)
        reads++
        await slow
        return rows
      },
    }
    const seen = page()
    const stream = openStream({ store: slowStore, clock, send: seen.receive }, 1, 'live', {
      collection: 'thing',
      where: {},
    })
    store.subscribe(stream.onEvent)
    await quiet()
    const reading = gate()
    slow = reading.opened
    await write([{ id: 1, n: -1 }])
    await quiet()
    expect(reads).toBe(1)
    await write([{ id: 1, n: 100 }])
    reading.open()
    await quiet()
    expect(seen.states.at(-1)).toBe('1:100')
    expect(seen.messages.at(-1)).toMatchObject({ rows: [{ id: '1', state: 'synced' }] })
    store.close()
  })

  it.each(['once', 'live'] as const)(
    'I21: changes known before the first answer (%s) are in it or after it, never undone by it',
    async (mode) => {
      const store = await freshStore()
      const { write } = writer(store)
      await write(six)
      const gates = [gate(), gate()]
      let reads = 0
      const slowStore: Store = {
        ...store,
        find: async (query) => {
          await gates[reads++]?.opened
          return store.find(query)
        },
      }
      const seen = page()
      const stream = openStream({ store: slowStore, clock, send: seen.receive }, 1, mode, lowest)
      store.subscribe(stream.onEvent)
      await write([{ id: 9, n: 5 }])
      await write([{ id: 9, n: 99 }])
      for (const { open } of gates) {
        open()
        await quiet()
      }
      expect(strays(seen.states, ['1:10 2:20 3:30', '1:10 2:20 9:5', '1:10 2:20 3:30'])).toEqual([])
      expect(seen.states.at(-1)).toBe('1:10 2:20 3:30')
      store.close()
    },
  )

  it('I21: whatever is written while it looks, each state is that of a prefix of whole pages, only ever a later one', async () => {
    const still: Clock = { ...clock, monotonic: () => 0 }
    const writes = fc.array(anyWrite, { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyWrite, { maxLength: 12 }),
        fc.boolean(),
        fc.array(fc.tuple(writes, fc.constantFrom('at once', 'wait', 'look', 'settle')), { maxLength: 10 }),
        fc.constantFrom(undefined, 1, 3, 6),
        fc.constantFrom('asc' as const, 'desc' as const),
        fc.integer({ min: 0, max: 12 }),
        async (before, settled, steps, limit, dir, slowness) => {
          const store = await freshStore()
          const { write, settle } = writer(store)
          const model = new Map<string, Row>()
          const query: Query = {
            collection: 'thing',
            where: {},
            order: { field: 'n', dir },
            ...(limit !== undefined && { limit }),
          }
          const compiled = compileQuery(query, store.specOf('thing'))
          const note = (page: readonly Write[]): string => {
            for (const { id, n } of page) {
              if (n === undefined) model.delete(String(id))
              else model.set(String(id), { id, n })
            }
            const rows = [...model].map(([id, row]) => ({ id, row, key: compiled.sortKey(row) }))
            return stateOf(rows.sort(compiled.compare).slice(0, limit))
          }
          if (before.length > 0) await write(before)
          if (settled) await settle()
          const legal = [note(before)]
          const seen = page()
          // Reads that take their time, as behind a queue of settling.
          const slowStore: Store = {
            ...store,
            find: async (asked) => {
              for (let turn = 0; turn < slowness; turn++) await new Promise((resolve) => setImmediate(resolve))
              return store.find(asked)
            },
          }
          const stream = openStream({ store: slowStore, clock: still, send: seen.receive }, 1, 'live', query)
          store.subscribe(stream.onEvent)
          let last: Promise<void> = Promise.resolve()
          for (const [writing, then] of steps) {
            legal.push(note(writing))
            last = last.then(() => write(writing))
            if (then !== 'at once') await last
            if (then === 'look') await quiet()
            if (then === 'settle') await settle()
          }
          await last
          await quiet()
          expect(strays(seen.states, legal), JSON.stringify({ seen: seen.states, legal })).toEqual([])
          expect(seen.states.at(-1)).toBe(legal.at(-1))
          store.close()
        },
      ),
      { numRuns: 120 },
    )
  })
})
