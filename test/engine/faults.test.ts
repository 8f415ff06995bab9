/** What is lost on the way, and how it comes back: nothing is missing, nothing is claimed too early (promises 3 and 10). */
import { describe, expect, it, vi } from 'vitest'
import type { HttpRequest } from '../../src/engine/transport.ts'
import { SyncError } from '../../src/errors.ts'
import type { Fault } from '../support/network.ts'
import { createSmallDisk } from '../store/support.ts'
import { answer, inWorld, never, pageBody, scripted, sessionBody, wireItem, type World } from './world.ts'

const GET = 'GET /v2/sync/SESSION/queues/main'
const START = 'POST /v2/sync/start'
const isGet = (path: string): boolean => path.endsWith('/main')
const contactsOf = (from: number, to: number): unknown[] =>
  Array.from({ length: to - from + 1 }, (_, at) => wireItem(from + at))

/** The fault at the nth fetch, counted from 0. */
function atFetch(nth: number, fault: Fault): (request: HttpRequest, path: string) => Fault | undefined {
  let fetches = 0
  return (_, path) => (isGet(path) && fetches++ === nth ? fault : undefined)
}

const unknown: ReadonlyArray<readonly [string, Fault]> = [
  ['lost on the way back', { kind: 'lost-answer' }],
  ['cut in the middle', { kind: 'cut', share: 0.5 }],
  ['cut before its last character', { kind: 'cut', share: 0.9999 }],
  ['answered 502 by a proxy', { kind: 'status', status: 502, body: '<html>' }],
  ['never asked for', { kind: 'lost-request' }],
]

describe('a page', () => {
  for (const [what, fault] of unknown)
    it(`that is ${what} makes the session prove nothing; the next one brings exactly it (FAQ-2.0, FAQ-2.1, FETCH-3, FETCH-7, F1, R9, promise 3)`, async () => {
      // A 204 has no body to cut.
      for (let at = 0; at <= (fault.kind === 'cut' ? 3 : 4); at++)
        await inWorld({ contacts: 400, fault: atFetch(at, fault), delayMs: 60 }, async ({ open, log, clock }) => {
          const { engine, store, ids } = await open()
          const before = clock.now()
          await engine.now(120_000)
          expect((await ids()).length).toBe(400)
          // The first session ended in 204 as well, and yet it is not what "in sync" stands on.
          expect((await store.history()).at(-1)?.outcome).toBe('dirty')
          expect(log.filter((line) => line.startsWith(START)).length).toBeGreaterThanOrEqual(2)
          expect(engine.status.current.lastSyncedAt).toBeGreaterThan(before + 100)
          const again = log.slice(log.lastIndexOf(`${START} -> 201`)).filter((line) => line === `${GET} -> 200`)
          if (fault.kind !== 'lost-request' && fault.kind !== 'status' && at < 4) expect(again).toHaveLength(1)
        })
    })

  it('whose session is gone ends it; one other is started, nothing stored is lost (FETCH-5, F8)', async () => {
    for (const status of [404, 410])
      for (let at = 0; at <= 4; at++)
        await inWorld(
          { contacts: 400, fault: atFetch(at, { kind: 'status', status }), delayMs: 60 },
          async ({ open, log, acked }) => {
            const { engine, store, ids } = await open()
            await engine.now(120_000)
            expect((await ids()).length).toBe(400)
            expect(new Set(acked.flat()).size).toBe(400)
            expect(log.filter((line) => line.startsWith(START))).toHaveLength(2)
            expect((await store.history()).map(({ outcome }) => outcome).at(-1)).toBe('dirty')
          },
        )
  })

  it('of every session gone at once leads to growing pauses, not to a storm (FETCH-5, I23)', () => {
    const http = scripted(
      Array.from({ length: 10_000 }, () => answer(201, sessionBody('s'))),
      Array.from({ length: 10_000 }, () => answer(404)),
    )
    return inWorld({ http }, async ({ open, clock }) => {
      const { engine } = await open()
      await clock.sleep(600_000)
      expect(http.requests.length).toBeLessThan(400)
      expect(engine.status.current).toMatchObject({ phase: 'waiting', lastSyncedAt: null })
    })
  })

  it('refused with 429 costs no proof, and the server is asked no sooner than it said (ERR-3, F5, R9)', () => {
    const times: number[] = []
    let world: World | undefined
    const fault = atFetch(2, { kind: 'status', status: 429, retryAfter: '7' })
    return inWorld(
      {
        contacts: 400,
        delayMs: 60,
        fault: (request, path) => {
          if (isGet(path)) times.push(world?.now() ?? 0)
          return fault(request, path)
        },
      },
      async (opened) => {
        world = opened
        const { engine, store } = await opened.open()
        await engine.now(120_000)
        expect((await store.history()).map(({ outcome }) => outcome)).toEqual(['clean'])
        expect((times[3] ?? 0) - (times[2] ?? 0)).toBeGreaterThanOrEqual(7_000)
      },
    )
  })

  it('asked for again and again in vain is left for later, with the session kept (F4, ERR-3)', () => {
    let broken = true
    let starts = 0
    return inWorld(
      {
        contacts: 300,
        delayMs: 60,
        fault: (_, path) => {
          if (path.endsWith('/start')) starts++
          return broken && isGet(path) ? { kind: 'status', status: 503 } : undefined
        },
      },
      async ({ open, until }) => {
        const { engine, ids } = await open()
        await until(() => engine.status.current.phase === 'waiting')
        expect(engine.status.current).toMatchObject({
          error: { code: 'server_error', status: 503 },
          lastSyncedAt: null,
        })
        broken = false
        await engine.now(120_000)
        expect((await ids()).length).toBe(300)
        expect(starts).toBeGreaterThan(1)
      },
    )
  })
})

