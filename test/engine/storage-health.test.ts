/** Storage that fails: a state with a code, reads that go on, and a way back (F31, F32, F38, I20, promise 9). */
import { describe, expect, it, vi } from 'vitest'
import { SyncError } from '../../src/errors.ts'
import { createSmallDisk } from '../store/support.ts'
import { inWorld } from './world.ts'

const closed = (): SyncError => new SyncError('storage_closed', 'gone')

describe('a connection that is dead without a word', () => {
  it('stops a leader at its next step, with a code, instead of a try after the other (F38)', () =>
    inWorld({ contacts: 3 }, async ({ open, until, log, clock }) => {
      const { engine, store } = await open()
      await engine.now(30_000)
      vi.spyOn(store.device, 'sync').mockRejectedValue(closed())
      engine.pageEvent('online')
      await until(() => engine.status.current.phase === 'stopped')
      expect(engine.status.current).toMatchObject({ error: { code: 'storage_closed' } })
      const { length } = log
      await clock.sleep(600_000)
      expect(log).toHaveLength(length)
      await expect(engine.now(30_000)).rejects.toMatchObject({ code: 'storage_closed' })
    }))

  it('stops a follower as soon as it looks around (F38, R25)', () =>
    inWorld({ contacts: 3 }, async ({ open, until }) => {
      const leader = await open()
      await leader.engine.now(30_000)
      const { engine, store } = await open()
      await engine.now(30_000)
      vi.spyOn(store, 'follow').mockRejectedValue(closed())
      await until(() => engine.status.current.phase === 'stopped', 10_000)
      expect(engine.status.current).toMatchObject({ role: 'follower', error: { code: 'storage_closed' } })
      expect(leader.engine.status.current.phase).toBe('idle')
    }))
})

describe('a full disk', () => {
  it('while settling is a state too: nothing is asked of the server meanwhile, reads go on, and it ends by itself (F31, I20)', () =>
    inWorld({ contacts: 300 }, async ({ open, machine, until, clock, log, write }) => {
      const disk = createSmallDisk(machine.indexedDB)
      const { engine, store, ids, find } = await open({ machine: { ...machine, indexedDB: disk.factory } })
      await engine.now(30_000)
      disk.full = true
      await until(() => engine.status.current.phase === 'storage-problem')
      expect(engine.status.current).toMatchObject({ error: { code: 'storage_full' } })
      expect(store.counts().pages).toBeGreaterThan(0)
      const { length } = log
      await clock.sleep(20_000)
      expect(log).toHaveLength(length)
      expect(await ids()).toHaveLength(300)
      expect(await find({ where: { n: 3 }, limit: 1 })).toHaveLength(1)
      await clock.sleep(200_000)
      expect(engine.status.current).toMatchObject({ phase: 'storage-problem', error: { code: 'storage_full' } })
      await write({ kind: 'delete', type: 'contact', id: '1' })
      disk.full = false
      await until(() => engine.status.current.phase === 'idle')
      expect(store.counts().pages).toBe(0)
      await until(async () => (await ids()).length === 299)
    }))

  it('refuses a write by code and keeps nothing of it, not half of a group, here or at the server (F31, R20, I11)', () =>
    inWorld({ contacts: 3 }, async ({ open, machine, until, contacts, clock }) => {
      const disk = createSmallDisk(machine.indexedDB)
      const own = { ...machine, indexedDB: disk.factory }
      const { engine, store, edit, ids, kill } = await open({ machine: own })
      await engine.now(30_000)
      await until(() => engine.status.current.phase === 'idle')
      const server = await contacts()
      disk.full = true
      const group = [
        { op: 'update', key: 1, value: { name: 'one' } },
        { op: 'insert', key: -1, value: { name: 'new' } },
        { op: 'delete', key: 3 },
      ] as const
      await expect(edit(...group)).rejects.toMatchObject({ code: 'storage_full' })
      expect([await ids(), store.outbox.snapshot().edits]).toEqual([['1', '2', '3'], []])
      expect((await store.get('contact', ['1']))[0]).toMatchObject({ name: 'contact 1' })
      kill()
      disk.full = false
      const again = await open({ machine: own })
      await again.engine.now(30_000)
      await clock.sleep(5_000)
      expect([again.store.outbox.snapshot().edits, await contacts()]).toEqual([[], server])
      await again.edit(...group)
      await until(async () => (await contacts()).some(({ name }) => name === 'new'))
    }))
})
