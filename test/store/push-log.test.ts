/** How edits leave and what their answers do (R15 to R19): frozen before they go, kept until truth has caught up. */
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, describe, expect, it } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import { systemClock } from '../../src/clock.ts'
import type { Row } from '../../src/schema.ts'
import type { Edit, EditProblem, OutboxRow } from '../../src/store/edit.ts'
import {
  bodyOf,
  closeStores,
  crm,
  insert,
  KEYS,
  openTab,
  remove,
  update,
  VENDOR,
  type Tab,
  type TabOptions,
} from './edit-support.ts'
import { item, page, put, session, withDatabase } from './support.ts'

afterEach(closeStores)

const code = (what: Promise<unknown>): Promise<unknown> =>
  what.then(
    () => 'done',
    (error: unknown) => (error as { code?: unknown }).code,
  )
const NO: EditProblem = { code: 'refused', status: 422, message: 'No.', fields: [] }
const record = (type: string, id: number, rev: number, fields: Row = {}): unknown =>
  item({ type, id, rev, data: { id, ...fields } })
const gone = (type: string, id: number, rev: number): unknown => item({ type, id, rev, event: 'deleted', data: { id } })
const onDisk = (factory: IDBFactory): Promise<OutboxRow[]> =>
  withDatabase(factory, crm, ({ dexie }) => dexie.table<OutboxRow>('outbox').toArray())
const editOnDisk = async (factory: IDBFactory): Promise<Edit | undefined> =>
  (await onDisk(factory)).filter((row) => row.kind === 'edit').sort((a, b) => a.n - b.n)[0]
const states = (tab: Tab): string[] => tab.store.outbox.snapshot().edits.map(({ state }) => state)

async function withThing(factory = new IDBFactory(), options: TabOptions = {}, settled = true): Promise<Tab> {
  const tab = await openTab(factory, options)
  await tab.store.device.updateSync(tab.lease, { started: 1, clean: 1 })
  await tab.receive(1, put(1, 1, { a: 0, b: 0 }))
  if (settled) await tab.settleAll()
  return tab
}

/** One edit of `thing` 1, sent. */
async function sentUpdate(tab: Tab, value: Row = { a: 1 }): Promise<string> {
  const [edit] = await tab.write(update('thing', 1, value))
  await tab.take()
  return String(edit?.id)
}

describe('an edit that leaves', () => {
  it('is `sending` on the disk, with the body it goes with, before it is handed out (R15)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(factory)
    const [edit] = await tab.write(update('thing', 1, { a: 1 }))
    const [sent] = await tab.take()
    expect(sent).toEqual({
      id: edit?.id,
      again: false,
      request: { method: 'PUT', path: '/v2/things/1', body: '{"data":{"a":1}}', idempotencyKey: edit?.id },
    })
    expect(await editOnDisk(factory)).toMatchObject({
      state: 'sending',
      request: sent?.request,
      epoch: tab.lease.epoch,
      attempt: 1,
    })
  })

  it('goes again as it was, also from another process, whatever changed meanwhile (R15, I12)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(factory)
    await tab.write(update('thing', 1, { a: 1 }))
    const [first] = await tab.take()
    await tab.write(update('thing', 1, { a: 2 }))
    await tab.receive(1, put(1, 2, { a: 7, b: 7 }))
    expect(await tab.take()).toEqual([{ ...first, again: true }])
    await tab.answer({ id: String(first?.id), kind: 'unknown' })
    expect(states(tab)).toEqual(['sending', 'pending'])
    tab.store.close()
    const next = await openTab(factory)
    expect(states(next)).toEqual(['sending', 'pending'])
    expect(await next.take(VENDOR)).toEqual([{ ...first, again: true }])
    expect((await editOnDisk(factory))?.attempt).toBe(3)
  })

  it('is `untouched` free to be changed again, but not if an earlier attempt may have taken effect (R15)', async () => {
    const tab = await withThing()
    const id = await sentUpdate(tab)
    await tab.answer({ id, kind: 'untouched' })
    expect(states(tab)).toEqual(['pending'])
    await tab.store.outbox.edit(id, { a: 2 })
    const [again] = await tab.take()
    expect([again?.again, bodyOf(again)]).toEqual([false, { a: 2 }])
    await tab.answer({ id, kind: 'unknown' })
    await tab.take()
    await tab.answer({ id, kind: 'untouched' })
    expect(await code(tab.store.outbox.edit(id, { a: 3 }))).toBe('edit_in_flight')
    expect(await tab.take()).toEqual([{ ...again, again: true }])
  })

  it('leaves in portions, and never for edits that have nothing left to say: what waits behind those goes at once (I14)', async () => {
    const tab = await withThing()
    for (let at = 0; at < 5; at++) await tab.write(insert('contact', -at - 1, {}))
    expect(await tab.take(KEYS, 2)).toHaveLength(2)
    const other = await withThing()
    const [same, ann] = await other.write(update('thing', 1, { a: 0 }), insert('contact', -1, {}))
    expect(await other.take()).toMatchObject([{ id: ann?.id }])
    expect(other.store.outbox.find(String(same?.id))?.state).toBe('synced')
  })

  it('needs the lead: a former leader can neither send nor answer (R24)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(factory)
    const id = await sentUpdate(tab)
    const next = await openTab(factory)
    expect(await code(tab.take())).toBe('fenced')
    expect(await code(tab.accept(id, null, 5))).toBe('fenced')
    expect(await next.take()).toMatchObject([{ id, again: true }])
    expect((await editOnDisk(factory))?.epoch).toBe(next.lease.epoch)
  })
})

