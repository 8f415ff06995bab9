/** Local writes as an app sees them (R15 to R21, I11 to I15): durable, shown at once in every tab, its own to take back. */
import fc from 'fast-check'
import { IDBDatabase, IDBFactory } from 'fake-indexeddb'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Query } from '../../src/query.ts'
import type { Row } from '../../src/schema.ts'
import { closeStores, crm, insert, makeEdit, openTab, remove, update, type Tab } from './edit-support.ts'
import { createSmallDisk, item, put, withDatabase } from './support.ts'

afterEach(closeStores)

const code = (what: Promise<unknown>): Promise<unknown> =>
  what.then(
    () => 'done',
    (error: unknown) => (error as { code?: unknown }).code,
  )
const list = (tab: Tab): unknown[] =>
  tab.store.outbox.snapshot().edits.map(({ op, key, value, state }) => [op, key, value, state])
const contact = (id: number, rev: number, fields: Row = {}): unknown =>
  item({ type: 'contact', id, rev, data: { id, ...fields } })

/** A tab with `thing` 1 = {a: 0, b: 0}, settled or not. */
async function withThing(settled = true, factory = new IDBFactory()): Promise<Tab> {
  const tab = await openTab(factory)
  await tab.receive(1, put(1, 1, { a: 0, b: 0 }))
  if (settled) await tab.settleAll()
  return tab
}

