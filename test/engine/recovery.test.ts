/** Ways back: what once left an engine waiting for ever, or asking for ever, ends in sync again. */
import { describe, expect, it, vi } from 'vitest'
import type { Locks } from '../../src/engine/leader.ts'
import { SyncError } from '../../src/errors.ts'
import type { Scope } from '../../src/service/options.ts'
import { createMemoryStore } from '../../src/service/memory.ts'
import { createSmallDisk } from '../store/support.ts'
import { createMachine, type Machine } from '../support/device.ts'
import { inWorld } from './world.ts'

const access = (...scopes: Scope[]) => ({ account: 'acme', user: 'ann', scopes })
const isStart = (line: string): boolean => line.startsWith('POST /v2/sync/start')
const isFetch = (line: string): boolean => line.startsWith('GET ')
const keysOf = (body: string | null): string[] =>
  (JSON.parse(body ?? '') as { data: { ack_keys: string[] } }).data.ack_keys

describe('what a person mends', () => {
  it('restart() without Web Locks fences nobody: the same tab leads on and downloads anew (R23, R24)', () =>
    inWorld({ contacts: 3 }, async ({ open, write }) => {
      const free: Locks = { exclusive: false, request: (_name, _signal, work) => work() }
      const machine = createMachine()
      const { engine, ids } = await open({ machine: { ...machine, locks: { ...machine.locks, for: () => free } } })
      await engine.now(30_000)
      const device = engine.status.current.deviceId
      await engine.restart()
      await engine.now(30_000)
      expect(engine.status.current.role).toBe('leader')
      expect(engine.status.current.deviceId).not.toBe(device)
      expect(await ids()).toEqual(['1', '2', '3'])
      await write({ kind: 'create', type: 'contact', data: { name: 'late' } })
      await engine.now(30_000)
      expect(await ids()).toHaveLength(4)
    }))

  it('resume() in a follower wakes a leader that needs a login (R26, F6)', () => {
    let good = false
    return inWorld({ contacts: 3, authorize: () => (good ? access('sync') : null) }, async ({ open, until }) => {
      const leader = await open()
      await until(() => leader.engine.status.current.phase === 'needs-auth')
      const follower = await open()
      expect(follower.engine.status.current.role).toBe('follower')
      good = true
      await follower.engine.resume()
      await follower.engine.now(30_000)
      expect(await follower.ids()).toEqual(['1', '2', '3'])
      expect(leader.engine.status.current.role).toBe('leader')
      await until(() => leader.engine.status.current.phase === 'idle')
    })
  })

  it('restart() in a follower brings back a leader that had stopped for good (R23, R26, ERR-3)', () => {
    let scopes: Scope[] = ['sync']
    return inWorld({ contacts: 3, authorize: () => access(...scopes) }, async ({ open, until, write }) => {
      const leader = await open()
      await leader.engine.now(30_000)
      scopes = ['read']
      leader.engine.pageEvent('online')
      await until(() => leader.engine.status.current.phase === 'stopped')
      const follower = await open()
      scopes = ['sync']
      await write({ kind: 'create', type: 'contact', data: { name: 'late' } })
      await follower.engine.restart()
      await follower.engine.now(30_000)
      expect(await follower.ids()).toHaveLength(4)
      await until(() => leader.engine.status.current.phase === 'idle')
    })
  })

  it('now() right after resume() is not told of the pause that is over (R26, I20)', () =>
    inWorld({ contacts: 3 }, async ({ open, until }) => {
      const { engine } = await open()
      await engine.now(30_000)
      await engine.pause()
      await until(() => engine.status.current.phase === 'paused')
      await engine.resume()
      await expect(engine.now(30_000)).resolves.toBeUndefined()
    }))

  it('now() comes true across a wipe that the service asked for (R10, R14, R23)', () =>
    inWorld({ contacts: 3 }, async (world) => {
      const { engine, ids } = await world.open()
      for (let times = 0; times < 3; times++) await engine.now(30_000)
      const device = engine.status.current.deviceId
      world.service = createMemoryStore({ epoch: 'two', now: () => world.clock.now() })
      await world.service.importRecords('acme', [{ type: 'contact', data: { id: 9, name: 'from the new service' } }])
      await expect(engine.now(30_000)).resolves.toBeUndefined()
      expect(engine.status.current.deviceId).not.toBe(device)
      expect(await ids()).toEqual(['9'])
    }))
})