describe('an accepted edit', () => {
  it('stays until a stored revision at or above its own, and no older page shows through (R16, I15)', async () => {
    for (const settled of [true, false]) {
      const factory = new IDBFactory()
      const tab = await withThing(factory, {}, settled)
      const id = await sentUpdate(tab)
      await tab.accept(id, { id: 1, a: 1, b: 5 }, 5)
      expect(tab.store.outbox.find(id)?.state).toBe('synced')
      expect(tab.store.stateOf('thing', '1')).toBe('synced')
      expect(tab.store.outbox.counts().pending).toBe(0)
      await tab.receive(1, put(1, 4, { a: 0, b: 4 }))
      if (settled) await tab.settleAll()
      await tab.store.proved(tab.lease, 1)
      expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 1, b: 5 })
      expect(await editOnDisk(factory)).toMatchObject({ state: 'confirmed' })
      await tab.receive(1, put(1, 6, { a: 1, b: 6 }))
      expect(await onDisk(factory)).toEqual([])
      expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 1, b: 6 })
      const rows = tab.seen.flatMap(([, , row]) => (row ? [row['b']] : []))
      expect(rows.slice(rows.indexOf(5)).every((b) => b === 5 || b === 6)).toBe(true)
    }
  })

  it('goes at once where its echo came before the answer, settled or not (R16)', async () => {
    for (const settled of [true, false]) {
      const factory = new IDBFactory()
      const tab = await withThing(factory)
      const id = await sentUpdate(tab)
      await tab.receive(1, put(1, 5, { a: 1, b: 5 }))
      if (settled) await tab.settleAll()
      expect(states(tab)).toEqual(['sending'])
      await tab.accept(id, { id: 1, a: 1, b: 5 }, 5)
      expect(await onDisk(factory)).toEqual([])
      expect(tab.store.outbox.find(id)?.state).toBe('synced')
      expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 1, b: 5 })
    }
  })

  it('goes also where its answer and its echo are stored in the same moment (R16)', async () => {
    for (const first of ['answer', 'page'] as const) {
      const factory = new IDBFactory()
      const tab = await withThing(factory)
      const id = await sentUpdate(tab)
      const pages = [page(put(1, 5, { a: 1, b: 5 }), put(1, 7, { a: 1, b: 7 }))]
      const store = (): Promise<unknown> => tab.store.commit(tab.lease, pages, session)
      const tell = (): Promise<unknown> => tab.accept(id, { id: 1, a: 1, b: 5 }, 5)
      if (first === 'answer') {
        const told = tell()
        // So that the page is compared while the answer is on its way to the disk.
        await Promise.all([store(), told])
      } else await Promise.all([store(), tell()])
      expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 1, b: 7 })
      expect(await onDisk(factory)).toEqual([])
    }
  })

  it('without a revision goes with an item of a later session, or with a later clean one (R16)', async () => {
    const tab = await withThing()
    await tab.store.device.updateSync(tab.lease, { started: 3 })
    const id = await sentUpdate(tab)
    await tab.accept(id, { id: 1, a: 1, b: 0 })
    await tab.receive(3, put(1, 2, { a: 0, b: 2 }))
    await tab.store.proved(tab.lease, 3)
    expect(await tab.get('thing', 1)).toMatchObject({ a: 1 })
    await tab.receive(4, put(1, 3, { a: 1, b: 3 }))
    expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 1, b: 3 })
    const [contact] = await tab.write(insert('contact', -5, {}))
    await tab.take()
    await tab.accept(String(contact?.id), { id: 5 })
    await tab.store.proved(tab.lease, 3)
    expect(await tab.get('contact', 5)).toEqual({ id: 5 })
    await tab.receive(4, gone('contact', 5, 1))
    expect(await tab.get('contact', 5)).toBeUndefined()
    const [last] = await tab.write(update('thing', 1, { a: 9 }))
    await tab.take()
    await tab.accept(String(last?.id), null)
    expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 9, b: 3 })
    await tab.store.proved(tab.lease, 4)
    expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 1, b: 3 })
    expect(tab.seen.at(-1)).toEqual(['thing', '1', { id: 1, a: 1, b: 3 }])
  })

  it('of a record in quarantine stays, so that it is not shown older than it was (R31, R16)', async () => {
    const tab = await withThing()
    const id = await sentUpdate(tab)
    await tab.accept(id, { id: 1, a: 1, b: 0 }, 5)
    await tab.receive(1, item({ id: 1, rev: 5, event: 'odd', data: { id: 1 } }))
    expect(await tab.get('thing', 1)).toMatchObject({ a: 1 })
  })

  it('of a deletion keeps the record away until the deletion has come down (I15)', async () => {
    const tab = await withThing()
    const [edit] = await tab.write(remove('thing', 1))
    expect(await tab.take()).toMatchObject([{ request: { method: 'DELETE', path: '/v2/things/1', body: null } }])
    await tab.accept(String(edit?.id), null, 5)
    await tab.receive(1, put(1, 4, { a: 4 }))
    expect(await tab.get('thing', 1)).toBeUndefined()
    await tab.receive(1, gone('thing', 1, 5))
    expect(await tab.get('thing', 1)).toBeUndefined()
    expect(tab.seen.filter(([, , row]) => row !== null)).toEqual([['thing', '1', { id: 1, a: 0, b: 0 }]])
  })

  it('moves what was made upon it, deletions too, so that no conflict with oneself is seen (R19)', async () => {
    const tab = await withThing()
    await tab.write(insert('contact', -5, { name: 'ann', map: 1 }))
    const [first] = await tab.take()
    await tab.write(update('contact', -5, { name: 'Bob' }))
    await tab.accept(String(first?.id), { id: 5, name: 'Ann', created_at: 'now' }, 2)
    const [second] = await tab.take()
    expect(bodyOf(second)).toEqual({ name: 'Bob' })
    await tab.write(remove('contact', -5))
    await tab.accept(String(second?.id), { id: 5, name: 'Bob', created_at: 'now', updated_at: 'later' }, 3)
    expect(await tab.take()).toMatchObject([{ request: { method: 'DELETE', path: '/v2/contacts/5' } }])
    expect(tab.store.outbox.snapshot().conflicts).toEqual([])
  })
})

