/** Followed queries, worker side (R39, I21): differences only, whole pages only, windows read again only when needed. */
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { compileQuery, type Query } from '../../src/query.ts'
import { collection, defineSchema, type Row } from '../../src/schema.ts'
import { openStore, type Store } from '../../src/store/store.ts'
import type { EditOp, RowState, StreamMode, ToPage, WriteOp } from '../../src/worker/api.ts'
import { openStream, type Stream } from '../../src/worker/stream.ts'
import { createScheduler, seeded, seededRandom, virtualClock } from '../support/virtual-time.ts'
import { closeAll, del, openTest, page, put, schema, session, type Opened } from '../store/support.ts'

afterEach(closeAll)

/** What the page makes of the messages of one stream. */
function createPage() {
  const messages: ToPage[] = []
  const rows = new Map<string, { row: Row; state: RowState }>()
  const steps: Array<Map<string, Row>> = []
  let pending: Array<() => void> = []
  const send = (message: ToPage): void => {
    messages.push(structuredClone(message))
    if (message.kind !== 'rows') return
    pending.push(() => {
      if (message.reset) rows.clear()
      for (const id of message.removed) rows.delete(id)
      for (const { id, data, state } of message.rows) rows.set(id, { row: data as Row, state })
    })
    if (!message.last) return
    for (const apply of pending) apply()
    pending = []
    steps.push(new Map([...rows].map(([id, { row }]) => [id, row])))
  }
  return {
    messages,
    rows,
    steps,
    send,
    rowMessages: () => messages.flatMap((message) => (message.kind === 'rows' ? [message] : [])),
  }
}

function follow({ store }: Opened, query: Partial<Query> = {}, mode: StreamMode = 'live') {
  const shown = createPage()
  const stream = openStream({ store, clock: systemClock, send: shown.send }, 1, mode, {
    collection: 'thing',
    where: {},
    ...query,
  })
  const stop = store.subscribe((event) => stream.onEvent(event))
  return { ...shown, stream, stop, ids: () => [...shown.rows.keys()].sort((a, b) => Number(a) - Number(b)) }
}

const many = (count: number, rev = 1): unknown[] => Array.from({ length: count }, (_, id) => put(id, rev, { n: id }))

