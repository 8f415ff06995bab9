/** Writing, the whole way from the page to the service and back, in two tabs (R15, R18, R20, R21, R28, I11, I12). */
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { EditHandle } from '../../src/client/api.ts'
import { collection, defineSchema } from '../../src/schema.ts'
import type { ServiceOptions } from '../../src/service/options.ts'
import { createWorld, endAll } from './whole-way.ts'

interface Contact {
  readonly id: number
  readonly name: string
  readonly phone?: string | null
}

const schema = defineSchema({
  version: 1,
  collections: {
    contact: collection<Contact>({ indexes: ['name'] }),
    deal: collection<{ id: number; name: string; contact_id: number }>({
      references: { contact_id: 'contact' },
      indexes: ['contact_id'],
    }),
    pair: collection<{ a: number; b: number }>({ key: ['a', 'b'] }),
  },
})
const seed = [1, 2, 3].map((id) => ({ type: 'contact', data: { id, name: `Contact ${id}`, phone: null } }))
const setUp = (service: Partial<ServiceOptions> = {}) => createWorld(schema, seed, {}, { service })

afterEach(endAll)

const PATIENCE = 5_000
const soon = <T>(look: () => T): Promise<T> => vi.waitFor(look, PATIENCE)
const writes = (log: readonly string[]): string[] =>
  log.filter((line) => /^(POST|PUT|DELETE) \/v2\/(contacts|deals)/.test(line))

describe('a write', () => {
  it('is in reads and live queries when its promise resolves, offline too, and reaches the server once (I11, I12, I15)', async () => {
    const world = await setUp()
    const sync = world.start()
    await sync.now()
    const live = sync.contact.orderBy('id').live()
    live.subscribe(() => undefined)
    await soon(() => expect(live.getSnapshot().rows).toHaveLength(3))
    world.fault = () => 'lost-request'

    const made = await sync.contact.insert({ name: 'Ann' })
    const changed = await sync.contact.update(1, { phone: '5' })
    const gone = await sync.contact.delete('2')
    const temporary = made.key
    expect(await sync.contact.getMany([temporary, 1, 2])).toEqual([
      { id: temporary, name: 'Ann' },
      { id: 1, name: 'Contact 1', phone: '5' },
      undefined,
    ])
    expect(await sync.contact.count()).toBe(3)
    await soon(() => expect(live.getSnapshot().states).toEqual(['pending', 'pending', 'synced']))
    expect([made, changed, gone].map(({ state }) => ['pending', 'sending'].includes(state))).toEqual([true, true, true])

    const sizes: number[] = []
    live.subscribe(() => sizes.push(live.getSnapshot().rows.length))
    world.fault = () => 'none'
    await sync.resume()
    expect(await Promise.all([made, changed, gone].map((one) => one.synced()))).toEqual(['synced', 'synced', 'synced'])
    await soon(() => expect(made.key).toBeGreaterThan(0))
    await sync.now()
    await soon(() => expect(live.getSnapshot().states).toEqual(['synced', 'synced', 'synced']))
    // The list never flickered while its record changed its key (R18).
    expect(new Set(sizes)).toEqual(new Set([3]))
    expect(await sync.contact.get(temporary)).toEqual(await sync.contact.get(made.key))
    expect(await sync.contact.get(made.key)).toMatchObject({ id: made.key, name: 'Ann' })
    expect(writes(world.log).filter((line) => !line.endsWith('lost'))).toHaveLength(3)
    await soon(() => expect(sync.status.getSnapshot().outbox).toEqual({ pending: 0, failed: 0, conflicts: 0 }))
  })

  it('in another tab than the leading one is seen in both, and its handle hears how it fares (R20, R25)', async () => {
    const world = await setUp()
    const leader = world.start()
    await leader.now()
    const follower = world.start()
    await follower.ready
    const lists = [leader, follower].map((sync) => sync.contact.live())
    for (const list of lists) list.subscribe(() => undefined)
    await soon(() => expect(lists.map((list) => list.getSnapshot().rows.length)).toEqual([3, 3]))
    const made = await follower.contact.insert({ name: 'Ann' })
    const temporary = made.key
    expect(await made.synced()).toBe('synced')
    await soon(() => expect(made.key).toBeGreaterThan(0))
    await soon(() =>
      expect(lists.map((list) => list.getSnapshot().rows.find(({ name }) => name === 'Ann')?.id)).toEqual([
        made.key,
        made.key,
      ]),
    )
    expect(await leader.contact.get(temporary)).toMatchObject({ id: made.key })
  })

  it('of several edits names new records at once; references get the real keys, also in live queries (R18, R20)', async () => {
    const world = await setUp()
    const sync = world.start()
    await sync.now()
    world.fault = () => 'lost-request'
    let ann = 0
    const edits = await sync.write((tx) => {
      ann = tx.contact.insert({ name: 'Ann' })
      tx.deal.insert({ name: 'Bridge', contact_id: ann })
    })
    const deals = sync.deal.where({ contact_id: ann }).live()
    const seen: number[] = []
    deals.subscribe(() => seen.push(deals.getSnapshot().rows.length))
    await soon(() => expect(deals.getSnapshot().rows).toHaveLength(1))
    world.fault = () => 'none'
    await sync.resume()
    expect(await Promise.all(edits.map((one) => one.synced()))).toEqual(['synced', 'synced'])
    const [contact, deal] = edits as [EditHandle, EditHandle]
    await soon(() => expect(deals.getSnapshot().rows[0]).toMatchObject({ id: deal.key, contact_id: contact.key }))
    expect(new Set(seen)).toEqual(new Set([1]))
  })

  it('that cannot be is refused by code and leaves nothing behind', async () => {
    const world = await setUp()
    const sync = world.start()
    await sync.now()
    await expect(sync.contact.update(99, { name: 'x' })).rejects.toMatchObject({ code: 'record_missing' })
    await expect(sync.contact.insert({ id: 1, name: 'x' })).rejects.toMatchObject({ code: 'record_exists' })
    await expect(
      sync.write((tx) => {
        tx.contact.update(1, { name: 'x' })
        tx.contact.delete(99)
      }),
    ).rejects.toMatchObject({ code: 'record_missing' })
    const refused = { code: 'invalid_argument' }
    await expect(sync.pair.insert({ a: 1, b: 2 })).rejects.toMatchObject(refused)
    await expect(sync.pair.delete('1:2')).rejects.toMatchObject(refused)
    for (const key of ['', 1.5, 2 ** 53, null, {}, new Proxy({}, {})])
      await expect(sync.contact.delete(key as never)).rejects.toMatchObject(refused)
    await expect(sync.contact.insert({ id: 1.5, name: 'x' })).rejects.toMatchObject(refused)
    expect(await sync.contact.get(1)).toMatchObject({ name: 'Contact 1' })
    expect(sync.status.getSnapshot().outbox.pending).toBe(0)
  })
})