describe('an edit the server does not take', () => {
  it('is kept with the reason, and leaves again when the user says so, as new (R15, I14)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(factory)
    const id = await sentUpdate(tab)
    await tab.answer({ id, kind: 'refused', problem: NO })
    expect(tab.store.outbox.snapshot()).toMatchObject({ failed: 1, edits: [{ id, state: 'failed', problem: NO }] })
    expect(await tab.get('thing', 1)).toMatchObject({ a: 1 })
    expect(await tab.take()).toEqual([])
    tab.store.close()
    const next = await openTab(factory)
    expect(next.store.stateOf('thing', '1')).toBe('failed')
    await next.store.outbox.retry(id)
    expect(await next.take()).toMatchObject([{ id, again: false, request: { idempotencyKey: id } }])
  })

  it('is answered by its own id alone: what nobody asked for changes nothing (F52)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(factory)
    const id = await sentUpdate(tab)
    const before = await onDisk(factory)
    const answers = ['accepted', 'unknown', 'untouched'] as const
    for (const kind of answers) await tab.answer({ id: 'another', kind, row: null, revision: 9 })
    expect(await onDisk(factory)).toEqual(before)
    await tab.answer({ id, kind: 'refused', problem: NO })
    await tab.accept(id, { id: 1, a: 1 }, 5)
    expect(states(tab)).toEqual(['failed'])
  })
})