describe('what can never be taken', () => {
  it('a page beyond the size limit is counted, the others arrive, and the server is left in peace (R11, F13, L3)', () => {
    const huge = {
      status: 200,
      header: () => null,
      text: () => Promise.reject(new SyncError('page_too_large', 'too large')),
    }
    const sessions = Array.from({ length: 50 }, (_, at) => [
      ...(at === 0 ? [answer(200, pageBody(contactsOf(1, 5)))] : []),
      huge,
      ...(at === 0 ? [answer(200, pageBody(contactsOf(6, 9)))] : []),
      answer(204),
    ])
    const http = scripted(
      sessions.map((_, at) => answer(201, sessionBody(`s${at}`))),
      sessions.flat(),
    )
    return inWorld({ http }, async ({ open, clock }) => {
      const { engine, ids } = await open()
      await clock.sleep(60_000)
      expect((await ids()).length).toBe(9)
      expect(engine.status.current).toMatchObject({
        stuck: 1,
        lastSyncedAt: null,
        phase: 'waiting',
        error: { code: 'page_too_large' },
      })
      const { length } = http.requests
      await clock.sleep(6 * 3_600_000)
      expect(http.requests.length - length).toBeLessThan(60)
    })
  })

  it('objects the server cannot read are counted, do not stop the drain, cost no proof, and slow the schedule (FETCH-8, R11)', () => {
    let broken = true
    return inWorld(
      {
        contacts: 250,
        service: {
          present: (_, data) => {
            if (broken && data['id'] === 17) throw new Error('unreadable')
            return data
          },
        },
      },
      async ({ open, log, clock }) => {
        const { engine, ids } = await open()
        await engine.now(60_000)
        expect((await ids()).length).toBe(249)
        expect(engine.status.current).toMatchObject({ unreadable: 1, stuck: 0 })
        expect(engine.status.current.lastSyncedAt).not.toBeNull()
        const { length } = log
        await clock.sleep(12 * 3_600_000)
        expect(log.slice(length).filter((line) => line.startsWith(START)).length).toBeLessThan(24)
        broken = false
        await engine.now(60_000)
        expect((await ids()).length).toBe(250)
        expect(engine.status.current.unreadable).toBe(0)
      },
    )
  })

  it('unknown types and events, broken items and items for the quarantine wedge nothing (ITEM-3, ITEM-6, I8, R31, L3)', () => {
    const odd = [
      wireItem(1, 1, { type: 'mystery' }),
      wireItem(2, 1, { event: 'moved' }),
      'nonsense',
      null,
      wireItem(3, 1, { data: null }),
      wireItem(4),
    ]
    const http = scripted(
      [answer(201, sessionBody('s'))],
      [answer(200, pageBody(odd)), answer(200, pageBody(contactsOf(5, 6)))],
    )
    return inWorld({ http }, async ({ open }) => {
      const { engine, store, ids } = await open()
      await engine.now(60_000)
      expect(await ids()).toEqual(['4', '5', '6'])
      expect(engine.status.current).toMatchObject({ quarantined: 5, stuck: 2 })
      expect(await store.quarantine.count()).toBe(5)
      expect(http.acked.flat()).toEqual(['k-1-1', 'k-2-1', 'k-3-1', 'k-4-1', 'k-5-1', 'k-6-1'])
    })
  })

  it('a server that hands out the same page for ever is left, and asked again later (FETCH-3, I23)', () => {
    const http = scripted(
      [answer(201, sessionBody('s'))],
      Array.from({ length: 5_000 }, () => answer(200, pageBody(contactsOf(1, 3)))),
    )
    return inWorld({ http }, async ({ open }) => {
      const { engine, store } = await open()
      await engine.now(120_000)
      expect(http.requests.length).toBeLessThan(100)
      expect((await store.history()).at(-1)?.outcome).toBe('dirty')
    })
  })
})

