/** What a leader does over time: resuming, proving, settling, pausing, stopping, starting again (R9, R10, R22, R23, R26). */
import { describe, expect, it } from 'vitest'
import { createMemoryStore } from '../../src/service/memory.ts'
import { answer, inWorld, never, pageBody, scripted, sessionBody, wireItem } from './world.ts'

const GET = 'GET /v2/sync/SESSION/queues/main'
const START = 'POST /v2/sync/start'
const starts = (log: readonly string[]): number => log.filter((line) => line.startsWith(START)).length
const contactsOf = (from: number, to: number): unknown[] =>
  Array.from({ length: to - from + 1 }, (_, at) => wireItem(from + at))

describe('a session left over', () => {
  it('is drained to its end and proves nothing; another one does (R9, R10, F19, promise 3)', () =>
    inWorld({ contacts: 500, delayMs: 100 }, async ({ open, log, until }) => {
      const first = await open()
      await until(async () => (await first.store.device.session()) !== null && (await first.ids()).length >= 200)
      const session = await first.store.device.session()
      expect(session).toMatchObject({ dirty: false })
      first.kill()
      log.length = 0
      const second = await open()
      await second.engine.now(60_000)
      expect((await second.ids()).length).toBe(500)
      // Kept keys, then the rest of the old session, then a start that brings what was under way when it was killed.
      expect(log.findIndex((line) => line.startsWith(GET))).toBeLessThan(
        log.findIndex((line) => line.startsWith(START)),
      )
      expect(starts(log)).toBeGreaterThanOrEqual(1)
      expect((await second.store.history()).at(-1)).toMatchObject({ outcome: 'dirty' })
      expect(await second.store.device.session()).toBeNull()
    }))

  it('redelivers at most what was not yet acknowledged (issue: resumable)', () =>
    inWorld({ contacts: 2_000, delayMs: 20 }, async ({ open, until, acked }) => {
      const first = await open()
      await until(async () => (await first.ids()).length >= 900)
      first.kill()
      const before = new Set(acked.flat()).size
      const second = await open()
      await second.engine.now(120_000)
      expect((await second.ids()).length).toBe(2_000)
      // The page being gathered, the one being fetched and the keys on their way: some hundreds, never all.
      const twice = acked.flat().length - new Set(acked.flat()).size
      expect(before).toBeGreaterThan(300)
      expect(twice).toBeLessThanOrEqual(500)
    }))

  it('is dirty on the disk from the first page after a lost one (R9)', () => {
    let fetches = 0
    return inWorld(
      {
        contacts: 500,
        delayMs: 100,
        fault: (_, path) => (path.endsWith('/main') && ++fetches === 2 ? { kind: 'lost-answer' } : undefined),
      },
      async ({ open, until }) => {
        const { store, ids } = await open()
        await until(async () => (await ids()).length >= 200)
        expect(await store.device.session()).toMatchObject({ dirty: true })
      },
    )
  })
})

