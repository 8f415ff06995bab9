/** Writing through the client, with a scripted worker: handles, the outbox store, signing out (R20, R21, R28, R38, I20). */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { systemClock, type Clock } from '../../src/clock.ts'
import { SyncError } from '../../src/errors.ts'
import { collection, defineSchema } from '../../src/schema.ts'
import type { EditInfo, EditState, OutboxCall, WorkerApi, WriteOp } from '../../src/worker/api.ts'
import { createStoppedClock } from './clock.ts'
import { createFakeWorker } from './fake-worker.ts'

const schema = defineSchema({
  version: 1,
  collections: { contact: collection<{ id: number; name: string }>() },
})

const closers: Array<() => Promise<void>> = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

const infoOf = (op: WriteOp, id: string): EditInfo => ({
  id,
  collection: op.collection,
  key: op.key,
  op: op.op,
  value: op.value ?? {},
  at: 1,
  group: null,
  state: 'pending',
  problem: null,
})

/** A worker that takes every write, under ids e1, e2, ... */
function setUp(script: Partial<WorkerApi> = {}, clock: Clock = systemClock) {
  let made = 0
  const fake = createFakeWorker({
    write: async (ops) => ({ ok: true, value: ops.map((op) => infoOf(op, `e${++made}`)) }),
    ...script,
  })
  const sync = createClient(
    { schema, name: 'crm', account: 'ann', endpoint: '/', token: () => 'T', worker: () => fake.worker },
    { clock, page: null, base: 'https://app.test/', canRun: true },
  )
  closers.push(() => sync.close())
  const asked = (method: string): unknown[][] =>
    fake.calls.filter(([name]) => name === method).map(([, ...args]) => args)
  return { fake, sync, asked }
}

const never = new Promise<never>(() => undefined)

describe('a write', () => {
  it('of one edit or of several is one call, and gives a handle for each edit, in order (R20)', async () => {
    const { sync, asked } = setUp()
    const one = await sync.contact.update(7, { name: 'Bo' })
    expect([one.id, one.key, one.state]).toEqual(['e1', 7, 'pending'])
    const key = (await sync.contact.insert({ name: 'Ann' })).key
    expect(key).toBeLessThan(0)
    const [first, second] = await sync.write((tx) => {
      tx.contact.delete(tx.contact.insert({ name: 'Cy' }))
    })
    expect([first?.id, second?.id, first?.key === second?.key]).toEqual(['e3', 'e4', true])
    expect(await sync.contact.delete(7)).toMatchObject({ id: 'e5' })
    expect(asked('write').map(([ops]) => (ops as WriteOp[]).map(({ op }) => op))).toEqual([
      ['update'],
      ['insert'],
      ['insert', 'delete'],
      ['delete'],
    ])
  })

  it('that records nothing, is refused or throws asks nothing of the worker (R20)', async () => {
    const { sync, asked } = setUp()
    expect(await sync.write(() => undefined)).toEqual([])
    const refused = { code: 'invalid_argument' }
    await expect(sync.contact.insert({ name: 5n as never })).rejects.toMatchObject(refused)
    const waits = async (): Promise<void> => {}
    await expect(sync.write(waits as () => void)).rejects.toMatchObject(refused)
    await expect(
      sync.write((tx) => {
        tx.contact.delete(1)
        throw new Error('mine')
      }),
    ).rejects.toThrow('mine')
    expect(asked('write')).toEqual([])
  })

  it('rejects with what the worker says', async () => {
    const { sync } = setUp({ write: async () => ({ ok: false, error: { code: 'record_missing', message: 'gone' } }) })
    const outcome: unknown = await sync.contact.delete(1).catch((error: unknown) => error)
    expect(outcome).toBeInstanceOf(SyncError)
    expect(outcome).toMatchObject({ code: 'record_missing', message: 'gone' })
  })
})

describe('a handle', () => {
  it('follows what the worker says of its edit and its record (R18, R20)', async () => {
    const { fake, sync } = setUp()
    const edit = await sync.contact.insert({ name: 'Ann' })
    fake.send({ kind: 'edits', edits: [['e1', 'sending', edit.key]] })
    await fake.delivered()
    expect(edit.state).toBe('sending')
    fake.send({ kind: 'edits', edits: [['e1', 'synced', 41]] })
    await fake.delivered()
    expect([edit.state, edit.key]).toEqual(['synced', 41])
    expect(await edit.synced()).toBe('synced')
    expect(fake.calls.map(([name]) => name)).not.toContain('synced')
  })

  it('knows what was said before it was there, since news and answers come on different ways', async () => {
    const { fake, sync } = setUp({
      write: async ([op]) => {
        fake.send({ kind: 'edits', edits: [['e1', 'synced', 41]] })
        await new Promise((resolve) => setTimeout(resolve, 10))
        return { ok: true, value: [infoOf(op as WriteOp, 'e1')] }
      },
    })
    const edit = await sync.contact.insert({ name: 'Ann' })
    expect([edit.state, edit.key]).toEqual(['synced', 41])
  })

  it('is one of several for one edit, where updates were joined', async () => {
    const { fake, sync } = setUp({
      write: async ([op]) => ({ ok: true, value: [infoOf(op as WriteOp, 'same')] }),
    })
    const first = await sync.contact.update(1, { name: 'a' })
    const second = await sync.contact.update(1, { name: 'b' })
    fake.send({ kind: 'edits', edits: [['same', 'failed', 1]] })
    await fake.delivered()
    expect([first.state, second.state]).toEqual(['failed', 'failed'])
  })

  it.each<EditState>(['synced', 'failed', 'unknown', 'discarded'])(
    'waits for the end, which may be "%s" (R20)',
    async (end) => {
      const { sync, asked } = setUp({ synced: async () => ({ ok: true, value: end }) })
      const edit = await sync.contact.update(1, { name: 'a' })
      expect(await edit.synced({ timeout: 5_000 })).toBe(end)
      expect(edit.state).toBe(end)
      expect(asked('synced')).toEqual([['e1', 5_000]])
    },
  )

  it('waits no longer than it is told to, and no longer than the worker lives (I20)', async () => {
    const clock = createStoppedClock()
    const { fake, sync } = setUp({ synced: () => never }, clock)
    const edit = await sync.contact.update(1, { name: 'a' })
    const stop = new AbortController()
    const late = expect(edit.synced()).rejects.toMatchObject({ code: 'timeout' })
    const cancelled = expect(edit.synced({ signal: stop.signal })).rejects.toMatchObject({ code: 'aborted' })
    stop.abort()
    await cancelled
    await vi.waitFor(() => expect(fake.calls.filter(([name]) => name === 'synced')).toHaveLength(2))
    clock.pass(61_000)
    await late
    await expect(edit.synced({ timeout: -1 })).rejects.toMatchObject({ code: 'invalid_argument' })
    const closed = expect(edit.synced()).rejects.toMatchObject({ code: 'closed' })
    await sync.close()
    await closed
  })

  it('that nobody waits on never leaves a rejection behind (R20)', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const { fake, sync } = setUp()
    await sync.contact.update(1, { name: 'a' })
    fake.fire('error', 'boom')
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', unhandled)
    expect(unhandled).not.toHaveBeenCalled()
  })
})