describe('a live query', () => {
  it('gives its answer in slices of at most 2,000 rows, one step (R39)', async () => {
    const opened = await openTest()
    for (let at = 0; at < 5; at++)
      await opened.store.commit(opened.lease, [page(...many(5_000).slice(at * 1_000, at * 1_000 + 1_000))], session)
    const shown = follow(opened)
    await vi.waitFor(() => expect(shown.rows.size).toBe(5_000))
    const sent = shown.rowMessages()
    expect(sent.map(({ rows, reset, last }) => [rows.length, reset, last])).toEqual([
      [2_000, true, false],
      [2_000, false, false],
      [1_000, false, true],
    ])
  })

  it('says that an empty answer is an answer', async () => {
    const shown = follow(await openTest())
    await vi.waitFor(() =>
      expect(shown.rowMessages()).toEqual([
        { kind: 'rows', stream: 1, reset: true, rows: [], removed: [], last: true },
      ]),
    )
  })

  it('afterwards sends what differs, and is never run again without a limit (R39)', async () => {
    const opened = await openTest()
    await opened.receive(many(50))
    const find = vi.spyOn(opened.store, 'find')
    const shown = follow(opened, { where: { n: { lt: 40 } } })
    await vi.waitFor(() => expect(shown.rows.size).toBe(40))
    shown.messages.length = 0
    await opened.receive([
      put(1, 2, { n: 1, name: 'new' }),
      put(2, 2, { n: 99 }),
      del(3, 2),
      put(100, 1, { n: 5 }),
      put(45, 2, { n: 46 }),
    ])
    await vi.waitFor(() => expect(shown.rows.size).toBe(39))
    const sent = shown.rowMessages()
    expect(sent).toHaveLength(1)
    expect(sent[0]?.rows.map(({ id }) => id).sort()).toEqual(['1', '100'])
    expect([...(sent[0]?.removed ?? [])].sort()).toEqual(['2', '3'])
    expect(find).toHaveBeenCalledTimes(1)
    await opened.settleAll()
    await opened.receive([put(7, 2, { n: 7 })])
    await vi.waitFor(() => expect(shown.rows.get('7')?.row).toEqual({ id: 7, n: 7 }))
    expect(find).toHaveBeenCalledTimes(1)
  })

  it('joins the changes of one frame in one message (R39)', async () => {
    const opened = await openTest()
    const shown = follow(opened)
    await vi.waitFor(() => expect(shown.rowMessages()).toHaveLength(1))
    await Promise.all(
      Array.from({ length: 20 }, async (_, at) => {
        shown.stream.onEvent({
          kind: 'changes',
          changes: [{ type: 'thing', id: String(at), rev: 1, local: 0, row: { id: at } }],
        })
      }),
    )
    await vi.waitFor(() => expect(shown.rows.size).toBe(20))
    expect(shown.rowMessages().length).toBeLessThanOrEqual(3)
  })

  it('sends only the fields asked for, and never one of the prototype (R38, I22)', async () => {
    const opened = await openTest()
    await opened.receive([put(1, 1, { n: 1, name: 'a' }), put(2, 1, { name: 'b' })])
    const shown = follow(opened, { select: ['name', 'n', 'toString', '__proto__'], order: { field: 'n', dir: 'asc' } })
    await vi.waitFor(() => expect(shown.rows.size).toBe(2))
    expect(shown.rowMessages().flatMap(({ rows }) => rows)).toEqual([
      { id: '2', key: [0], data: { name: 'b' }, state: 'synced' },
      { id: '1', key: [2, 1], data: { name: 'a', n: 1 }, state: 'synced' },
    ])
  })

  it('begins anew, by a reset, when the data was replaced (R23, R25)', async () => {
    const opened = await openTest()
    await opened.receive(many(3))
    const shown = follow(opened)
    await vi.waitFor(() => expect(shown.rows.size).toBe(3))
    shown.messages.length = 0
    await opened.store.wipe(opened.lease)
    await vi.waitFor(() => expect(shown.rows.size).toBe(0))
    expect(shown.rowMessages()[0]).toMatchObject({ reset: true })
  })

  it('"once" gives one answer and hears nothing more', async () => {
    const opened = await openTest()
    await opened.receive(many(3))
    const shown = follow(opened, {}, 'once')
    await vi.waitFor(() => expect(shown.rows.size).toBe(3))
    await opened.receive(many(5, 2))
    expect(shown.rowMessages()).toHaveLength(1)
  })

  it('ends with an error when storage goes, and for a query that makes no sense (I20)', async () => {
    const factory = new IDBFactory()
    const opened = await openTest(factory)
    const shown = follow(opened)
    await vi.waitFor(() => expect(shown.rowMessages()).toHaveLength(1))
    factory.deleteDatabase('test')
    await vi.waitFor(() =>
      expect(shown.messages.at(-1)).toMatchObject({ kind: 'failed', stream: 1, error: { code: 'storage_closed' } }),
    )
    expect(() => follow(opened, { where: { n: {} } as never })).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    )
    expect(() => follow(opened, { collection: 'nothing' })).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    )
  })

  it('tells when a row becomes stale and when it is no longer (R21, R31)', async () => {
    const opened = await openTest()
    await opened.receive([put(1, 1, { n: 1 })])
    await opened.settleAll()
    const shown = follow(opened)
    await vi.waitFor(() => expect(shown.rows.size).toBe(1))
    await opened.receive([
      { data: { id: 1 }, meta: { type: 'thing', sync: { event_type: 'exploded', ack_key: 'k', revision: 2 } } },
    ])
    await vi.waitFor(() => expect(shown.rows.get('1')).toEqual({ row: { id: 1, n: 1 }, state: 'stale' }))
    await opened.receive([put(1, 3, { n: 3 })])
    await vi.waitFor(() => expect(shown.rows.get('1')).toEqual({ row: { id: 1, n: 3 }, state: 'synced' }))
  })

  it('closed, sends nothing more', async () => {
    const opened = await openTest()
    const shown = follow(opened)
    await vi.waitFor(() => expect(shown.rowMessages()).toHaveLength(1))
    shown.stream.close()
    await opened.receive(many(3))
    expect(shown.messages).toHaveLength(1)
  })
})