describe('a write', () => {
  it('is durable when its promise resolves, and shown in the same moment (I11, I15)', async () => {
    const factory = new IDBFactory()
    const first = await withThing(true, factory)
    const [ann, changed, gone] = await first.write(
      insert('contact', -5, { name: 'Ann' }),
      update('thing', 1, { a: 1 }),
      insert('contact', 9, { name: 'Bob' }, false),
    )
    expect([ann?.state, ann?.key, changed?.key, gone?.key]).toEqual(['pending', -5, 1, 9])
    expect(ann?.group).not.toBeNull()
    expect(changed?.group).toBe(ann?.group)
    const expected = async (tab: Tab): Promise<void> => {
      expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 1, b: 0 })
      expect(await tab.find({ collection: 'contact' })).toEqual([
        { id: -5, name: 'Ann' },
        { id: 9, name: 'Bob' },
      ])
      expect(list(tab)).toEqual([
        ['insert', -5, { name: 'Ann' }, 'pending'],
        ['update', 1, { a: 1 }, 'pending'],
        ['insert', 9, { name: 'Bob', id: 9 }, 'pending'],
      ])
      expect(tab.store.outbox.counts()).toEqual({ pending: 3, failed: 0, conflicts: 0 })
      expect(tab.store.outbox.find(String(ann?.id))).toEqual(ann)
      expect(tab.store.stateOf('thing', '1')).toBe('pending')
      expect(tab.store.stateOf('thing', '2')).toBe('synced')
    }
    await expected(first)
    first.store.close()
    await expected(await openTab(factory))
  })

  it('is one strict transaction, and so is every step of its way to the server (I11, R6, R15)', async () => {
    const tab = await withThing()
    const began = vi.spyOn(IDBDatabase.prototype, 'transaction')
    const steps: Array<() => Promise<unknown>> = [
      () => tab.write(update('thing', 1, { a: 1 }), insert('contact', -5, {})),
      () => tab.take(),
      async () => tab.answer({ id: String(tab.store.outbox.snapshot().edits[0]?.id), kind: 'unknown' }),
      () => tab.store.outbox.discard(String(tab.store.outbox.snapshot().edits[1]?.id)),
    ]
    for (const [at, step] of steps.entries()) {
      await step()
      const writes = began.mock.calls.splice(0).filter(([, mode]) => mode === 'readwrite')
      expect(writes.map(([, , options]) => [at, options])).toEqual([[at, { durability: 'strict' }]])
    }
    began.mockRestore()
  })

  it('is all or nothing: what is wrong with one edit keeps the others out (R20)', async () => {
    const tab = await withThing()
    const good = update('thing', 1, { a: 1 })
    expect(await code(tab.write(good, update('thing', 2, { a: 1 })))).toBe('record_missing')
    expect(await code(tab.write(good, remove('thing', 2)))).toBe('record_missing')
    expect(await code(tab.write(good, insert('thing', 1, {}, false)))).toBe('record_exists')
    expect(await code(tab.write(insert('thing', 3, {}, false), insert('thing', 3, {}, false)))).toBe('record_exists')
    expect(await code(tab.write(good, insert('nothing', 1, {})))).toBe('invalid_argument')
    expect(await code(tab.write(good, insert('pair', 1, {})))).toBe('invalid_argument')
    expect(await code(tab.write(good, update('thing', '', {})))).toBe('invalid_argument')
    expect(list(tab)).toEqual([])
    expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 0, b: 0 })
    expect(tab.events.filter(({ kind }) => kind === 'outbox')).toEqual([])
  })

  it('that finds the disk full leaves memory as it was, and the next one works (R7, I11)', async () => {
    const disk = createSmallDisk(new IDBFactory())
    const tab = await withThing(true, disk.factory)
    const [kept] = await tab.write(update('thing', 1, { a: 1 }))
    disk.full = true
    expect(await code(tab.write(update('thing', 1, { a: 2 })))).toBe('storage_full')
    expect(await code(tab.store.outbox.discard(String(kept?.id)))).toBe('storage_full')
    expect(await code(tab.take())).toBe('storage_full')
    expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 1, b: 0 })
    expect(list(tab)).toEqual([['update', 1, { a: 1 }, 'pending']])
    disk.full = false
    await tab.write(update('thing', 1, { b: 2 }))
    expect(list(tab)).toEqual([['update', 1, { a: 1, b: 2 }, 'pending']])
  })

  it('and another one at the same time both count, in their order (I13)', async () => {
    const tab = await withThing()
    const writes = Array.from({ length: 10 }, (_, at) => tab.write(update('thing', 1, { a: at, [`f${at}`]: at })))
    const done = await Promise.all(writes)
    expect(new Set(done.map(([edit]) => edit?.id)).size).toBe(1)
    expect(await tab.get('thing', 1)).toMatchObject({ a: 9, f0: 0, f9: 9 })
    expect(list(tab)).toHaveLength(1)
  })

  it('while pages are being stored and other tabs look loses neither (I11, I15)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(true, factory)
    const other = await openTab(factory, { lead: false })
    const work: Array<Promise<unknown>> = []
    for (let at = 1; at <= 8; at++)
      work.push(
        tab.write(update('thing', 1, { a: at })),
        tab.receive(2, put(1, at + 1, { a: 0, b: at })),
        other.write(update('thing', 1, { [`o${at}`]: at })),
        tab.store.follow(),
        other.store.follow(),
      )
    await Promise.all(work)
    await Promise.all([tab.store.follow(), other.store.follow()])
    const expected = { id: 1, a: 8, b: 8, o1: 1, o8: 8 }
    expect(await tab.get('thing', 1)).toMatchObject(expected)
    expect(await other.get('thing', 1)).toMatchObject(expected)
    // Nobody ever saw an own word undone.
    const values = tab.seen.flatMap(([type, , row]) => (type === 'thing' && row ? [Number(row['a'])] : []))
    expect(values).toEqual(values.toSorted((a, b) => a - b))
  })

  it('in a tab that knows data of before looks first, and is never worked out on that data (R23, R24)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(true, factory)
    const other = await openTab(factory, { lead: false })
    await tab.write(insert('contact', -5, { name: 'Ann' }))
    await tab.store.wipe(tab.lease)
    expect(await code(other.write(update('thing', 1, { a: 2 })))).toBe('record_missing')
    await other.write(insert('contact', -6, { name: 'Bob' }))
    await tab.store.follow()
    for (const each of [tab, other]) {
      expect(await each.find({ collection: 'contact' })).toEqual([
        { id: -5, name: 'Ann' },
        { id: -6, name: 'Bob' },
      ])
      expect(await each.get('thing', 1)).toBeUndefined()
    }
  })
})

