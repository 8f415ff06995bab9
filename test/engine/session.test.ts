/** A run as the server sees it: the order of calls, what is sent with them, and when it is over (section 14). */
import { describe, expect, it } from 'vitest'
import type { HttpRequest } from '../../src/engine/transport.ts'
import { createMachine } from '../support/device.ts'
import { answer, everyContact, inWorld, pageBody, scripted, sessionBody, wireItem } from './world.ts'

const GET = 'GET /v2/sync/SESSION/queues/main'
const ACK = 'POST /v2/sync/ack -> 202'
const START = 'POST /v2/sync/start'

const contactsOf = (from: number, to: number): unknown[] =>
  Array.from({ length: to - from + 1 }, (_, at) => wireItem(from + at))

describe('a run', () => {
  it('is start, then fetch and ack in turn, then 204, each ack no later than one page behind (FAQ-0, FAQ-1.1, FAQ-6.2, FETCH-1, START-1)', () =>
    inWorld({ contacts: 350, delayMs: 100 }, async ({ open, log, acked }) => {
      const { engine, find } = await open({ options: { capabilities: { lanes: 1 } } })
      await engine.now(60_000)
      expect(log).toEqual([
        `${START} -> 201`,
        `${GET} -> 200`,
        `${GET} -> 200`,
        ACK,
        `${GET} -> 200`,
        ACK,
        `${GET} -> 200`,
        ACK,
        `${GET} -> 204`,
        ACK,
      ])
      expect(acked.map((keys) => keys.length)).toEqual([100, 100, 100, 50])
      expect((await find()).sort((a, b) => Number(a['id']) - Number(b['id']))).toEqual(everyContact(350))
    }))

  it('sends every key only after the commit that stored it, and drops it only when the server has it (promise 1, I1, FAQ-1.4, ACK-6)', () => {
    const early: string[] = []
    let pending = async (): Promise<string[]> => []
    const checks: Array<Promise<void>> = []
    return inWorld(
      {
        contacts: 300,
        delayMs: 20,
        fault: (request, path) => {
          if (path.endsWith('/ack')) {
            const keys = (JSON.parse(request.body ?? '') as { data: { ack_keys: string[] } }).data.ack_keys
            checks.push(pending().then((stored) => void early.push(...keys.filter((key) => !stored.includes(key)))))
          }
          return undefined
        },
      },
      async ({ open }) => {
        const { engine, store } = await open()
        pending = async () => (await store.pendingAcks()).flatMap(({ keys }) => keys)
        await engine.now(60_000)
        await Promise.all(checks)
        expect(checks.length).toBeGreaterThan(1)
        expect(early).toEqual([])
        expect(await pending()).toEqual([])
      },
    )
  })

  it('names the same device on all three calls and carries the token in a header; start has no body (DEV-1, DEV-3, START-2, AUTH-1, I25)', () => {
    const seen: HttpRequest[] = []
    return inWorld(
      {
        contacts: 150,
        fault: (request) => {
          seen.push(request)
          return undefined
        },
      },
      async ({ open, write }) => {
        const { engine, store } = await open({ token: () => Promise.resolve('secret-token') })
        await engine.now(60_000)
        await write({ kind: 'update', type: 'contact', id: '1', patch: { n: 99 } })
        await engine.now(60_000)
        const { device } = await store.device.identity()
        expect(device).toMatch(/^[\x21-\x7e]{1,128}$/)
        expect(new Set(seen.map(({ headers }) => headers['X-Basecrm-Device-UUID']))).toEqual(new Set([device]))
        expect(new Set(seen.map(({ headers }) => headers['Authorization']))).toEqual(new Set(['Bearer secret-token']))
        expect(seen.filter(({ url }) => /secret-token/.test(url))).toEqual([])
        const starts = seen.filter(({ url }) => url.endsWith('/start'))
        expect(starts.length).toBeGreaterThanOrEqual(2)
        expect(starts.map(({ body, headers }) => [body, headers['Content-Type']])).toEqual(
          starts.map(() => [null, undefined]),
        )
      },
    )
  })

  it('keeps one device over many sessions; each database is a device of its own and gets everything (FAQ-1.0, FAQ-1.2, FAQ-1.3)', () =>
    inWorld({ contacts: 20 }, async ({ open, write }) => {
      const [one, two] = [await open(), await open({ machine: createMachine() })]
      const sessions = new Set<string>()
      for (const { engine } of [one, two])
        engine.status.subscribe(({ sessionId }) => {
          if (sessionId !== null) sessions.add(sessionId)
        })
      await one.engine.now(60_000)
      await two.engine.now(60_000)
      const device = one.engine.status.current.deviceId
      expect(two.engine.status.current.deviceId).not.toBe(device)
      expect([(await one.ids()).length, (await two.ids()).length]).toEqual([20, 20])
      await write({ kind: 'delete', type: 'contact', id: '3' })
      await one.engine.now(60_000)
      expect(one.engine.status.current.deviceId).toBe(device)
      expect(sessions.size).toBe(3)
      expect([(await one.ids()).length, (await two.ids()).length]).toEqual([19, 20])
    }))

  it('a device that lost its data has a new name and gets everything again (DEV-2, DEV-5, R23)', () =>
    inWorld({ contacts: 20 }, async ({ open }) => {
      const tab = await open()
      await tab.engine.now(60_000)
      const before = tab.engine.status.current.deviceId
      await tab.engine.restart()
      expect(await tab.ids()).toEqual([])
      await tab.engine.now(60_000)
      expect(tab.engine.status.current.deviceId).not.toBe(before)
      expect((await tab.ids()).length).toBe(20)
    }))

  it('has at most one fetch under way, whatever the server does (I23, FETCH-4)', () => {
    let inFlight = 0
    let most = 0
    let served = 0
    return inWorld(
      {
        http: async (request) => {
          if (request.url.endsWith('/start')) return answer(201, sessionBody('s'))
          if (request.url.endsWith('/ack')) return answer(202)
          most = Math.max(most, ++inFlight)
          await Promise.resolve()
          inFlight--
          return served++ < 30 ? answer(200, pageBody(contactsOf(served * 10, served * 10 + 9))) : answer(204)
        },
      },
      async ({ open }) => {
        const { engine } = await open()
        await engine.now(60_000)
        expect(most).toBe(1)
      },
    )
  })

  it('a start of 204 is a proof of its own: in sync, without a session (START-1, R10, promise 3)', () =>
    inWorld({}, async ({ open, log, clock }) => {
      const { engine, phases } = await open()
      const before = clock.now()
      await engine.now(60_000)
      expect(log).toEqual([`${START} -> 204`])
      expect(engine.status.current).toMatchObject({ phase: 'idle', sessionId: null })
      expect(engine.status.current.lastSyncedAt).toBeGreaterThanOrEqual(before)
      expect(phases).toEqual(['starting', 'connecting', 'idle'])
      expect(await (await open()).store.history()).toEqual([])
    }))
})