describe('a window', () => {
  const window = { order: { field: 'n', dir: 'asc' as const }, limit: 5 }

  it('is read again only when a row left it and another must move up (R39, R5)', async () => {
    const opened = await openTest()
    await opened.receive(many(50))
    const find = vi.spyOn(opened.store, 'find')
    const shown = follow(opened, window)
    await vi.waitFor(() => expect(shown.ids()).toEqual(['0', '1', '2', '3', '4']))
    await opened.receive([put(40, 2, { n: 41 }), del(30, 2), put(60, 1, { n: 60 })])
    await opened.receive([put(2, 2, { n: 2, name: 'touched' })])
    await vi.waitFor(() => expect(shown.rows.get('2')?.row).toMatchObject({ name: 'touched' }))
    await opened.receive([put(61, 1, { n: 1.5 })])
    await vi.waitFor(() => expect(shown.ids()).toEqual(['0', '1', '2', '3', '61']))
    expect(find).toHaveBeenCalledTimes(1)
    await opened.receive([del(0, 2)])
    await vi.waitFor(() => expect(shown.ids()).toEqual(['1', '2', '3', '4', '61']))
    expect(find).toHaveBeenCalledTimes(2)
  })

  it('not yet full takes what fits without being read again', async () => {
    const opened = await openTest()
    await opened.receive(many(2))
    const find = vi.spyOn(opened.store, 'find')
    const shown = follow(opened, window)
    await vi.waitFor(() => expect(shown.ids()).toEqual(['0', '1']))
    await opened.receive([put(9, 1, { n: 9 })])
    await vi.waitFor(() => expect(shown.ids()).toEqual(['0', '1', '9']))
    await opened.receive([del(1, 2)])
    await vi.waitFor(() => expect(shown.ids()).toEqual(['0', '9']))
    expect(find).toHaveBeenCalledTimes(1)
  })

  it('read again, tells of a state that changed while it read (R21)', async () => {
    const opened = await openTest()
    await opened.receive(many(9))
    const { find } = opened.store
    let meanwhile = async (): Promise<void> => undefined
    const slow: Store = {
      ...opened.store,
      find: async (query) => {
        const found = await find(query)
        const work = meanwhile
        meanwhile = async () => undefined
        await work()
        return found
      },
    }
    const shown = follow({ ...opened, store: slow }, window)
    await vi.waitFor(() => expect(shown.rows.size).toBe(5))
    meanwhile = () =>
      opened.receive([
        { data: { id: 3 }, meta: { type: 'thing', sync: { event_type: 'exploded', ack_key: 'k', revision: 2 } } },
      ])
    await opened.receive([del(0, 2)])
    await vi.waitFor(() => expect(shown.rows.get('3')?.state).toBe('stale'))
    expect(shown.ids()).toEqual(['1', '2', '3', '4', '5'])
  })

  it('after a position stays after it (R38)', async () => {
    const opened = await openTest()
    await opened.receive(many(20))
    const shown = follow(opened, { ...window, limit: 3, after: { key: [2, 4], id: '4' } })
    await vi.waitFor(() => expect(shown.ids()).toEqual(['5', '6', '7']))
    await opened.receive([put(30, 1, { n: 2 }), put(31, 1, { n: 5.5 })])
    await vi.waitFor(() => expect(shown.ids()).toEqual(['5', '6', '31']))
  })
})