describe('proof', () => {
  it('now() waits for a session that began after the call, not for one under way (R10)', () =>
    inWorld({ contacts: 500, delayMs: 100 }, async ({ open, until, write, log }) => {
      const { engine, store, find } = await open()
      await until(async () => (await store.device.session()) !== null)
      await write({ kind: 'update', type: 'contact', id: '1', patch: { n: 4_711 } })
      await engine.now(60_000)
      expect(starts(log)).toBeGreaterThanOrEqual(2)
      expect(await find({ where: { n: 4_711 } })).toHaveLength(1)
    }))

  it('lastSyncedAt is the start of the proving session, and never moves back (R10, promise 3)', () =>
    inWorld({ contacts: 300, delayMs: 100 }, async ({ open, clock, until }) => {
      const { engine } = await open()
      const seen: Array<number | null> = []
      engine.status.subscribe(({ lastSyncedAt }) => void seen.push(lastSyncedAt))
      const begun = clock.now()
      await until(() => engine.status.current.lastSyncedAt !== null)
      expect(engine.status.current.lastSyncedAt).toBeLessThan(begun + 50)
      expect(clock.now() - begun).toBeGreaterThan(500)
      await engine.now(60_000)
      const times = seen.filter((at) => at !== null)
      expect(times).toEqual([...times].sort((a, b) => a - b))
    }))

  it('survives a wipe that the service asks for in the middle of now() (R10, R14, I20)', () =>
    inWorld({ contacts: 20 }, async ({ open, service }) => {
      const { engine, store, ids } = await open()
      for (let session = 0; session < 5; session++) await engine.now(60_000)
      const { device } = await store.device.identity()
      await service.forget({ account: 'acme', user: 'ann', device })
      await engine.now(60_000)
      expect((await store.device.identity()).device).not.toBe(device)
      expect((await ids()).length).toBe(20)
    }))

  it('now() fails in time, with a code, whatever keeps it from coming true (I20, promise 9)', () =>
    inWorld({ http: () => never }, async ({ open, clock }) => {
      const { engine } = await open()
      const began = clock.now()
      await expect(engine.now(7_000)).rejects.toMatchObject({ name: 'SyncError', code: 'timeout' })
      expect(clock.now() - began).toBe(7_000)
      const stop = new AbortController()
      const stopped = engine.now(60_000, stop.signal).catch((error: { code: string }) => error.code)
      await clock.sleep(10)
      stop.abort()
      expect(await stopped).toBe('aborted')
      expect(await engine.now(60_000, stop.signal).catch((error: { code: string }) => error.code)).toBe('aborted')
      const paused = engine.now(60_000).catch((error: { code: string }) => error.code)
      await clock.sleep(10)
      await engine.pause()
      expect(await paused).toBe('paused')
      await expect(engine.now(60_000)).rejects.toMatchObject({ code: 'paused' })
      await engine.resume()
      const closed = engine.now(60_000).catch((error: { code: string }) => error.code)
      await clock.sleep(10)
      await engine.close()
      expect(await closed).toBe('closed')
      expect(engine.status.current.phase).toBe('closed')
    }))
})

describe('settling', () => {
  it('begins when the drain is over and quiet, and gives way to reads (R1)', () =>
    inWorld({ contacts: 1_000, delayMs: 30 }, async ({ open, until, clock }) => {
      const { engine, store, phases, ids } = await open()
      await until(() => engine.status.current.phase === 'settling')
      const [quiet, mark] = [clock.now(), store.counts().mark]
      expect(mark).toBe(0)
      await until(() => store.counts().mark > 0)
      expect(clock.now() - quiet).toBeGreaterThanOrEqual(1_000)
      await until(() => engine.status.current.phase === 'idle')
      expect(store.counts()).toMatchObject({ pages: 0, records: 0 })
      expect(engine.status.current.records).toEqual({ settled: 1_000, unsettled: 0 })
      expect((await ids()).length).toBe(1_000)
      expect(phases).toEqual(['starting', 'connecting', 'draining', 'settling', 'idle'])
    }))

  it('settles no page before it is two seconds old, so that other tabs see it in the inbox first (R25)', () =>
    inWorld({ contacts: 300, delayMs: 30 }, async ({ open, until, clock }) => {
      const { engine, store } = await open()
      const stored: number[] = []
      const ages: number[] = []
      let [head, mark] = [0, 0]
      store.subscribe(() => {
        const counts = store.counts()
        for (; head < counts.head; head++) stored.push(clock.now())
        for (; mark < counts.mark; mark++) ages.push(clock.now() - (stored[mark] ?? 0))
      })
      await until(() => engine.status.current.phase === 'idle' && engine.status.current.records.settled === 300)
      expect(ages.length).toBe(head)
      expect(Math.min(...ages)).toBeGreaterThanOrEqual(2_000)
    }))

  it('goes on under an app that writes all the time, once pages have waited five seconds (R1)', () =>
    inWorld({ contacts: 300, delayMs: 5 }, async ({ open, until, clock }) => {
      const { engine, store, edit } = await open()
      await engine.now(60_000)
      const began = clock.now()
      let writing = true
      const writer = (async () => {
        for (let n = 0; writing; n++) {
          await edit({ op: 'update', key: 1, value: { n } })
          engine.edited()
          await clock.sleep(100)
        }
      })()
      await until(() => store.counts().mark >= 3, 20_000)
      writing = false
      await writer
      expect(clock.now() - began).toBeLessThan(10_000)
    }))

  it('keeps the inbox below its ceiling while draining, however slowly pages come (R7)', async () => {
    for (const delayMs of [1, 60])
      await inWorld({ contacts: 2_000, delayMs }, async ({ open }) => {
        const { engine, store, ids } = await open({ options: { ceiling: { records: 300 } } })
        let most = 0
        store.subscribe(() => (most = Math.max(most, store.counts().records)))
        await engine.now(120_000)
        expect((await ids()).length).toBe(2_000)
        // One group being gathered and one being stored may lie above it.
        expect(most).toBeLessThanOrEqual(300 + 1_000 + 100)
        // And, of slow pages, what the four lanes had under way.
        if (delayMs === 60) expect(most).toBeLessThanOrEqual(300 + 400)
      })
  })
})