describe('the outbox', () => {
  const refusing: Partial<ServiceOptions> = {
    validate: ({ data }) =>
      data['name'] === 'bad' ? [{ field: 'name', code: 'incorrect_value', message: 'has been taken' }] : undefined,
  }

  it('keeps a refused edit with its reason, until it is repaired (R20)', async () => {
    const world = await setUp(refusing)
    const sync = world.start()
    await sync.now()
    const live = sync.contact.where({ id: 1 }).live()
    live.subscribe(() => undefined)
    sync.outbox.subscribe(() => undefined)
    const edit = await sync.contact.update(1, { name: 'bad' })
    expect(await edit.synced()).toBe('failed')
    await soon(() =>
      expect(sync.outbox.getSnapshot()).toMatchObject({ failed: 1, edits: [{ id: edit.id, state: 'failed' }] }),
    )
    expect(sync.outbox.getSnapshot().edits[0]?.problem).toMatchObject({
      code: 'refused',
      status: 422,
      fields: [
        { pointer: expect.stringContaining('name') as string, code: 'incorrect_value', message: 'has been taken' },
      ],
    })
    await soon(() => expect(live.getSnapshot()).toMatchObject({ rows: [{ name: 'bad' }], states: ['failed'] }))
    await sync.outbox.edit(edit.id, { name: 'good' })
    expect(await edit.synced()).toBe('synced')
    await soon(() => expect(sync.outbox.getSnapshot().edits).toEqual([]))
    expect(edit.state).toBe('synced')
    await soon(() => expect(live.getSnapshot()).toMatchObject({ rows: [{ name: 'good' }], states: ['synced'] }))
  })

  it('gives an edit back after a reload, to wait for or to discard, and says so in every tab (R20)', async () => {
    const world = await setUp()
    const before = world.start()
    await before.now()
    world.fault = () => 'lost-request'
    await before.pause()
    const { id, key } = await before.contact.insert({ name: 'Ann' })
    const patch = await before.contact.update(1, { phone: '5' })
    await before.close()

    const sync = world.start()
    const other = world.start()
    const edit = await sync.outbox.find(id)
    expect([edit?.id, edit?.key, edit?.state]).toEqual([id, key, 'pending'])
    const elsewhere = await other.outbox.find(id)
    const waiting = elsewhere?.synced()
    await sync.outbox.discard(id)
    expect(await edit?.synced()).toBe('discarded')
    expect(await waiting).toBe('discarded')
    expect(await sync.contact.get(key)).toBeUndefined()
    expect(await sync.outbox.find(id)).toBeNull()
    await expect(sync.outbox.discard(id)).rejects.toMatchObject({ code: 'edit_missing' })
    world.fault = () => 'none'
    await sync.resume()
    expect(await (await sync.outbox.find(patch.id))?.synced()).toBe('synced')
  })
})

describe('signing out (R28)', () => {
  it('refuses while edits are unsent; told to discard them, it ends every tab and leaves nothing', async () => {
    const world = await setUp()
    const sync = world.start()
    await sync.now()
    const other = world.start()
    await other.ready
    world.fault = () => 'lost-request'
    await sync.contact.insert({ name: 'Ann' })
    await expect(sync.logout()).rejects.toMatchObject({ code: 'unsent_edits' })
    expect(await sync.contact.count()).toBe(4)
    await sync.logout({ ifUnsent: 'discard' })
    expect(sync.status.getSnapshot().phase).toBe('closed')
    await expect(sync.contact.get(1)).rejects.toMatchObject({ code: 'closed' })
    await soon(() =>
      expect(other.status.getSnapshot()).toMatchObject({ phase: 'stopped', error: { code: 'signed_out' } }),
    )
    await expect(other.contact.insert({ name: 'late' })).rejects.toMatchObject({ code: 'signed_out' })
    await other.close()
    const again = world.start()
    await again.ready
    expect(await again.contact.count()).toBe(0)
  })

  it('keeps the outbox for the next login when told so', async () => {
    const world = await setUp()
    const sync = world.start()
    await sync.now()
    world.fault = () => 'lost-request'
    const { id } = await sync.contact.update(1, { phone: '5' })
    await sync.logout({ ifUnsent: 'keep' })
    world.fault = () => 'none'
    const again = world.start()
    expect(await (await again.outbox.find(id))?.synced()).toBe('synced')
    await again.now()
    expect(await again.contact.get(1)).toMatchObject({ phone: '5' })
  })
})