describe('local edits', () => {
  const shape = defineSchema({
    version: 1,
    collections: {
      thing: collection<{ id: number; n: number }>({ indexes: ['n'] }),
      part: collection<{ id: number; thing_id: number }>({ references: { thing_id: 'thing' }, indexes: ['thing_id'] }),
    },
  })
  const terms = { keyMemoryMs: 90 * 86_400_000, clientIds: false }
  const edit = (op: EditOp, key: number, value: Row | null = null, name = 'thing'): WriteOp => ({
    op,
    collection: name,
    key,
    value,
    temporary: op === 'insert',
  })
  const openShape = (): Promise<Opened> => openTest(undefined, shape)

  /** Sends what may leave, and hears that the server took it, as these records. */
  async function push({ store, lease }: Opened, ...rows: Array<Row | null>): Promise<void> {
    const sent = await store.outbox.take(lease, rows.length, terms, new Set())
    expect(sent).toHaveLength(rows.length)
    await store.outbox.answer(
      lease,
      sent.map(({ id }, at) => ({ id, kind: 'accepted', row: rows[at] ?? null, revision: 100 })),
    )
  }

  it('show at once, with their state beside the row, and are taken back whole (R20, R21)', async () => {
    const opened = await openShape()
    await opened.receive([put(1, 1, { n: 1 }), put(2, 1, { n: 2 })])
    const shown = follow(opened)
    await vi.waitFor(() => expect(shown.rows.size).toBe(2))
    const [changed] = await opened.store.outbox.write([
      edit('update', 1, { n: 10 }),
      edit('delete', 2),
      edit('insert', -5, { n: 3 }),
    ])
    await Promise.resolve()
    await vi.waitFor(() => expect(shown.steps).toHaveLength(2))
    expect(Object.fromEntries(shown.rows)).toEqual({
      '1': { row: { id: 1, n: 10 }, state: 'pending' },
      '-5': { row: { id: -5, n: 3 }, state: 'pending' },
    })
    await opened.store.outbox.discard(changed?.id ?? '')
    await vi.waitFor(() => expect(shown.rows.get('1')).toEqual({ row: { id: 1, n: 1 }, state: 'synced' }))
  })

  it('tell when only the state of a row changed, in a window too (R21)', async () => {
    const opened = await openShape()
    await opened.receive([put(1, 1, { n: 1 })])
    const all = follow(opened)
    const window = follow(opened, { order: { field: 'n', dir: 'asc' }, limit: 1 })
    await vi.waitFor(() => expect([all.rows.size, window.rows.size]).toEqual([1, 1]))
    await opened.store.outbox.write([edit('update', 1, { n: 10 })])
    const sent = await opened.store.outbox.take(opened.lease, 1, terms, new Set())
    const problem = { code: 'refused' as const, status: 422, message: 'no', fields: [] }
    await opened.store.outbox.answer(opened.lease, [{ id: sent[0]?.id ?? '', kind: 'refused', problem }])
    const failed = { row: { id: 1, n: 10 }, state: 'failed' }
    await vi.waitFor(() => expect([all.rows.get('1'), window.rows.get('1')]).toEqual([failed, failed]))
  })

  it('a record that got its real key changes it in one step, in a list, in a window and in a full one (R18)', async () => {
    const opened = await openShape()
    await opened.receive([put(1, 1, { n: 1 }), put(2, 1, { n: 5 }), put(3, 1, { n: 9 })])
    const order = { field: 'n', dir: 'asc' as const }
    await opened.store.outbox.write([edit('insert', -5, { n: 2 })])
    const lists = [follow(opened), follow(opened, { order, limit: 9 }), follow(opened, { order, limit: 2 })]
    await vi.waitFor(() => expect(lists.map(({ rows }) => rows.size)).toEqual([4, 4, 2]))
    await push(opened, { id: 41, n: 2 })
    await vi.waitFor(() => expect(lists.map(({ rows }) => rows.has('41'))).toEqual([true, true, true]))
    for (const { steps } of lists) {
      const keys = steps.map((step) => [...step.keys()].filter((id) => id === '-5' || id === '41').join())
      expect(keys.filter((now, at) => now !== keys[at - 1])).toEqual(['-5', '41'])
      expect(new Set(steps.map(({ size }) => size)).size).toBe(1)
    }
  })

  it.each([
    ['a list', {}],
    ['a window', { order: { field: 'id', dir: 'asc' as const }, limit: 5 }],
  ])(
    '%s that names a temporary key finds what follows it under the real one, and is never empty between (R18)',
    async (_what, more) => {
      const opened = await openShape()
      await opened.store.outbox.write([edit('insert', -5, { n: 2 }), edit('insert', -6, { thing_id: -5 }, 'part')])
      const ask = { collection: 'part', where: { thing_id: -5 }, ...more }
      const shown = follow(opened, ask)
      const find = vi.spyOn(opened.store, 'find')
      const other = follow(opened, { collection: 'part', where: { id: { gt: -100 } } })
      await vi.waitFor(() => expect([shown.rows.size, other.rows.size]).toEqual([1, 1]))
      await push(opened, { id: 41, n: 2 })
      await vi.waitFor(() => expect(shown.rows.get('-6')?.row).toEqual({ id: -6, thing_id: 41 }))
      expect(shown.steps.every(({ size }) => size === 1)).toBe(true)
      // A query whose conditions are the same is not run again.
      expect(find.mock.calls.filter(([{ fields }]) => fields.has('id'))).toHaveLength(1)
      await opened.store.outbox.write([edit('insert', -7, { thing_id: -5 }, 'part')])
      await vi.waitFor(() => expect(shown.rows.size).toBe(2))
      const late = follow(opened, ask, 'once')
      await vi.waitFor(() => expect(late.ids()).toEqual(['-7', '-6']))
    },
  )

  it('a question asked while a key changes is answered under the new one (R18)', async () => {
    const opened = await openShape()
    await opened.store.outbox.write([edit('insert', -5, { n: 2 }), edit('insert', -6, { thing_id: -5 }, 'part')])
    const { find } = opened.store
    let asked = 0
    const slow: Store = {
      ...opened.store,
      find: async (query) => {
        if (asked++ === 0) await push(opened, { id: 41, n: 2 })
        return find(query)
      },
    }
    const shown = follow({ ...opened, store: slow }, { collection: 'part', where: { thing_id: -5 } }, 'once')
    await vi.waitFor(() => expect(shown.steps).toHaveLength(1))
    expect(shown.ids()).toEqual(['-6'])
  })

  it('do not make columns send what they do not hold', async () => {
    const opened = await openShape()
    await opened.receive([put(1, 1, { n: 1 })])
    await opened.settleAll()
    const shown = follow(opened, { select: ['n'] }, 'columns')
    await vi.waitFor(() => expect(shown.messages).toHaveLength(1))
    const get = vi.spyOn(opened.store, 'get')
    shown.stream.onEvent({ kind: 'changes', changes: [{ type: 'thing', id: '1', rev: 1, local: 1, row: undefined }] })
    await new Promise((resolve) => setTimeout(resolve, 40))
    expect(get).not.toHaveBeenCalled()
    expect(shown.messages).toHaveLength(1)
  })
})