describe('edits of one record of which nothing has left', () => {
  it('become one: an update into an update, with what was there before the first (R19)', async () => {
    const tab = await withThing()
    const [first] = await tab.write(update('thing', 1, { a: 1, c: 1 }))
    const [second] = await tab.write(update('thing', 1, { a: 2, b: 2, c: 2 }))
    expect(second?.id).toBe(first?.id)
    expect(list(tab)).toEqual([['update', 1, { a: 2, b: 2, c: 2 }, 'pending']])
    expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 2, b: 2, c: 2 })
    // No field changed at the server meanwhile, the new one neither.
    await tab.take()
    expect(tab.store.outbox.snapshot().conflicts).toEqual([])
  })

  it('become one: an update into an insert, a deletion over an update, and nothing of an insert and a deletion', async () => {
    const tab = await withThing()
    const [ann] = await tab.write(insert('contact', -5, { name: 'A' }))
    await tab.write(update('contact', -5, { name: 'Ann', age: 3 }))
    expect(list(tab)).toEqual([['insert', -5, { name: 'Ann', age: 3 }, 'pending']])
    const [deletion] = await tab.write(remove('contact', -5))
    expect(list(tab)).toEqual([])
    expect([tab.store.outbox.find(String(ann?.id))?.state, deletion?.state]).toEqual(['discarded', 'synced'])
    expect(await tab.get('contact', -5)).toBeUndefined()
    await tab.write(update('thing', 1, { a: 1, c: 1 }))
    await tab.write(remove('thing', 1))
    expect(list(tab)).toEqual([['delete', 1, {}, 'pending']])
    expect(await tab.get('thing', 1)).toBeUndefined()
    await tab.take()
    expect(tab.store.outbox.snapshot().conflicts).toEqual([])
  })

  it('stay two in another write, after the first has left, and where the second names a record that is not made yet (R15, R20, I13)', async () => {
    const tab = await withThing()
    await tab.write(update('thing', 1, { a: 1 }))
    await tab.take()
    await tab.write(update('thing', 1, { a: 2 }))
    await tab.write(update('thing', 1, { a: 3 }))
    expect(list(tab)).toEqual([
      ['update', 1, { a: 1 }, 'sending'],
      ['update', 1, { a: 3 }, 'pending'],
    ])
    const other = await withThing()
    const [refused] = await other.write(update('thing', 1, { a: 1 }))
    await other.take()
    const problem = { code: 'refused', status: 422, message: 'no', fields: [] } as const
    await other.answer({ id: String(refused?.id), kind: 'refused', problem })
    await other.write(update('thing', 1, { a: 2 }))
    expect(list(other)).toEqual([
      ['update', 1, { a: 1 }, 'failed'],
      ['update', 1, { a: 2 }, 'pending'],
    ])
    await tab.write(insert('contact', -5, {}), insert('deal', -6, { contact_id: -5 }))
    await tab.write(update('contact', -5, { main_deal_id: -6 }))
    expect(list(tab)).toHaveLength(5)
    const sent = await tab.take()
    await tab.accept(String(sent.find(({ request }) => request.path === '/v2/contacts')?.id), { id: 5 }, 1)
    const [deal] = await tab.take().then((all) => all.filter(({ request }) => request.path === '/v2/deals'))
    await tab.accept(String(deal?.id), { id: 6, contact_id: 5 }, 2)
    const [link] = await tab.take().then((all) => all.filter(({ request }) => request.path === '/v2/contacts/5'))
    expect(link?.request.body).toBe('{"data":{"main_deal_id":6}}')
  })

  it('a new record that was deleted again takes the names of it along: what named it is shown as failed (I14)', async () => {
    const tab = await withThing()
    await tab.write(insert('contact', -5, {}))
    await tab.write(insert('deal', -6, { contact_id: -5, name: 'Bridge' }))
    await tab.write(remove('contact', -5))
    expect(await tab.take()).toEqual([])
    expect(list(tab)).toEqual([['insert', -6, { contact_id: -5, name: 'Bridge' }, 'failed']])
    const [deal] = tab.store.outbox.snapshot().edits
    expect(deal?.problem).toMatchObject({ code: 'missing' })
    await tab.store.outbox.edit(String(deal?.id), { contact_id: 1 })
    expect(await tab.take()).toMatchObject([{ request: { method: 'POST', path: '/v2/deals' } }])
  })
})