describe('a create', () => {
  const later = (ms: number): Clock => ({ ...systemClock, now: () => Date.now() + ms })

  it('goes with a key where the server remembers keys; once it may have forgotten it the user decides (R17)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(factory)
    const [edit] = await tab.write(insert('contact', -5, { name: 'Ann' }))
    const id = String(edit?.id)
    const [sent] = await tab.take()
    expect(sent?.request).toEqual({
      method: 'POST',
      path: '/v2/contacts',
      body: '{"data":{"name":"Ann"}}',
      idempotencyKey: id,
    })
    await tab.answer({ id, kind: 'unknown' })
    expect(await tab.take()).toEqual([{ ...sent, again: true }])
    tab.store.close()
    const late = await openTab(factory, { clock: later(91 * 86_400_000) })
    expect(await late.take()).toEqual([])
    expect(late.store.outbox.snapshot()).toMatchObject({
      failed: 1,
      edits: [{ state: 'unknown', problem: { code: 'lost' } }],
    })
    expect(await late.take()).toEqual([])
    expect(await code(late.store.outbox.edit(id, {}))).toBe('invalid_argument')
    await late.store.outbox.resend(id)
    expect(await late.take()).toMatchObject([{ id, again: false }])
    // What surely was not sent leaves no doubt behind.
    await late.answer({ id, kind: 'untouched' })
    expect(states(late)).toEqual(['pending'])
  })

  it('is never sent twice without a key: by `ask`, or where the server takes none (R17)', async () => {
    for (const [type, terms] of [
      ['asked', KEYS],
      ['contact', VENDOR],
    ] as const) {
      const tab = await withThing()
      const [edit] = await tab.write(insert(type, -5, {}))
      const id = String(edit?.id)
      expect(await tab.take(terms)).toMatchObject([{ request: { idempotencyKey: null } }])
      await tab.answer({ id, kind: 'unknown' })
      expect(await tab.take(terms)).toEqual([])
      expect(states(tab)).toEqual(['unknown'])
      expect(tab.store.stateOf(type, '-5')).toBe('failed')
    }
  })

  it('that arrived after all is the record the user says, which is shown as it is and stays (R17, R18)', async () => {
    for (const settled of [true, false]) {
      const tab = await withThing()
      const [edit] = await tab.write(insert('asked', -5, { name: 'mine' }))
      const id = String(edit?.id)
      expect(await code(tab.store.outbox.arrived(id, 7))).toBe('invalid_argument')
      await tab.take()
      await tab.write(update('asked', -5, { note: 'n' }))
      await tab.write(insert('thing', -5, {}))
      await tab.answer({ id, kind: 'unknown' })
      await tab.receive(2, record('asked', 7, 3, { name: 'theirs' }))
      if (settled) await tab.settleAll()
      await tab.take()
      expect(await code(tab.store.outbox.arrived(id, null))).toBe('invalid_argument')
      await tab.store.outbox.arrived(id, 7)
      expect(await tab.find({ collection: 'asked' })).toEqual([{ id: 7, name: 'theirs', note: 'n' }])
      expect(await tab.get('asked', -5)).toMatchObject({ id: 7 })
      const next = (await tab.take()).find(({ request }) => request.method === 'PUT')
      expect(next?.request.path).toBe('/v2/askeds/7')
      await tab.accept(String(next?.id), { id: 7, name: 'theirs', note: 'n' }, 4)
      await tab.receive(3, record('asked', 7, 4, { name: 'theirs', note: 'n' }))
      await tab.store.proved(tab.lease, 5)
      expect(await tab.find({ collection: 'asked' })).toEqual([{ id: 7, name: 'theirs', note: 'n' }])
    }
  })

  it('that arrived, of which nothing else is unsent, stays in view when its edit goes (R17, R21)', async () => {
    const tab = await withThing()
    const [edit] = await tab.write(insert('asked', -5, { name: 'mine' }))
    await tab.take()
    await tab.answer({ id: String(edit?.id), kind: 'unknown' })
    await tab.receive(2, record('asked', 7, 3, { name: 'theirs' }))
    await tab.settleAll()
    await tab.take()
    await tab.store.outbox.arrived(String(edit?.id), '7')
    await tab.store.proved(tab.lease, 9)
    expect(tab.seen.at(-1)).toEqual(['asked', '7', { id: 7, name: 'theirs' }])
    expect(await tab.get('asked', 7)).toEqual({ id: 7, name: 'theirs' })
  })

  it('by upsert takes an empty text for none, or two blank forms would be one record (R17)', async () => {
    const tab = await withThing()
    const [edit] = await tab.write(insert('matched', -1, { email: '', name: 'A' }))
    const sent = await tab.take(VENDOR)
    expect(sent.map(({ request }) => request.path)).toEqual([`/v2/matcheds/upsert?email=${edit?.id}`])
  })

  it('by upsert names the field, with the operation id where the record says nothing there, and may be repeated (R17)', async () => {
    const tab = await withThing()
    const [a] = await tab.write(insert('matched', -1, { email: 'a b@c.d', name: 'A' }))
    const [b] = await tab.write(insert('matched', -2, { name: 'B' }))
    const [c] = await tab.write(insert('mapped', -3, { custom_fields: { name: 'x/y', other: 1 } }))
    const [d] = await tab.write(insert('mapped', -4, {}))
    const sent = await tab.take(VENDOR)
    expect(sent.map(({ request }) => request.path)).toEqual([
      '/v2/matcheds/upsert?email=a%20b%40c.d',
      `/v2/matcheds/upsert?email=${b?.id}`,
      '/v2/mappeds/upsert?custom_fields%5Bname%5D=x%2Fy',
      `/v2/mappeds/upsert?custom_fields%5Bname%5D=${d?.id}`,
    ])
    expect(sent.map(bodyOf)).toEqual([
      { email: 'a b@c.d', name: 'A' },
      { email: b?.id, name: 'B' },
      { custom_fields: { name: 'x/y', other: 1 } },
      { custom_fields: { name: d?.id } },
    ])
    for (const edit of [a, b, c, d]) await tab.answer({ id: String(edit?.id), kind: 'unknown' })
    expect(await tab.take(VENDOR)).toEqual(sent.map((one) => ({ ...one, again: true })))
  })

  it('with half a character in what becomes part of its address holds up nobody (F54)', async () => {
    const tab = await withThing()
    await tab.write(insert('matched', -1, { email: 'cut \ud83d' }))
    await tab.write(insert('contact', 'cut \ud83d', {}, false))
    await tab.take()
    await tab.write(update('thing', 1, { a: 1 }))
    expect(await tab.take()).toHaveLength(3)
    const [matched] = await tab.take()
    expect(matched?.request.path).toBe('/v2/matcheds/upsert?email=cut%20%EF%BF%BD')
    expect(bodyOf(matched)).toEqual({ email: 'cut \ufffd' })
  })

  it('sends a key of its own, and a temporary UUID where the server takes those (R13, R18)', async () => {
    const tab = await withThing()
    await tab.write(insert('contact', 77, {}, false))
    await tab.write(insert('contact', 'a-uuid', {}))
    expect((await tab.take()).map(bodyOf)).toEqual([{ id: 77 }, { id: 'a-uuid' }])
    const other = await withThing()
    await other.write(insert('contact', 'a-uuid', {}))
    expect((await other.take(VENDOR)).map(bodyOf)).toEqual([{}])
  })
})