describe('storage that fails', () => {
  it('at the first write of a new leader leaves the lock with somebody who tries again (I20, R24)', () => {
    const plain = createMachine()
    const disk = createSmallDisk(plain.indexedDB)
    const machine: Machine = { ...plain, indexedDB: disk.factory }
    return inWorld({ contacts: 3 }, async ({ open, until, write }) => {
      const first = await open({ machine })
      await first.engine.now(30_000)
      const second = await open({ machine })
      disk.full = true
      first.kill()
      await until(() => second.engine.status.current.phase === 'storage-problem')
      expect(second.engine.status.current).toMatchObject({ error: { code: 'storage_full' } })
      disk.full = false
      await write({ kind: 'create', type: 'contact', data: { name: 'late' } })
      await second.engine.now(60_000)
      expect(second.engine.status.current.role).toBe('leader')
      expect(await second.ids()).toHaveLength(4)
    })
  })

  it('while settling does not make the engine ask the server more often (R1, ERR-3)', () =>
    inWorld({ contacts: 3 }, async ({ open, clock, log }) => {
      const { engine, store } = await open()
      vi.spyOn(store, 'settleNext').mockRejectedValue(new SyncError('storage_full', 'no room'))
      await clock.sleep(600_000)
      expect(log.filter(isStart).length).toBeGreaterThan(1)
      expect(log.filter(isStart).length).toBeLessThan(30)
      await expect(engine.now(30_000)).resolves.toBeUndefined()
    }))

  it('slow pages do not carry the inbox far beyond its ceiling (R7)', () =>
    inWorld({ contacts: 5_000, delayMs: 50 }, async ({ open }) => {
      const { engine, store, ids } = await open({ options: { ceiling: { records: 500, bytes: 1e9 } } })
      let most = 0
      store.subscribe(() => {
        most = Math.max(most, store.counts().records)
      })
      await engine.now(600_000)
      expect(await ids()).toHaveLength(5_000)
      expect(most).toBeGreaterThan(400)
      // The ceiling, and what came while the last commit was under way.
      expect(most).toBeLessThanOrEqual(1_000)
    }))
})

describe('answers that refuse', () => {
  it('one ack key refused for good holds back no other, is shown as stuck, and slows the schedule (R11, ACK-7, ERR-3)', () => {
    let poison: string | undefined
    return inWorld(
      {
        contacts: 5,
        fault: ({ body }, path) => {
          if (!path.endsWith('/ack')) return undefined
          const keys = keysOf(body)
          poison ??= keys[2]
          return poison !== undefined && keys.includes(poison) ? { kind: 'status', status: 422 } : undefined
        },
      },
      async ({ open, clock, acked, log }) => {
        const { engine, store, ids } = await open()
        await clock.sleep(3_600_000)
        expect(await ids()).toHaveLength(5)
        expect(new Set(acked.flat()).size).toBe(4)
        expect(acked.flat()).not.toContain(poison)
        expect((await store.pendingAcks()).flatMap(({ keys }) => keys)).toEqual([poison])
        expect(engine.status.current.lastSyncedAt).not.toBeNull()
        expect(engine.status.current.stuck).toBe(1)
        expect(log.filter(isFetch).length).toBeLessThan(30)
      },
    )
  })

  it('a late 401 for an old token does not throw away the fresh one (F6, AUTH-1)', () => {
    let fetches = 0
    return inWorld(
      {
        contacts: 300,
        delayMs: 60,
        fault: ({ headers }, path) => {
          const old = headers['Authorization'] === 'Bearer t1'
          const over = path.endsWith('/ack') || (path.includes('/queues/') && ++fetches > 1)
          return old && over ? { kind: 'status', status: 401 } : undefined
        },
      },
      async ({ open, clock, log }) => {
        let asked = 0
        const token = async (): Promise<string> => {
          const next = `t${++asked}`
          await clock.sleep(100)
          return next
        }
        const { engine, ids } = await open({ token })
        await engine.now(60_000)
        expect(log.filter((line) => line.endsWith('401')).length).toBeGreaterThan(1)
        expect(asked).toBe(2)
        expect(await ids()).toHaveLength(300)
      },
    )
  })
})