describe("an edit is the user's to change", () => {
  it('until it is sent: then it is `edit_in_flight`, and `edit_missing` once it is done (R15)', async () => {
    const tab = await withThing()
    const [edit] = await tab.write(update('thing', 1, { a: 1 }))
    const id = String(edit?.id)
    const { outbox } = tab.store
    const calls = [
      () => outbox.edit(id, { a: 2 }),
      () => outbox.discard(id),
      () => outbox.retry(id),
      () => outbox.resend(id),
      () => outbox.arrived(id, 1),
    ]
    await tab.take()
    for (const call of calls) expect(await code(call())).toBe('edit_in_flight')
    await tab.answer({ id, kind: 'unknown' })
    for (const call of calls) expect(await code(call())).toBe('edit_in_flight')
    await tab.take()
    await tab.accept(id, { id: 1, a: 1, b: 0 }, 5)
    for (const call of calls) expect(await code(call())).toBe('edit_missing')
    expect(outbox.find(id)?.state).toBe('synced')
    expect(await code(outbox.edit('nothing', {}))).toBe('edit_missing')
    expect(await code(outbox.dismiss('nothing'))).toBe('done')
  })

  it('`edit` changes what will be sent, and keeps what was there before (R19)', async () => {
    const tab = await withThing()
    const [edit] = await tab.write(update('thing', 1, { a: 1, c: 1 }))
    await tab.store.outbox.edit(String(edit?.id), { a: 2, b: 2, c: 2 })
    expect(list(tab)).toEqual([['update', 1, { a: 2, b: 2, c: 2 }, 'pending']])
    expect(await tab.take()).toMatchObject([{ request: { body: '{"data":{"a":2,"c":2,"b":2}}' } }])
    expect(tab.store.outbox.snapshot().conflicts).toEqual([])
    const [gone] = await tab.write(remove('thing', 1))
    expect(await code(tab.store.outbox.edit(String(gone?.id), { a: 1 }))).toBe('invalid_argument')
  })

  it('`edit` moves what was made upon it, so that no conflict with oneself is seen (R19)', async () => {
    const tab = await withThing()
    const [first] = await tab.write(update('thing', 1, { a: 1 }))
    const id = String(first?.id)
    await tab.take()
    await tab.write(update('thing', 1, { a: 2, b: 2 }))
    await tab.answer({ id, kind: 'refused', problem: { code: 'refused', status: 422, message: 'no', fields: [] } })
    expect(tab.store.stateOf('thing', '1')).toBe('failed')
    await tab.store.outbox.edit(id, { a: 5, b: 5 })
    await tab.take()
    await tab.accept(id, { id: 1, a: 5, b: 5 }, 2)
    expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 2, b: 2 })
    expect(await tab.take()).toMatchObject([{ request: { body: '{"data":{"a":2,"b":2}}' } }])
    expect(tab.store.outbox.snapshot().conflicts).toEqual([])
  })

  it('`edit` with a key that has got its real one names that one, and never a record that is made later (R18, I14)', async () => {
    const tab = await withThing()
    const [ann] = await tab.write(insert('contact', -5, {}))
    await tab.take()
    await tab.accept(String(ann?.id), { id: 5 }, 1)
    const [deal] = await tab.write(insert('deal', -6, {}))
    await tab.store.outbox.edit(String(deal?.id), { contact_id: -5 })
    expect(list(tab)).toEqual([['insert', -6, { contact_id: 5 }, 'pending']])
    await tab.write(insert('contact', -7, { main_deal_id: -6 }))
    expect(await code(tab.store.outbox.edit(String(deal?.id), { contact_id: -7 }))).toBe('invalid_argument')
  })

  it('`discard` takes it back, and what was made upon it is made upon what was before (R19)', async () => {
    for (const settled of [true, false]) {
      const tab = await withThing(settled)
      const [first] = await tab.write(update('thing', 1, { a: 1, c: 1 }))
      await tab.write(insert('contact', -5, {}), update('thing', 1, { a: 2, c: 2 }))
      await tab.store.outbox.discard(String(first?.id))
      expect(tab.store.outbox.find(String(first?.id))?.state).toBe('discarded')
      expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 2, b: 0, c: 2 })
      const [ann] = await tab.take()
      await tab.accept(String(ann?.id), { id: 5 }, 1)
      expect(await tab.take()).toMatchObject([{ request: { body: '{"data":{"a":2,"c":2}}' } }])
      expect(tab.store.outbox.snapshot().conflicts).toEqual([])
    }
  })

  it('`discard` of a whole record shows what the server has, as a change with that row, settled or not (R21)', async () => {
    for (const settled of [true, false]) {
      const tab = await withThing(settled)
      const [edit] = await tab.write(update('thing', 1, { a: 1 }))
      await tab.store.outbox.discard(String(edit?.id))
      const [gone] = await tab.write(remove('thing', 1))
      await tab.store.outbox.discard(String(gone?.id))
      const [fresh] = await tab.write(insert('thing', 2, {}, false))
      await tab.store.outbox.discard(String(fresh?.id))
      expect(tab.seen.slice(-6)).toEqual([
        ['thing', '1', { id: 1, a: 1, b: 0 }],
        ['thing', '1', { id: 1, a: 0, b: 0 }],
        ['thing', '1', null],
        ['thing', '1', { id: 1, a: 0, b: 0 }],
        ['thing', '2', { id: 2 }],
        ['thing', '2', null],
      ])
      expect(await tab.find({})).toEqual([{ id: 1, a: 0, b: 0 }])
      expect(tab.store.outbox.counts()).toEqual({ pending: 0, failed: 0, conflicts: 0 })
    }
  })

  it('`discard` of an insert takes along what was made upon it, and nothing before it', async () => {
    const tab = await withThing()
    const [deletion] = await tab.write(remove('thing', 1))
    const [again] = await tab.write(insert('thing', 1, { a: 9 }, false), insert('contact', -5, {}))
    await tab.write(update('thing', 1, { b: 9 }))
    expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 9, b: 9 })
    await tab.store.outbox.discard(String(again?.id))
    expect(list(tab).map((edit) => (edit as unknown[])[0])).toEqual(['delete', 'insert'])
    expect(tab.store.outbox.find(String(deletion?.id))?.state).toBe('pending')
    expect(await tab.get('thing', 1)).toBeUndefined()
  })
})