describe('a token', () => {
  it('refused in the middle of a drain is refreshed once, and the drain goes on, clean (AUTH-1, F6, R9)', () => {
    let valid = 'one'
    const tokens: string[] = []
    let fetches = 0
    return inWorld(
      {
        contacts: 400,
        authorize: (token) => (token === valid ? { account: 'acme', user: 'ann', scopes: ['sync'] } : null),
        fault: (_, path) => {
          if (isGet(path) && ++fetches === 3) valid = 'two'
          return undefined
        },
        delayMs: 60,
      },
      async ({ open, log }) => {
        const { engine, store, ids } = await open({
          token: () => {
            tokens.push(valid)
            return Promise.resolve(valid)
          },
        })
        await engine.now(120_000)
        expect((await ids()).length).toBe(400)
        expect(tokens).toEqual(['one', 'two'])
        expect(log.filter((line) => line.startsWith(START))).toHaveLength(1)
        expect((await store.history()).map(({ outcome }) => outcome)).toEqual(['clean'])
      },
    )
  })

  it('that stays refused is needs-auth, with everything kept; resume() after login goes on (AUTH-1, F6)', () => {
    let valid = true
    return inWorld(
      {
        contacts: 300,
        authorize: (token) => (token === 'good' || valid ? { account: 'acme', user: 'ann', scopes: ['sync'] } : null),
        fault: (_, path) => void (isGet(path) && (valid = false)),
        delayMs: 60,
      },
      async ({ open, until, log, clock }) => {
        let token = 'bad'
        const { engine, ids } = await open({ token: () => Promise.resolve(token) })
        await until(() => engine.status.current.phase === 'needs-auth')
        expect(engine.status.current).toMatchObject({ error: { code: 'unauthorized', status: 401 } })
        const { length } = log
        await expect(engine.now(60_000)).rejects.toMatchObject({ code: 'unauthorized' })
        await clock.sleep(600_000)
        expect(log.length).toBe(length)
        token = 'good'
        await engine.resume()
        await engine.now(120_000)
        expect((await ids()).length).toBe(300)
      },
    )
  })

  it('without the scope stops the engine, which does not ask again by itself (F7)', () =>
    inWorld(
      { contacts: 3, authorize: () => ({ account: 'acme', user: 'ann', scopes: ['read'] }) },
      async ({ open, until, log, clock }) => {
        const { engine } = await open()
        await until(() => engine.status.current.phase === 'stopped')
        expect(engine.status.current).toMatchObject({ error: { code: 'forbidden', status: 403 } })
        await clock.sleep(600_000)
        expect(log).toEqual([`${START} -> 403`])
        await expect(engine.now(60_000)).rejects.toMatchObject({ code: 'forbidden' })
      },
    ))

  it('whose callback never answers does not keep close() or pause() from ending (F6, I20)', () =>
    inWorld({ contacts: 3 }, async ({ open, clock }) => {
      const { engine } = await open({ token: () => never })
      const waiting = engine.now(60_000).catch((error: { code: string }) => error.code)
      await clock.sleep(1_000)
      await engine.pause()
      expect(await waiting).toBe('paused')
      await engine.close()
      expect(engine.status.current.phase).toBe('closed')
    }))
})

describe('a commit that fails', () => {
  it('after the last page was fetched leaves nothing to prove: no ack, no "in sync", and the page comes again (promises 1 and 3, R9, I3)', () =>
    inWorld({ contacts: 50 }, async ({ open, until, acked }) => {
      const { engine, store, ids } = await open()
      vi.spyOn(store, 'commit').mockRejectedValueOnce(new SyncError('storage_failed', 'the disk is broken'))
      await until(() => engine.status.current.phase === 'storage-problem')
      expect(engine.status.current).toMatchObject({ lastSyncedAt: null, error: { code: 'storage_failed' } })
      expect([acked, await ids()]).toEqual([[], []])
      await engine.now(120_000)
      expect((await ids()).length).toBe(50)
    }))
})

describe('a full disk', () => {
  it('is a state with a code, stops nothing that reads, and ends by itself (F31, I20, promise 9)', () =>
    inWorld({ contacts: 300, delayMs: 60 }, async ({ open, machine, until, clock, acked }) => {
      const disk = createSmallDisk(machine.indexedDB)
      const { engine, ids } = await open({ machine: { ...machine, indexedDB: disk.factory } })
      await until(async () => (await ids()).length >= 100)
      disk.full = true
      await until(() => engine.status.current.phase === 'storage-problem')
      expect(engine.status.current).toMatchObject({ error: { code: 'storage_full' } })
      const [stored, sent] = [(await ids()).length, new Set(acked.flat()).size]
      expect(sent).toBeLessThanOrEqual(stored)
      await clock.sleep(120_000)
      disk.full = false
      await engine.now(120_000)
      expect((await ids()).length).toBe(300)
      expect(engine.status.current.phase).not.toBe('storage-problem')
    }))

  it('from the beginning is a state too, not the end (F31)', () =>
    inWorld({ contacts: 10 }, async ({ open, machine, until }) => {
      const disk = createSmallDisk(machine.indexedDB)
      const first = await open({ machine: { ...machine, indexedDB: disk.factory } })
      await first.engine.close()
      disk.full = true
      const { engine, ids } = await open({ machine: { ...machine, indexedDB: disk.factory } })
      await until(() => engine.status.current.phase === 'storage-problem')
      disk.full = false
      await until(async () => (await ids()).length === 10)
    }))
})