describe('columns', () => {
  it('cross as typed arrays: a slot per record, kept for ever, NaN where it left or has no number (R39)', async () => {
    const opened = await openTest()
    await opened.receive([put(1, 1, { n: 10 }), put(2, 1, { n: 'x' }), put(3, 1, { n: 30 })])
    const shown = follow(opened, { select: ['id', 'n'] }, 'columns')
    const slots = new Map<number, readonly number[]>()
    const read = (): Array<readonly number[]> => {
      for (const message of shown.messages.splice(0)) {
        if (message.kind !== 'columns') continue
        if (message.reset) slots.clear()
        message.slots.forEach((slot, at) =>
          slots.set(
            slot,
            message.values.map((column) => column[at] ?? -1),
          ),
        )
      }
      return [...slots].sort(([a], [b]) => a - b).map(([, values]) => values)
    }
    await vi.waitFor(() =>
      expect(read()).toEqual([
        [1, 10],
        [2, NaN],
        [3, 30],
      ]),
    )
    await opened.receive([del(1, 2), put(3, 2, { n: 33 }), put(4, 1, { n: 40 })])
    await vi.waitFor(() =>
      expect(read()).toEqual([
        [NaN, NaN],
        [2, NaN],
        [3, 33],
        [4, 40],
      ]),
    )
    await opened.receive([put(1, 3, { n: 11 }), put(9, 1), del(9, 2)])
    await vi.waitFor(() =>
      expect(read().slice(0, 4)).toEqual([
        [1, 11],
        [2, NaN],
        [3, 33],
        [4, 40],
      ]),
    )
    await opened.store.wipe(opened.lease)
    await vi.waitFor(() => expect(read()).toEqual([]))
  })

  it('come in slices, of which only the last ends the step (R39)', async () => {
    const opened = await openTest()
    for (let at = 0; at < 3; at++)
      await opened.store.commit(
        opened.lease,
        [page(...Array.from({ length: 15_000 }, (_, id) => put(at * 15_000 + id, 1)))],
        session,
      )
    const shown = follow(opened, { select: ['id'] }, 'columns')
    await vi.waitFor(() => expect(shown.messages).toHaveLength(3), 10_000)
    expect(
      shown.messages.map(
        (message) => message.kind === 'columns' && [message.slots.length, message.reset, message.last],
      ),
    ).toEqual([
      [20_000, true, false],
      [20_000, false, false],
      [5_000, false, true],
    ])
  })
})