describe('two tabs', () => {
  it('see the same edits, told as changes before the outbox, with the ends of edits (R21, R25)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(true, factory)
    const other = await openTab(factory, { lead: false })
    const [edit] = await other.write(update('thing', 1, { a: 1 }))
    expect(other.events.map(({ kind }) => kind)).toEqual(['changes', 'outbox'])
    tab.events.length = 0
    await tab.store.follow()
    expect(tab.events.map(({ kind }) => kind)).toEqual(['changes', 'outbox'])
    expect(tab.seen.at(-1)).toEqual(['thing', '1', { id: 1, a: 1, b: 0 }])
    expect(tab.store.stateOf('thing', '1')).toBe('pending')
    await tab.store.outbox.discard(String(edit?.id))
    await other.store.follow()
    expect(other.store.outbox.find(String(edit?.id))?.state).toBe('discarded')
    expect(other.seen.at(-1)).toEqual(['thing', '1', { id: 1, a: 0, b: 0 }])
  })

  it('never see an older value when a confirmed edit goes with its echo (I15, R16)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(true, factory)
    const other = await openTab(factory, { lead: false })
    const [edit] = await other.write(update('thing', 1, { a: 1 }))
    await tab.store.follow()
    await tab.take()
    await other.store.follow()
    await tab.accept(String(edit?.id), { id: 1, a: 1, b: 7 }, 5)
    await other.store.follow()
    await tab.receive(2, put(1, 4, { a: 0, b: 4 }))
    await other.store.follow()
    await tab.receive(2, put(1, 5, { a: 1, b: 7 }))
    expect(tab.store.outbox.find(String(edit?.id))?.state).toBe('synced')
    await other.store.follow()
    await tab.settleAll()
    await other.store.follow()
    for (const each of [tab, other]) {
      const rows = each.seen.flatMap(([, , row]) => (row ? [`${Number(row['a'])}${Number(row['b'])}`] : []))
      expect([...new Set(rows.slice(rows.indexOf('10')))]).toEqual(['10', '17'])
      expect(await each.get('thing', 1)).toEqual({ id: 1, a: 1, b: 7 })
    }
    await tab.receive(2, put(1, 6, { a: 1, b: 8 }))
    await other.store.follow()
    expect(other.store.outbox.find(String(edit?.id))?.state).toBe('synced')
    for (const each of [tab, other]) expect(await each.get('thing', 1)).toEqual({ id: 1, a: 1, b: 8 })
  })

  it('both count where one wrote while the other stored a page that ends an edit (R25)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(true, factory)
    const other = await openTab(factory, { lead: false })
    const [edit] = await tab.write(update('thing', 1, { a: 1 }))
    await tab.take()
    await tab.accept(String(edit?.id), { id: 1, a: 1, b: 0 }, 2)
    const [late] = await other.write(insert('contact', -5, {}))
    await tab.receive(2, put(1, 2, { a: 1, b: 0 }))
    expect(tab.store.outbox.find(String(edit?.id))?.state).toBe('synced')
    expect(list(tab)).toEqual([])
    await tab.store.follow()
    await other.store.follow()
    expect(list(tab)).toEqual([['insert', -5, {}, 'pending']])
    expect(list(other)).toEqual(list(tab))
    expect(other.store.outbox.find(String(late?.id))?.state).toBe('pending')
    await tab.write(insert('contact', -6, {}))
    expect(list(tab)).toHaveLength(2)
  })

  it('that slept while a record with edits was deleted, and that settled, see it deleted (R25)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(true, factory)
    const other = await openTab(factory, { lead: false })
    await other.write(update('thing', 1, { a: 1 }))
    await tab.receive(2, item({ id: 1, rev: 9, event: 'deleted', data: { id: 1 } }))
    await tab.settleAll()
    await other.store.follow()
    expect(other.events.map(({ kind }) => kind)).toContain('reset')
    expect(await other.get('thing', 1)).toBeUndefined()
    expect(await other.find({})).toEqual([])
  })

  it('know an insert the other made under the same key', async () => {
    const factory = new IDBFactory()
    const tab = await openTab(factory)
    const other = await openTab(factory, { lead: false })
    await tab.write(insert('thing', 5, {}, false))
    expect(await code(other.write(insert('thing', 5, {}, false)))).toBe('record_exists')
  })
})