describe('a temporary key', () => {
  it('becomes the real one in one step: the record, waiting edits and what names it, found by both, after a reload too (R18)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(factory)
    const [ann] = await tab.write(insert('contact', -5, { name: 'Ann' }))
    await tab.write(insert('deal', -6, { name: 'Bridge', contact_id: -5 }))
    await tab.write(insert('task', -7, { resource_id: -5, resource_type: 'contact' }))
    await tab.take()
    await tab.write(update('contact', -5, { name: 'Anna' }))
    const other = await openTab(factory, { lead: false })
    tab.events.length = tab.seen.length = 0
    await tab.accept(String(ann?.id), { id: 5, name: 'Ann' }, 2)
    expect(tab.events.map(({ kind }) => kind)).toEqual(['aliases', 'changes', 'outbox'])
    expect(tab.seen.slice(0, 2)).toEqual([
      ['contact', '-5', null],
      ['contact', '5', { id: 5, name: 'Anna' }],
    ])
    await other.store.follow()
    expect(other.events.map(({ kind }) => kind)).toEqual(['aliases', 'changes', 'outbox'])
    tab.store.close()
    const again = await openTab(factory)
    for (const each of [other, again]) {
      for (const key of [5, -5, '5', '-5']) expect(await each.get('contact', key)).toEqual({ id: 5, name: 'Anna' })
      expect(await each.find({ collection: 'contact' })).toEqual([{ id: 5, name: 'Anna' }])
      expect(await each.find({ collection: 'deal', where: { contact_id: -5 } })).toMatchObject([{ contact_id: 5 }])
      const asked = { resource_id: { in: [-5] }, resource_type: 'contact' }
      expect(await each.find({ collection: 'task', where: asked })).toMatchObject([{ resource_id: 5 }])
    }
    const written = await other.write(update('contact', -5, { age: 3 }), insert('deal', -8, { contact_id: -5 }))
    expect(written.map(({ key, value }) => [key, value])).toEqual([
      [5, { age: 3 }],
      [-8, { contact_id: 5 }],
    ])
    await again.store.follow()
    const sent = await again.take()
    expect(sent.map(({ request }) => request.path)).toEqual(['/v2/deals', '/v2/tasks', '/v2/contacts/5'])
    expect(sent.map(bodyOf)).toEqual([
      { name: 'Bridge', contact_id: 5 },
      { resource_id: 5, resource_type: 'contact' },
      { name: 'Anna' },
    ])
  })

  it('whose record came down before the answer leaves one record, never two for longer than that (R18)', async () => {
    const tab = await withThing()
    const [ann] = await tab.write(insert('contact', -5, { name: 'Ann' }))
    await tab.take()
    await tab.receive(1, record('contact', 5, 2, { name: 'Ann' }))
    await tab.settleAll()
    await tab.accept(String(ann?.id), { id: 5, name: 'Ann' }, 2)
    expect(await tab.find({ collection: 'contact' })).toEqual([{ id: 5, name: 'Ann' }])
    expect(await tab.get('contact', -5)).toEqual({ id: 5, name: 'Ann' })
  })
})