describe('the schedule', () => {
  it('asks again after the poll, at once when woken, and not at all while offline (R10, F2)', () => {
    let offline = false
    return inWorld(
      { contacts: 3, fault: () => (offline ? { kind: 'lost-request' } : undefined) },
      async ({ open, log, clock, until }) => {
        const { engine } = await open({ options: { poll: 60_000 } })
        await until(() => engine.status.current.phase === 'idle')
        log.length = 0
        await clock.sleep(50_000)
        expect(starts(log)).toBe(0)
        await clock.sleep(12_000)
        expect(starts(log)).toBe(1)
        engine.pageEvent('visible')
        await clock.sleep(100)
        expect(starts(log)).toBe(2)
        engine.pageEvent('offline')
        offline = true
        await clock.sleep(70_000)
        expect(engine.status.current.phase).toBe('offline')
        offline = false
        log.length = 0
        engine.pageEvent('online')
        await clock.sleep(100)
        expect(starts(log)).toBe(1)
      },
    )
  })

  it('believes the network, not onLine: an answer counts although the browser says offline (F2)', () =>
    inWorld({ contacts: 3 }, async ({ open }) => {
      const { engine, ids } = await open()
      engine.pageEvent('offline')
      await engine.now(60_000)
      expect(await ids()).toEqual(['1', '2', '3'])
    }))

  it('waits visibly, with the moment of the next try, and tries at once when asked to (ERR-3, F2)', () => {
    let broken = true
    return inWorld(
      { contacts: 3, fault: () => (broken ? { kind: 'lost-request' } : undefined) },
      async ({ open, until, clock }) => {
        const { engine } = await open()
        await until(() => engine.status.current.phase === 'waiting')
        const { current } = engine.status
        expect(current).toMatchObject({ error: { code: 'endpoint_unreachable' } })
        if (current.phase === 'waiting') expect(current.retryAt).toBeGreaterThanOrEqual(clock.now() - 25)
        await clock.sleep(600_000)
        broken = false
        await engine.now(1_000)
      },
    )
  })

  it('comes back no sooner than the server asked, whatever wakes it (ERR-3, F5)', () => {
    let busy = true
    return inWorld(
      { contacts: 3, fault: () => (busy ? { kind: 'status', status: 503, retryAfter: '30' } : undefined) },
      async ({ open, log, clock, until }) => {
        const { engine } = await open()
        await until(() => engine.status.current.phase === 'waiting')
        busy = false
        const synced = engine.now(60_000)
        for (let second = 0; second < 28; second++) {
          engine.pageEvent('visible')
          await clock.sleep(1_000)
        }
        expect(log).toEqual([`${START} -> 503`])
        await synced
        expect(starts(log)).toBeGreaterThan(1)
      },
    )
  })

  it('stays below the rate the server announced or the app set; eight a second when nothing is known (RATE-1, RATE-2, R12, R13)', async () => {
    for (const [rate, announced, most] of [
      [null, undefined, 8],
      [3, undefined, 3],
      [null, 20, 20],
    ] as const) {
      const times: number[] = []
      await inWorld(
        {
          contacts: 4_000,
          service: announced === undefined ? { profile: 'vendor' } : { rate: announced },
          fault: () => {
            times.push(now())
            return undefined
          },
        },
        async (world) => {
          now = world.now
          const { engine } = await world.open({ options: { rate } })
          await engine.now(600_000)
        },
      )
      for (const [at, time] of times.entries()) {
        // Before the first start nothing is known of the server.
        const before = times[at - most]
        if (before !== undefined) expect(time - before).toBeGreaterThanOrEqual(990)
      }
      expect(times.length).toBeGreaterThan(40)
    }
  })
  let now = (): number => 0
})