describe('the numbers a server states', () => {
  for (const [what, total, left] of [
    ['too low', 1, 0],
    ['too high', 1e9, 1e9],
    ['nonsense', -5, 'many'],
    ['absent', undefined, undefined],
  ] as const)
    it(`decide nothing when they are ${what} (FAQ-3.0, FAQ-3.1, FETCH-1, I10)`, () => {
      const http = scripted(
        [answer(201, sessionBody('s1', total))],
        [1, 2, 3].map((page) =>
          answer(200, pageBody(contactsOf(page * 10, page * 10 + 9), { count: 99, count_left: left })),
        ),
      )
      return inWorld({ http, delayMs: 60 }, async ({ open, log }) => {
        const { engine, ids } = await open()
        const fractions: number[] = []
        engine.status.subscribe((status) => {
          if (status.phase === 'draining' && status.progress.fraction !== null) fractions.push(status.progress.fraction)
        })
        await engine.now(60_000)
        expect((await ids()).length).toBe(30)
        expect(log.filter((line) => line.startsWith('GET'))).toHaveLength(4)
        expect(fractions.filter((fraction) => !(fraction >= 0 && fraction <= 1))).toEqual([])
        expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
      })
    })

  it('changes made while draining lengthen the run or come with the next; none is lost (FAQ-3.2)', () =>
    inWorld({ contacts: 300, delayMs: 50 }, async ({ open, write, clock }) => {
      const { engine, ids, find } = await open()
      const synced = engine.now(60_000)
      for (let id = 301; id <= 350; id++) {
        await write({ kind: 'create', type: 'contact', id: String(id), data: { id } })
        await write({ kind: 'update', type: 'contact', id: String(id - 300), patch: { n: 1_000 } })
        await clock.sleep(10)
      }
      await synced
      await engine.now(60_000)
      expect((await ids()).length).toBe(350)
      expect(await find({ where: { n: 1_000 } })).toHaveLength(50)
    }))
})