describe('a conflict', () => {
  it('is on the disk before the edit leaves, and there once, however often that is tried (R19)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(factory)
    const [edit] = await tab.write(update('thing', 1, { a: 1, b: 1 }))
    const id = String(edit?.id)
    await tab.receive(1, put(1, 2, { a: 7, b: 0 }))
    expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 1, b: 1 })
    await tab.take()
    const conflict = { edit: id, collection: 'thing', key: 1, deleted: null }
    const fields = [{ field: 'a', base: 0, ours: 1, theirs: 7, kept: 'ours' }]
    expect(await onDisk(factory)).toContainEqual(expect.objectContaining({ kind: 'conflict', ...conflict, fields }))
    for (let times = 0; times < 3; times++) {
      await tab.answer({ id, kind: 'untouched' })
      expect(await tab.take()).toHaveLength(1)
    }
    expect(tab.store.outbox.snapshot().conflicts).toMatchObject([{ ...conflict, fields }])
    expect(tab.store.outbox.counts().conflicts).toBe(1)
    await tab.answer({ id, kind: 'refused', problem: NO })
    await tab.receive(1, put(1, 3, { a: 8, b: 0 }))
    await tab.store.outbox.retry(id)
    await tab.take()
    expect(tab.store.outbox.snapshot().conflicts).toMatchObject([{ fields }, { fields: [{ base: 7, theirs: 8 }] }])
  })

  it('in a map leaves what others did to its other members alone, also when it has to be tried again (R19)', async () => {
    const tab = await withThing()
    await tab.receive(1, record('deal', 1, 1, { custom: { x: 0, y: 0 } }))
    const [edit] = await tab.write(update('deal', 1, { custom: { x: 1 } }))
    expect((await tab.take()).map(bodyOf)).toEqual([{ custom: { x: 1, y: 0 } }])
    await tab.answer({ id: String(edit?.id), kind: 'untouched' })
    await tab.receive(1, record('deal', 1, 2, { custom: { x: 0, y: 9 } }))
    expect(await tab.get('deal', 1)).toEqual({ id: 1, custom: { x: 1, y: 9 } })
    expect((await tab.take()).map(bodyOf)).toEqual([{ custom: { x: 1, y: 9 } }])
    expect(tab.store.outbox.snapshot().conflicts).toEqual([])
  })

  it('that the server wins whole ends the edit, keeps what it said, and is shown until it was seen (R19, R21)', async () => {
    for (const settled of [true, false]) {
      const tab = await withThing()
      await tab.receive(1, record('yielding', 1, 1, { a: 0 }))
      const [edit] = await tab.write(update('yielding', 1, { a: 1 }))
      await tab.receive(1, record('yielding', 1, 2, { a: 7 }))
      if (settled) await tab.settleAll()
      expect(await tab.take()).toEqual([])
      expect(tab.store.outbox.find(String(edit?.id))?.state).toBe('discarded')
      const [conflict] = tab.store.outbox.snapshot().conflicts
      expect(conflict?.fields).toEqual([{ field: 'a', base: 0, ours: 1, theirs: 7, kept: 'theirs' }])
      expect(tab.store.stateOf('yielding', '1')).toBe('conflict')
      await tab.store.outbox.dismiss(String(conflict?.id))
      expect(tab.store.stateOf('yielding', '1')).toBe('synced')
      const [, , row] = tab.seen.at(-1) ?? []
      // Undefined: it looks as it did.
      expect(row === undefined || row?.['a'] === 7).toBe(true)
      expect(await tab.find({ collection: 'yielding' })).toEqual([{ id: 1, a: 7 }])
    }
  })

  it('in the list changes nothing in other tabs but the state of its record (R21)', async () => {
    const factory = new IDBFactory()
    const tab = await withThing(factory)
    await tab.receive(1, record('yielding', 1, 1, { a: 0 }))
    await tab.write(update('yielding', 1, { a: 1 }))
    await tab.receive(1, record('yielding', 1, 2, { a: 7 }))
    await tab.take()
    await tab.settleAll()
    const other = await openTab(factory, { lead: false })
    await tab.write(update('thing', 1, { a: 5 }))
    await other.store.follow()
    expect(other.seen.filter(([type, , row]) => type === 'yielding' && row === null)).toEqual([])
    expect(other.store.stateOf('yielding', '1')).toBe('conflict')
  })

  it('with a deletion there fails the update, visibly, or loses to it with all it said (R19)', async () => {
    const tab = await withThing()
    const id = await sentUpdate(tab).then(async (sent) => {
      await tab.answer({ id: sent, kind: 'untouched' })
      return sent
    })
    await tab.receive(1, gone('thing', 1, 2))
    expect(await tab.take()).toEqual([])
    expect(tab.store.outbox.snapshot().edits).toMatchObject([{ id, state: 'failed', problem: { code: 'conflict' } }])
    expect(tab.store.stateOf('thing', '1')).toBe('conflict')
    await tab.settleAll()
    await tab.store.outbox.retry(id)
    expect(await tab.take()).toEqual([])
    expect(states(tab)).toEqual(['failed'])
    await tab.receive(1, record('yielding', 1, 1, { a: 0 }))
    await tab.write(update('yielding', 1, { a: 1 }))
    await tab.receive(1, gone('yielding', 1, 2))
    expect(await tab.take()).toEqual([])
    expect(tab.store.outbox.snapshot().conflicts).toMatchObject([
      { collection: 'yielding', deleted: 'there', fields: [{ field: 'a', ours: 1 }] },
    ])
  })

  it('of a deletion here with a change there is told, and the deletion goes or not by the policy (R19)', async () => {
    const tab = await withThing()
    await tab.receive(1, record('yielding', 1, 1, { a: 0 }))
    await tab.write(remove('thing', 1))
    await tab.write(remove('yielding', 1))
    await tab.receive(1, put(1, 2, { a: 7, b: 0 }), record('yielding', 1, 2, { a: 7 }))
    expect(await tab.take()).toMatchObject([{ request: { method: 'DELETE', path: '/v2/things/1' } }])
    expect(tab.store.outbox.snapshot().conflicts).toMatchObject([
      { collection: 'thing', deleted: 'here', fields: [{ field: 'a', theirs: 7, kept: 'ours' }] },
      { collection: 'yielding', deleted: 'here', fields: [{ field: 'a', theirs: 7, kept: 'theirs' }] },
    ])
    expect(await tab.get('yielding', 1)).toEqual({ id: 1, a: 7 })
  })
})