describe('under a hostile schedule', () => {
  async function race(seed: number, query: Partial<Query>): Promise<{ steps: number; wrong: string[] }> {
    const random = seeded(seed)
    const scheduler = createScheduler(seeded(seed + 500))
    const uninstall = scheduler.install()
    try {
      const factory = new IDBFactory()
      const clock = virtualClock(scheduler)
      const deps = { indexedDB: factory, IDBKeyRange, clock, random: seededRandom(seeded(1)) }
      let ended = false
      let outcome: { steps: number; wrong: string[] } = { steps: 0, wrong: [] }
      const work = async (): Promise<void> => {
        const leader = await openStore('test', schema, deps)
        const follower = await openStore('test', schema, deps)
        const lease = await leader.device.takeEpoch()
        const compiled = compileQuery({ collection: 'thing', where: {}, ...query }, leader.specOf('thing'))
        const state = new Map<string, Row>()
        const legal = new Set<string>()
        const text = (rows: Iterable<readonly [string, Row]>): string =>
          [...rows]
            .map(([id, row]) => `${id}=${JSON.stringify(row)}`)
            .sort()
            .join()
        const note = (): void => {
          const found = [...state]
            .filter(([, row]) => compiled.matches(row))
            .map(([id, row]) => ({ id, row, key: compiled.sortKey(row) }))
            .sort(compiled.compare)
          legal.add(text(found.slice(0, query.limit ?? Infinity).map(({ id, row }) => [id, row])))
        }
        note()
        // The answer of a slow read arrives after changes that it does not hold.
        const slow = (store: Store): Store => ({
          ...store,
          find: async (asked) => {
            const found = await store.find(asked)
            await clock.sleep(Math.floor(random() * 30))
            return found
          },
        })
        const open = (store: Store): { store: Store; page: ReturnType<typeof createPage>; stream: Stream } => {
          const shown = createPage()
          const stream = openStream({ store: slow(store), clock, send: shown.send }, 1, 'live', compiled.query)
          store.subscribe((event) => stream.onEvent(event))
          return { store, page: shown, stream }
        }
        const streams = [open(leader), open(follower)]
        const nap = (): Promise<void> => clock.sleep(Math.floor(random() * 25))
        let done = false
        const disturb = async (): Promise<void> => {
          while (!done) {
            await clock.sleep(Math.floor(random() * 80))
            if (random() < 0.4) streams.push(open(random() < 0.5 ? leader : follower))
            // Allowed at any time: everything may have changed.
            else streams[Math.floor(random() * streams.length)]?.stream.onEvent({ kind: 'reset' })
          }
        }
        const write = async (): Promise<void> => {
          for (let rev = 1; rev <= 25; rev++) {
            const ids = new Set(Array.from({ length: 4 }, () => Math.floor(random() * 12)))
            const items = [...ids].map((id) =>
              random() < 0.25 ? del(id, rev) : put(id, rev, { n: Math.floor(random() * 6) }),
            )
            for (const raw of items) {
              const { data, meta } = raw as { data: Row; meta: { sync: { event_type: string } } }
              if (meta.sync.event_type === 'deleted') state.delete(String(data['id']))
              else state.set(String(data['id']), data)
            }
            note()
            await leader.commit(lease, [page(...items)], session)
            await nap()
          }
          done = true
        }
        const settle = async (): Promise<void> => {
          while (!done) {
            await clock.sleep(Math.floor(random() * 60))
            await leader.settleNext(lease)
          }
        }
        const catchUp = async (): Promise<void> => {
          while (!done) {
            await clock.sleep(Math.floor(random() * 120))
            await follower.follow()
          }
        }
        await Promise.all([write(), settle(), catchUp(), disturb()])
        await follower.follow()
        await clock.sleep(1_000)
        const wrong: string[] = []
        for (const [at, { store, page: shown }] of streams.entries()) {
          for (const step of shown.steps)
            if (!legal.has(text(step))) wrong.push(`seed ${seed}, stream ${at}: ${text(step)}`)
          const last = (await store.find(compiled)).map(({ id, row }): [string, Row] => [id, row])
          if (text(shown.steps.at(-1) ?? []) !== text(last))
            wrong.push(
              `seed ${seed}, stream ${at} ends with ${text(shown.steps.at(-1) ?? [])}, the store with ${text(last)}`,
            )
        }
        outcome = { steps: streams.reduce((sum, { page: shown }) => sum + shown.steps.length, 0), wrong }
      }
      const all = work().finally(() => (ended = true))
      all.catch(() => undefined)
      await scheduler.run(() => ended, 1_000_000)
      if (!ended) throw new Error('the race came to a standstill')
      await all
      return outcome
    } finally {
      uninstall()
    }
  }

  it('every step shows a whole number of pages, and the last one everything, with and without a window (I21, R2, R39)', async () => {
    let steps = 0
    const wrong: string[] = []
    for (const query of [
      {},
      { where: { n: { gte: 2 } } },
      { order: { field: 'n', dir: 'desc' as const }, limit: 4 },
      { where: { n: { lt: 4 } }, order: { field: 'n', dir: 'asc' as const }, limit: 3 },
    ])
      for (let seed = 1; seed <= 6; seed++) {
        const outcome = await race(seed, query)
        steps += outcome.steps
        wrong.push(...outcome.wrong)
      }
    expect(wrong.slice(0, 4)).toEqual([])
    expect(steps).toBeGreaterThan(300)
  })
})