describe('pause, resume, restart, close', () => {
  it('pause stops a drain at once and outlives a restart of the tab; resume goes on (R26)', () =>
    inWorld({ contacts: 1_000, delayMs: 100 }, async ({ open, until, clock, log }) => {
      const first = await open()
      await until(async () => (await first.ids()).length >= 200)
      await first.engine.pause()
      await clock.sleep(300)
      expect(first.engine.status.current.phase).toBe('paused')
      const { length } = log
      await clock.sleep(600_000)
      expect(log.length).toBe(length)
      first.kill()
      const second = await open()
      await until(() => second.engine.status.current.phase === 'paused')
      await second.engine.resume()
      await second.engine.now(60_000)
      expect((await second.ids()).length).toBe(1_000)
    }))

  it('restart wipes and downloads anew under a new UUID, also in mid-drain; no old key is sent under the new one (R23, DEV-5)', () => {
    const devices: Array<[string | undefined, string | null]> = []
    return inWorld(
      {
        contacts: 500,
        delayMs: 100,
        fault: (request, path) => {
          if (path.endsWith('/ack')) devices.push([request.headers['X-Basecrm-Device-UUID'], request.body])
          return undefined
        },
      },
      async ({ open, until }) => {
        const { engine, ids, store } = await open()
        await until(async () => (await ids()).length >= 200)
        const old = (await store.device.identity()).device
        const keys = new Set((await store.pendingAcks()).flatMap((row) => row.keys))
        await engine.restart()
        const fresh = (await store.device.identity()).device
        expect(fresh).not.toBe(old)
        await engine.now(120_000)
        expect((await ids()).length).toBe(500)
        expect(keys.size).toBeGreaterThan(0)
        for (const [device, body] of devices)
          if (device === fresh) for (const key of keys) expect(body).not.toContain(`"${key}"`)
      },
    )
  })

  it('close() ends everything: no request, no write, no timer that matters afterwards (I20)', () =>
    inWorld({ contacts: 1_000, delayMs: 100 }, async ({ open, until, log, clock }) => {
      const { engine, ids } = await open()
      await until(async () => (await ids()).length >= 100)
      await engine.close()
      const { length } = log
      await clock.sleep(600_000)
      expect(log.length).toBeLessThanOrEqual(length + 1)
      expect(engine.status.current.phase).toBe('closed')
    }))

  it('a database deleted under the engine stops it, with a code, and close() still ends (F32, I20, promise 9)', () =>
    inWorld({ contacts: 300, delayMs: 100 }, async ({ open, until, machine }) => {
      const { engine, ids } = await open()
      await until(async () => (await ids()).length >= 100)
      const waiting = engine.now(60_000).catch((error: { code: string }) => error.code)
      machine.indexedDB.deleteDatabase('test')
      expect(await waiting).toBe('storage_closed')
      await until(() => engine.status.current.phase === 'stopped')
      expect(engine.status.current).toMatchObject({ phase: 'stopped', error: { code: 'storage_closed' } })
      await engine.close()
      expect(engine.status.current.phase).toBe('closed')
    }))
})