describe('sessions of the protocol', () => {
  it('a numeric id is used as text; queues other than main are ignored (START-3, START-4)', () => {
    const body = { data: { id: 4711, queues: [{ data: { name: 'other', pages: 9, total_count: 9 } }] } }
    const http = scripted([answer(201, body)], [answer(200, pageBody(contactsOf(1, 2)))])
    return inWorld({ http }, async ({ open }) => {
      const { engine, ids } = await open()
      await engine.now(60_000)
      expect(http.requests[1]?.url).toBe('http://sync.test/v2/sync/4711/queues/main')
      expect(await ids()).toEqual(['1', '2'])
    })
  })

  it('an id with odd characters stays one part of the path (I22)', () => {
    const http = scripted([answer(201, sessionBody('a/b?c#d'))], [])
    return inWorld({ http }, async ({ open }) => {
      await (await open()).engine.now(60_000)
      expect(http.requests[1]?.url).toBe('http://sync.test/v2/sync/a%2Fb%3Fc%23d/queues/main')
    })
  })

  it('ends on 204 alone: not on count_left 0, not on an empty page (FETCH-1, FETCH-2)', () => {
    const page = (from: number, left: number): unknown =>
      pageBody(from === 0 ? [] : contactsOf(from, from + 1), { count_left: left })
    const http = scripted(
      [answer(201, sessionBody('s'))],
      [page(1, 0), page(0, 0), page(3, 0), page(0, 0), page(5, 0)].map((body) => answer(200, body)),
    )
    return inWorld({ http }, async ({ open }) => {
      const { engine, ids } = await open()
      await engine.now(60_000)
      expect(await ids()).toEqual(['1', '2', '3', '4', '5', '6'])
      expect((await (await open()).store.history())[0]).toMatchObject({ outcome: 'clean', items: 6 })
    })
  })

  it('empty pages are asked again at growing distances, five times, then by another session (FETCH-2, R11)', () => {
    const times: number[] = []
    return inWorld(
      {
        http: (request) => {
          if (request.url.endsWith('/start'))
            return Promise.resolve(times.length === 0 ? answer(201, sessionBody('s')) : answer(204))
          if (!request.url.endsWith('/main')) return Promise.resolve(answer(202))
          times.push(now())
          return Promise.resolve(answer(200, pageBody([])))
        },
        delayMs: 0,
      },
      async ({ open, now: virtual }) => {
        now = virtual
        const { engine, store } = await open()
        await engine.now(60_000)
        expect(times.slice(1).map((at, n) => at - (times[n] ?? 0))).toEqual([500, 1_000, 2_000, 4_000])
        expect((await store.history()).map(({ outcome }) => outcome)).toEqual(['dirty'])
      },
    )
  })
  let now = (): number => 0

  it('a repeated 204 is the end each time; nothing is fetched after it (FETCH-1)', () =>
    inWorld({ contacts: 5 }, async ({ open, log }) => {
      const { engine } = await open()
      await engine.now(60_000)
      const count = log.length
      await engine.now(60_000)
      expect(log.slice(count)).toEqual([`${START} -> 204`])
    }))
})