describe('a key', () => {
  it('is the real one also for a handle whose create was answered after its record had come (R18)', async () => {
    const tab = await withThing()
    const [edit] = await tab.write(insert('contact', -5, { name: 'Ann' }))
    await tab.take()
    await tab.answer({ id: String(edit?.id), kind: 'unknown' })
    await tab.receive(1, item({ type: 'contact', id: 17, rev: 3, data: { id: 17, name: 'Ann' } }))
    await tab.take()
    await tab.accept(String(edit?.id), { id: 17, name: 'Ann' }, 3)
    expect(tab.store.outbox.find(String(edit?.id))).toMatchObject({ key: 17, state: 'synced' })
  })

  it('is never sent or changed by editing an edit (R18)', async () => {
    const tab = await withThing()
    const [edit] = await tab.write(insert('contact', -5, { name: 'Ann' }))
    await tab.store.outbox.edit(String(edit?.id), { id: -5, name: 'Bob' })
    expect(await code(tab.store.outbox.edit(String(edit?.id), { id: 6 }))).toBe('invalid_argument')
    expect((await tab.take()).map(bodyOf)).toEqual([{ name: 'Bob' }])
  })

  it('of the own that a server replaced hides no other record (R18)', async () => {
    const tab = await withThing()
    const [edit] = await tab.write(insert('contact', 5, { name: 'mine' }, false))
    await tab.take(VENDOR)
    await tab.accept(String(edit?.id), { id: 77, name: 'mine' }, null)
    await tab.receive(2, item({ type: 'contact', id: 5, rev: 3, data: { id: 5, name: 'other' } }))
    expect(await tab.get('contact', 5)).toMatchObject({ name: 'other' })
  })
})