describe('another server than before', () => {
  it('that knows nothing of this device gets a new device, and everything comes again (R14, R13, DEV-2)', () =>
    inWorld({ contacts: 20 }, async (world) => {
      const { engine, store, ids } = await world.open()
      await engine.now(60_000)
      const before = (await store.device.identity()).device
      await world.service.forget({ account: 'acme', user: 'ann', device: before })
      await world.write({ kind: 'delete', type: 'contact', id: '5' })
      await engine.now(60_000)
      expect((await store.device.identity()).device).not.toBe(before)
      // What vanished while it was forgotten is gone here too.
      expect(await ids()).toEqual(Array.from({ length: 20 }, (_, at) => String(at + 1)).filter((id) => id !== '5'))
    }))

  it('restored from a backup begins a new epoch, and everything comes again (R14, F41, I4)', () =>
    inWorld({ contacts: 20 }, async (world) => {
      const { engine, store, find } = await world.open()
      await world.write({ kind: 'update', type: 'contact', id: '1', patch: { n: 100 } })
      await world.write({ kind: 'update', type: 'contact', id: '1', patch: { n: 101 } })
      await engine.now(60_000)
      const before = (await store.device.identity()).device
      const restored = createMemoryStore({ epoch: 'two', now: () => world.clock.now() })
      await restored.importRecords('acme', [{ type: 'contact', data: { id: 1, n: 50 } }])
      // It knows the device, so the epoch alone says that its revisions begin again.
      await restored.openSession({ account: 'acme', user: 'ann', device: before }, ['everyone'], 100)
      world.service = restored
      await engine.now(60_000)
      expect((await store.device.identity()).device).not.toBe(before)
      expect(await find()).toEqual([{ id: 1, n: 50 }])
    }))

  it('of another account stops the engine before anything of it is stored; restart() is a way out (R22, I18, promise 8)', () => {
    let account = 'acme'
    return inWorld(
      { contacts: 20, authorize: () => ({ account, user: 'ann', scopes: ['sync'] }) },
      async ({ open, service, log, clock, until }) => {
        const { engine, ids, store } = await open()
        await engine.now(60_000)
        await service.importRecords('other', [{ type: 'contact', data: { id: 999 } }])
        account = 'other'
        log.length = 0
        await expect(engine.now(60_000)).rejects.toMatchObject({ code: 'account_mismatch' })
        expect(engine.status.current.phase).toBe('stopped')
        await clock.sleep(600_000)
        expect(log).toEqual([`${START} -> 201`])
        expect((await ids()).length).toBe(20)
        expect((await store.device.identity()).account).toBeTruthy()
        await engine.restart()
        await until(async () => (await ids()).join() === '999')
      },
    )
  })
})

describe('the history', () => {
  it('tells each session: when, how it ended, pages, items, acks (I23)', () => {
    const http = scripted(
      [answer(201, sessionBody('one')), answer(201, sessionBody('two'))],
      [
        answer(200, pageBody(contactsOf(1, 3))),
        answer(500),
        answer(204),
        answer(200, pageBody(contactsOf(4, 4))),
        answer(204),
      ],
    )
    return inWorld({ http }, async ({ open }) => {
      const { engine, store } = await open()
      await engine.now(60_000)
      expect(await store.history()).toMatchObject([
        { outcome: 'clean', pages: 1, items: 1, acked: 1, error: null },
        { outcome: 'dirty', pages: 1, items: 3, acked: 3, error: null },
      ])
    })
  })

  it('tells why a session failed (I25: by its code)', () => {
    const http = scripted([answer(201, sessionBody('one'))], [answer(200, pageBody(contactsOf(1, 3))), answer(403)])
    return inWorld({ http }, async ({ open, until }) => {
      const { engine, store } = await open()
      await until(() => engine.status.current.phase === 'stopped')
      expect(await store.history()).toMatchObject([{ outcome: 'failed', error: 'forbidden' }])
    })
  })
})