describe('acks', () => {
  it('go out in calls of at most 500 keys, a large commit in several (ACK-8, R33, I9)', () =>
    inWorld({ contacts: 2_600, service: { pageSize: 1_000 } }, async ({ open, acked, clock }) => {
      const { engine, store } = await open()
      await engine.now(60_000)
      expect(Math.max(...acked.map((keys) => keys.length))).toBe(500)
      expect(new Set(acked.flat()).size).toBe(2_600)
      expect(await store.pendingAcks()).toEqual([])
      await clock.sleep(10)
    }))

  it('any 2xx means taken; sync is proved only when the last key is (ACK-2, FAQ-6.2, FAQ-6.0)', () => {
    let release: () => void = () => undefined
    const held = new Promise<void>((resolve) => (release = resolve))
    const http = scripted([answer(201, sessionBody('s'))], [answer(200, pageBody(contactsOf(1, 3)))], async () => {
      await held
      return answer(200, 'OK')
    })
    return inWorld({ http }, async ({ open, clock }) => {
      const { engine, store, ids } = await open()
      let synced = false
      const done = engine.now(60_000).then(() => (synced = true))
      await clock.sleep(5_000)
      expect([synced, (await ids()).length]).toEqual([false, 3])
      expect(engine.status.current).toMatchObject({ lastSyncedAt: null, pendingAcks: 3 })
      release()
      await done
      expect(await store.pendingAcks()).toEqual([])
    })
  })

  it('kept keys go out first after a kill, and then nothing is pending (ACK-6, ACK-7, F16, F19)', () => {
    let cut = true
    return inWorld(
      {
        contacts: 30,
        fault: (_, path) => (cut && path.endsWith('/ack') ? { kind: 'lost-request' } : undefined),
      },
      async ({ open, log, until, acked }) => {
        const first = await open()
        await until(
          async () => (await first.store.pendingAcks()).length > 0 && (await first.store.device.session()) !== null,
        )
        first.kill()
        cut = false
        log.length = 0
        const second = await open()
        await second.engine.now(60_000)
        // What was left of the killed session is drained too; the start that proves sync finds nothing.
        expect(log).toEqual([ACK, `${GET} -> 204`, `${START} -> 204`])
        expect(acked.flat()).toHaveLength(30)
        expect((await second.ids()).length).toBe(30)
      },
    )
  })

  it('an item without a usable key is stored, never acknowledged, counted, and slows the schedule (ACK-5, R11, F12, F46)', () => {
    const http = scripted(
      Array.from({ length: 20 }, () => answer(201, sessionBody('s'))),
      Array.from({ length: 20 }, () => [
        answer(200, pageBody([wireItem(1, 1, { ackKey: 7 }), wireItem(2, 1, { ackKey: 'x'.repeat(2_000) })])),
        answer(204),
      ]).flat(),
    )
    return inWorld({ http }, async ({ open, clock, log }) => {
      const { engine, ids } = await open()
      await engine.now(60_000)
      expect(http.acked).toEqual([])
      expect(await ids()).toEqual(['1', '2'])
      expect(engine.status.current).toMatchObject({ stuck: 2, pendingAcks: 0 })
      expect(engine.status.current.lastSyncedAt).not.toBeNull()
      await clock.sleep(3_600_000)
      // Every minute would be sixty sessions; twice as long each time makes six or seven.
      expect(log.filter((line) => line.startsWith(START)).length).toBeLessThan(9)
    })
  })

  it('a server that repeats items until it has worked off the acks changes nothing here (FAQ-6.0, FAQ-6.1, F17)', () =>
    inWorld({ contacts: 30, service: { ackDelayMs: 2_000 } }, async ({ open, log, clock }) => {
      const { engine, store, ids } = await open()
      await engine.now(60_000)
      const head = store.counts().head
      log.length = 0
      await engine.now(60_000)
      expect(log.filter((line) => line === `${GET} -> 200`)).toHaveLength(1)
      expect(store.counts().head).toBe(head)
      expect((await ids()).length).toBe(30)
      await clock.sleep(5_000)
      log.length = 0
      await engine.now(60_000)
      expect(log).toEqual([`${START} -> 204`])
    }))

  it('what was never acknowledged comes as created again, also after a change, and stays one record (FAQ-5.0, FAQ-5.1)', () =>
    inWorld({ contacts: 3, service: { ackDelayMs: 60_000 } }, async ({ open, write, log }) => {
      const { engine, find, ids } = await open()
      await engine.now(60_000)
      await write({ kind: 'update', type: 'contact', id: '1', patch: { n: 55 } })
      log.length = 0
      await engine.now(60_000)
      expect(log).toContain(`${GET} -> 200`)
      expect(await ids()).toEqual(['1', '2', '3'])
      expect(await find({ where: { n: 55 } })).toEqual([{ id: 1, name: 'contact 1', n: 55 }])
    }))

  it('a delete of something never held, sent twice, is no error and is acknowledged (FAQ-4.0, FAQ-4.2, FAQ-4.3, FAQ-4.4)', () => {
    const http = scripted(
      [answer(201, sessionBody('s'))],
      [[wireItem(9, 4, { event: 'deleted' })], [wireItem(9, 4, { event: 'deleted' }), wireItem(1)]].map((items) =>
        answer(200, pageBody(items)),
      ),
    )
    return inWorld({ http }, async ({ open }) => {
      const { engine, store, ids } = await open()
      await engine.now(60_000)
      expect(await ids()).toEqual(['1'])
      expect(http.acked.flat()).toEqual(['k-9-4', 'k-9-4', 'k-1-1'])
      expect(engine.status.current).toMatchObject({ quarantined: 0, stuck: 0 })
      expect((await store.history())[0]).toMatchObject({ outcome: 'clean', error: null })
    })
  })

  it('one key the server refuses stays on the disk and holds back no other; the next run tries it again (ACK-5, ERR-3, L3)', () => {
    let refuse = true
    const http = scripted(
      [answer(201, sessionBody('s'))],
      [answer(200, pageBody([...contactsOf(1, 9), wireItem(10, 1, { ackKey: 'poison' }), ...contactsOf(11, 20)]))],
      (keys) => answer(refuse && keys.includes('poison') ? 422 : 202),
    )
    return inWorld({ http }, async ({ open, until }) => {
      const { engine, store, ids } = await open()
      await engine.now(60_000)
      expect((await ids()).length).toBe(20)
      expect((await store.pendingAcks()).flatMap(({ keys }) => keys)).toEqual(['poison'])
      expect(http.acked.length).toBeLessThan(20)
      refuse = false
      await engine.now(60_000)
      await until(async () => (await store.pendingAcks()).length === 0)
    })
  })

  it('go out again and again until they are taken, with growing distances (F16, ERR-3, I9)', () => {
    let lost = 0
    return inWorld(
      { contacts: 3, fault: (_, path) => (path.endsWith('/ack') && lost++ < 6 ? { kind: 'lost-answer' } : undefined) },
      async ({ open, acked }) => {
        const { engine, store } = await open()
        await engine.now(120_000)
        expect(acked.length).toBeGreaterThanOrEqual(7)
        expect(new Set(acked.map((keys) => keys.join())).size).toBe(1)
        expect(await store.pendingAcks()).toEqual([])
      },
    )
  })
})