describe('a wipe', () => {
  it('keeps every edit, and none of them is taken for done or for gone before the data is back (R23, I14)', async () => {
    const tab = await withThing()
    await tab.receive(1, put(2, 1, { a: 0 }), put(3, 1, { a: 0 }))
    const confirmed = await sentUpdate(tab)
    await tab.accept(confirmed, { id: 1, a: 1, b: 0 }, 500)
    await tab.write(update('thing', 2, { a: 2 }))
    await tab.write(remove('thing', 3))
    await tab.write(insert('contact', -5, { name: 'Ann' }))
    const lease = await tab.store.wipe(tab.lease)
    expect(tab.store.outbox.snapshot().edits).toHaveLength(3)
    expect(await tab.get('thing', 1)).toMatchObject({ a: 1 })
    expect(await code(tab.take())).toBe('generation_changed')
    const sent = await tab.store.outbox.take(lease, 9, KEYS, new Set())
    expect(sent.map(({ request }) => `${request.method} ${request.path}`)).toEqual([
      'PUT /v2/things/2',
      'DELETE /v2/things/3',
      'POST /v2/contacts',
    ])
    expect(sent.map(bodyOf)).toEqual([{ a: 2 }, {}, { name: 'Ann' }])
    // Revisions of before say nothing any more; an item of a later session does (R16).
    await tab.store.commit(lease, [page(put(1, 2, { a: 1, b: 2 }))], { ...session, run: 2 })
    expect(await tab.get('thing', 1)).toEqual({ id: 1, a: 1, b: 2 })
  })

  it('and a clean session after it do not make a record in quarantine a deleted one (R31, I14)', async () => {
    const tab = await withThing()
    await tab.write(update('thing', 1, { a: 2 }))
    const lease = await tab.store.wipe(tab.lease)
    const odd = item({ id: 1, rev: 9, event: 'odd', data: { id: 1 } })
    await tab.store.commit(lease, [page(odd)], { ...session, run: 1 })
    await tab.store.device.updateSync(lease, { clean: 1 })
    const sent = await tab.store.outbox.take(lease, 9, KEYS, new Set())
    expect(sent.map(({ request }) => `${request.method} ${request.path}`)).toEqual(['PUT /v2/things/1'])
  })

  it('leaves unsent edits to the account they were made under, whoever has the token now (R22)', async () => {
    const tab = await withThing()
    await tab.store.device.setServer(tab.lease, { account: 'acme' })
    const [edit] = await tab.write(insert('contact', -5, { name: 'Ann' }))
    const lease = await tab.store.wipe(tab.lease)
    expect((await tab.store.device.identity()).account).toBe('acme')
    await tab.store.outbox.discard(String(edit?.id))
    await tab.store.wipe(lease)
    expect((await tab.store.device.identity()).account).toBeNull()
  })

  it('of a sign-out keeps them or drops them, as asked; the next open has signed in again (R28, I14)', async () => {
    for (const keep of [true, false]) {
      const factory = new IDBFactory()
      const tab = await withThing(factory)
      const other = await openTab(factory, { lead: false })
      const [edit] = await other.write(insert('contact', -5, { name: 'Ann' }))
      await tab.store.signOut(tab.lease, keep)
      expect(await tab.store.device.sync()).toMatchObject({ signedOut: true })
      await other.store.follow()
      // What were written now would go with the data.
      await expect(other.write(insert('contact', -6, { name: 'Bob' }))).rejects.toMatchObject({ code: 'signed_out' })
      // Nobody is told "synced" of what was dropped.
      for (const each of [tab, other])
        expect([keep, each.store.outbox.find(String(edit?.id))?.state ?? null]).toEqual(
          keep ? [true, 'pending'] : [false, each === tab ? null : 'discarded'],
        )
      tab.store.close()
      const next = await openTab(factory)
      expect(await next.store.device.sync()).toMatchObject({ signedOut: false })
      expect(await next.find({ collection: 'contact' })).toEqual(keep ? [{ id: -5, name: 'Ann' }] : [])
    }
  })
})