describe('a record that went to quarantine', () => {
  it('is shown with its edits, and as stale once they are gone (R31, R21)', async () => {
    const tab = await withThing()
    const [edit] = await tab.write(update('thing', 1, { a: 1 }))
    await tab.receive(2, item({ id: 1, rev: 2, event: 'odd', data: { id: 1 } }))
    expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 1, b: 0 })
    expect(tab.store.stateOf('thing', '1')).toBe('pending')
    await tab.settleAll()
    await tab.store.outbox.discard(String(edit?.id))
    expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 0, b: 0 })
    expect(tab.store.stateOf('thing', '1')).toBe('stale')
    expect(tab.seen.at(-1)).toEqual(['thing', '1', { id: 1, a: 0, b: 0 }])
  })
})

describe('queries over edits', () => {
  interface Step {
    readonly kind: 'receive' | 'delete' | 'settle' | 'insert' | 'update' | 'remove' | 'discard' | 'sync' | 'reopen'
    readonly id: number
    readonly n: number | null
  }
  const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.constantFrom(
      ...(['receive', 'receive', 'delete', 'settle', 'insert', 'insert', 'update', 'update', 'remove'] as const),
      ...(['discard', 'sync', 'reopen'] as const),
    ),
    id: fc.integer({ min: 1, max: 9 }),
    n: fc.constantFrom(null, 1, 2, 3, 4),
  })
  const query: fc.Arbitrary<Partial<Query>> = fc.record({
    where: fc.constantFrom<Query['where']>({}, { n: 2 }, { n: { gte: 2 } }, { n: { in: [1, null] } }, { m: 1 }),
    order: fc.constantFrom(undefined, { field: 'n', dir: 'asc' as const }, { field: 'n', dir: 'desc' as const }),
    limit: fc.constantFrom(undefined, 1, 3, 100),
  })

  /** What the rows mean, without store, index or overlay. */
  function answer(rows: ReadonlyMap<number, Row>, { where = {}, order, limit }: Partial<Query>): Row[] {
    const n = (row: Row): number => (row['n'] as number | null | undefined) ?? -Infinity
    const test = (row: Row): boolean =>
      Object.entries(where).every(([field, condition]) => {
        const value = row[field] ?? null
        if (typeof condition !== 'object' || condition === null) return value === condition
        if ('in' in condition) return condition.in.includes(value as number)
        return typeof value === 'number' && value >= 2
      })
    const sign = order?.dir === 'desc' ? -1 : 1
    return [...rows.values()]
      .filter(test)
      .sort((a, b) => sign * ((order && Math.sign(n(a) - n(b))) || Number(a['id']) - Number(b['id'])))
      .slice(0, limit)
  }

  it('equal the definition, settled or not, from memory or from the disk, in every tab (R2, R4, R21)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25 }),
        fc.array(query, { minLength: 4, maxLength: 8 }),
        fc.boolean(),
        async (steps, queries, fromMemory) => {
          const factory = new IDBFactory()
          let tab = await openTab(factory, { fromMemory })
          const other = await openTab(factory, { lead: false })
          const truth = new Map<number, Row>()
          /** Edits that still count, oldest first. */
          let local: Array<{ id: string; key: number; apply: (row: Row | undefined) => Row | undefined }> = []
          let rev = 0
          const look = (): Map<number, Row> => {
            const rows = new Map(truth)
            for (const { key, apply } of local) {
              const row = apply(rows.get(key))
              if (row === undefined) rows.delete(key)
              else rows.set(key, row)
            }
            return rows
          }
          for (const { kind, id, n } of steps) {
            const edited = local.some(({ key }) => key === id)
            const exists = look().has(id)
            if (kind === 'receive' && !edited) {
              await tab.receive(1, put(id, ++rev, { n, m: id % 2 }))
              truth.set(id, { id, n, m: id % 2 })
            } else if (kind === 'delete' && !edited) {
              await tab.receive(1, item({ id, rev: ++rev, event: 'deleted' }))
              truth.delete(id)
            } else if (kind === 'settle') await tab.store.settleNext(tab.lease, 1 + (id % 2))
            else if (kind === 'insert' && !exists) {
              const [edit] = await tab.write(insert('thing', id, { n, m: 1 }, false))
              local.push({ id: String(edit?.id), key: id, apply: () => ({ id, n, m: 1 }) })
            } else if (kind === 'update' && exists) {
              // In a group of its own it joins no other.
              const [edit] = await tab.write(
                update('thing', id, { n }),
                insert('contact', -1 - local.length * 1e6 - rev, {}),
              )
              rev++
              local.push({ id: String(edit?.id), key: id, apply: (row) => row && { ...row, n } })
            } else if (kind === 'remove' && exists && !edited) {
              const [edit] = await tab.write(remove('thing', id))
              local.push({ id: String(edit?.id), key: id, apply: () => undefined })
            } else if (kind === 'discard' && edited) {
              const gone = local.find(({ key }) => key === id)
              const before = gone === undefined ? new Map() : look()
              expect(before).toBeDefined()
              await tab.store.outbox.discard(String(gone?.id))
              const left = new Set(tab.store.outbox.snapshot().edits.map((edit) => edit.id))
              local = local.filter((one) => left.has(one.id))
            } else if (kind === 'sync') await other.store.follow()
            else if (kind === 'reopen') {
              tab.store.close()
              tab = await openTab(factory, { fromMemory })
            }
          }
          await other.store.follow()
          const rows = look()
          for (const each of [tab, other]) {
            for (const asked of queries) {
              expect(await each.find(asked)).toEqual(answer(rows, asked))
              const counted = each.store.compile({ collection: 'thing', where: {}, ...asked, limit: undefined })
              expect(await each.store.count(counted)).toBe(answer(rows, { where: asked.where ?? {} }).length)
            }
            const keys = Array.from({ length: 10 }, (_, at) => at)
            expect(await each.store.get('thing', keys.map(String))).toEqual(keys.map((key) => rows.get(key)))
            const all = answer(rows, { order: { field: 'n', dir: 'desc' } })
            for (const [at, afterRow] of all.entries())
              expect(await each.find({ order: { field: 'n', dir: 'desc' }, limit: 2, afterRow })).toEqual(
                all.slice(at + 1, at + 3),
              )
          }
          closeStores()
        },
      ),
      { numRuns: 40 },
    )
  })

  it('take a temporary key for the real one wherever a condition names it, and refuse a malformed one by its code (R18)', async () => {
    const tab = await openTab()
    const [ann] = await tab.write(insert('contact', -5, {}))
    await tab.take()
    await tab.accept(String(ann?.id), { id: 5, name: 'Ann' }, 1)
    await tab.receive(1, contact(5, 1, { name: 'Ann' }), contact(6, 1, { parent_id: 5 }))
    expect(await tab.get('contact', -5)).toEqual({ id: 5, name: 'Ann' })
    expect(await tab.find({ collection: 'contact', where: { id: -5 } })).toEqual([{ id: 5, name: 'Ann' }])
    expect(await tab.find({ collection: 'contact', where: { parent_id: { in: [-5, null] } } })).toHaveLength(2)
    expect(() => tab.store.compile({ collection: 'contact', where: { id: { in: 5 as never } } })).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    )
  })
})

describe('rows of the outbox', () => {
  it('of a collection the schema has no more are kept and listed, and break nothing (I14)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(true, factory)
    await tab.write(update('thing', 1, { a: 1 }))
    tab.store.close()
    await withDatabase(factory, crm, ({ dexie }) =>
      dexie.table('outbox').put(makeEdit({ id: 'old', n: 0, type: 'gone', op: 'insert', key: '-1', jsonKey: -1 })),
    )
    const again = await openTab(factory)
    expect(list(again)).toHaveLength(2)
    expect(await again.take()).toHaveLength(1)
    await again.store.outbox.discard('old')
    expect(list(again)).toHaveLength(1)
  })
})