describe('sync.outbox', () => {
  it('is a store that is followed while somebody looks (R38)', async () => {
    const { fake, sync } = setUp()
    await sync.ready
    expect(sync.outbox.getSnapshot()).toEqual({ edits: [], conflicts: [], pending: 0, failed: 0 })
    const heard = vi.fn()
    const stop = sync.outbox.subscribe(heard)
    expect(await fake.next('follow')).toEqual({ kind: 'follow', what: 'outbox', on: true })
    const value = { edits: [], conflicts: [], pending: 2, failed: 1 }
    fake.send({ kind: 'outbox', value })
    await fake.delivered()
    expect(sync.outbox.getSnapshot()).toEqual(value)
    expect(heard).toHaveBeenCalledOnce()
    stop()
    expect(await fake.next('follow', 1)).toEqual({ kind: 'follow', what: 'outbox', on: false })
  })

  it("passes the user's decisions on, with patches as plain copies (F50)", async () => {
    const { sync, asked } = setUp()
    const { outbox } = sync
    await outbox.retry('a')
    await outbox.edit('b', new Proxy({ name: 'x', gone: undefined }, {}))
    await outbox.discard('c')
    await outbox.resend('d')
    await outbox.arrived('e', 41)
    await outbox.arrived('f')
    await outbox.dismiss('g')
    expect(asked('outbox')).toEqual([
      ['retry', 'a'],
      ['edit', 'b', { name: 'x' }],
      ['discard', 'c'],
      ['resend', 'd'],
      ['arrived', 'e', 41],
      ['arrived', 'f', null],
      ['dismiss', 'g'],
    ])
    await expect(outbox.edit('b', { at: new Date() })).rejects.toMatchObject({ code: 'invalid_argument' })
  })

  it('finds a handle again by its id, after a reload too; null says that nothing is left to be done (R20)', async () => {
    const op: WriteOp = { op: 'update', collection: 'contact', key: 7, value: {}, temporary: false }
    const { fake, sync } = setUp({
      outbox: async (...[, id]: OutboxCall) => ({
        ok: true,
        value: id === 'old' ? { ...infoOf(op, 'old'), state: 'failed' } : null,
      }),
    })
    const edit = await sync.outbox.find('old')
    expect([edit?.id, edit?.key, edit?.state]).toEqual(['old', 7, 'failed'])
    fake.send({ kind: 'edits', edits: [['old', 'pending', 7]] })
    await fake.delivered()
    expect(edit?.state).toBe('pending')
    expect(await sync.outbox.find('done')).toBeNull()
  })

  it('says what the worker says when a decision comes too late', async () => {
    const { sync } = setUp({ outbox: async () => ({ ok: false, error: { code: 'edit_in_flight', message: 'sent' } }) })
    await expect(sync.outbox.discard('a')).rejects.toMatchObject({ code: 'edit_in_flight' })
  })
})

describe('signing out (R28)', () => {
  it('refuses while edits are unsent, unless told otherwise, and goes on then', async () => {
    const { sync, asked } = setUp({
      logout: async (ifUnsent) =>
        ifUnsent === 'refuse'
          ? { ok: false, error: { code: 'unsent_edits', message: '2 edits' } }
          : { ok: true, value: null },
    })
    await expect(sync.logout()).rejects.toMatchObject({ code: 'unsent_edits' })
    await sync.contact.update(1, { name: 'still here' })
    await expect(sync.logout({ ifUnsent: 'maybe' as never })).rejects.toMatchObject({ code: 'invalid_argument' })
    await sync.logout({ ifUnsent: 'keep' })
    expect(asked('logout')).toEqual([['refuse'], ['keep']])
  })

  it('ends the client', async () => {
    const { fake, sync } = setUp()
    const live = sync.contact.live()
    live.subscribe(() => undefined)
    await sync.logout({ ifUnsent: 'discard' })
    expect(fake.calls.map(([name]) => name)).toEqual(['open', 'logout', 'close'])
    expect(sync.status.getSnapshot().phase).toBe('closed')
    expect(live.getSnapshot()).toMatchObject({ state: 'error', error: { code: 'closed' } })
    await expect(sync.contact.delete(1)).rejects.toMatchObject({ code: 'closed' })
  })
})
