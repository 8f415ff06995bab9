/** Several GETs of one session side by side: when they go out, when the session is over, and what a lost one means (R9, R13). */
import { describe, expect, it, vi } from 'vitest'
import type { Clock } from '../../src/clock.ts'
import type { Capabilities } from '../../src/protocol/capabilities.ts'
import { createPace, type Pace } from '../../src/engine/pace.ts'
import type { Http, HttpResponse } from '../../src/engine/transport.ts'
import { answer, inWorld, pageBody, pathOf, sessionBody, wireItem, type World } from './world.ts'

const ITEMS = 10

interface LaneServer {
  readonly http: Http
  /** GETs under way at once: the most so far, and now. */
  most: number
  now: number
  /** The times at which GETs arrived. */
  readonly times: number[]
  starts: number
  readonly acked: string[]
  /** Page numbers that were handed out, in order. */
  readonly handedOut: number[]
}

interface LaneServerOptions {
  readonly pages: number
  readonly announce?: Partial<Capabilities>
  /** Milliseconds for the nth GET. */
  readonly ms: (n: number) => number
  /** Instead of a page for the nth GET; `lost`: the page was handed out, and comes again with the next session. */
  readonly instead?: (n: number) => HttpResponse | 'lost' | undefined
  readonly clock: () => Clock
}

/** Hands out pages in the order of the GETs; what was not acknowledged comes again with the next session. */
function laneServer({ pages, announce, ms, instead, clock }: LaneServerOptions): LaneServer {
  let queue: number[] = []
  let gets = 0
  const keysOf = (page: number): string[] => Array.from({ length: ITEMS }, (_, at) => `k-${page * ITEMS + at}-1`)
  const capabilities: Record<string, string> =
    announce === undefined ? {} : { 'X-Tidegate': JSON.stringify({ version: 1, rate: 0, ...announce }) }

  const server: LaneServer = {
    most: 0,
    now: 0,
    times: [],
    starts: 0,
    acked: [],
    handedOut: [],
    async http(request) {
      const path = pathOf(request)
      if (path.endsWith('/ack')) {
        server.acked.push(...(JSON.parse(request.body ?? '') as { data: { ack_keys: string[] } }).data.ack_keys)
        return answer(202)
      }
      if (path.endsWith('/start')) {
        const acked = new Set(server.acked)
        queue = Array.from({ length: pages }, (_, at) => at).filter((at) => keysOf(at).some((key) => !acked.has(key)))
        if (queue.length === 0) return answer(204, '', capabilities)
        return answer(201, sessionBody(`s${++server.starts}`, queue.length * ITEMS), capabilities)
      }
      const n = gets++
      server.times.push(clock().monotonic())
      server.most = Math.max(server.most, ++server.now)
      const other = instead?.(n)
      const page = typeof other === 'object' ? undefined : queue.shift()
      const left = queue.length * ITEMS
      if (page !== undefined) server.handedOut.push(page)
      await clock()
        .sleep(ms(n), request.signal)
        .finally(() => server.now--)
      if (other === 'lost') throw new TypeError('network')
      if (other !== undefined) return other
      if (page === undefined) return answer(204)
      const items = Array.from({ length: ITEMS }, (_, at) => wireItem(page * ITEMS + at))
      return answer(200, pageBody(items, { count_left: left }))
    },
  }
  return server
}

/** A world around such a server. */
function inLanes(
  options: Omit<LaneServerOptions, 'clock'>,
  body: (world: World, server: LaneServer) => Promise<void>,
): Promise<void> {
  let clock: Clock | undefined
  const server = laneServer({ ...options, clock: () => clock! })
  return inWorld({ http: server.http, delayMs: 0 }, (world) => {
    clock = world.clock
    return body(world, server)
  })
}

const FOUR = { lanes: 4 }

describe('the lanes of a session', () => {
  const table: ReadonlyArray<{
    readonly what: string
    readonly announce?: Partial<Capabilities>
    readonly override?: Partial<Capabilities>
    readonly ms: number
    readonly most: number
  }> = [
    { what: 'a server that announces four gets four', announce: FOUR, ms: 50, most: 4 },
    { what: 'a server that announces two gets two', announce: { lanes: 2 }, ms: 50, most: 2 },
    { what: 'a server that announces a hundred gets four', announce: { lanes: 100 }, ms: 50, most: 4 },
    { what: 'a server that announces less than one gets one', announce: { lanes: -3.5 }, ms: 50, most: 1 },
    { what: 'a server that announces nothing about them gets one', announce: {}, ms: 50, most: 1 },
    { what: 'a server that announces nothing at all gets one', ms: 50, most: 1 },
    { what: 'the option holds against the server', announce: FOUR, override: { lanes: 1 }, ms: 50, most: 1 },
    { what: 'the option speaks for a server that says nothing', override: FOUR, ms: 50, most: 4 },
    { what: 'on loopback one is enough', announce: FOUR, ms: 6, most: 1 },
  ]
  for (const { what, announce, override = {}, ms, most } of table)
    it(`${what} (R13, R43, FETCH-4)`, () =>
      inLanes({ pages: 40, ...(announce && { announce }), ms: () => ms }, async ({ open }, server) => {
        const { engine, ids } = await open({ options: { capabilities: override } })
        await engine.now(60_000)
        expect(server.most).toBe(most)
        expect(await ids()).toHaveLength(40 * ITEMS)
        expect(new Set(server.handedOut).size).toBe(server.handedOut.length)
      }))

  it('and the rate are known to a session that goes on after a restart: what was announced is kept (R12, R13)', () =>
    inLanes({ pages: 200, announce: FOUR, ms: () => 50 }, async ({ open, until, clock }, server) => {
      const first = await open({ options: { rate: null } })
      await until(() => server.handedOut.length > 20)
      first.kill()
      const before = clock.monotonic()
      const second = await open({ options: { rate: null } })
      await until(() => server.handedOut.length === 200)
      expect(server.starts).toBe(1)
      expect(clock.monotonic() - before).toBeLessThan(5_000)
      await second.engine.now(60_000)
      expect(await second.ids()).toHaveLength(200 * ITEMS)
    }))

  it('bring a hundred pages over a slow line in at most 0.40 of the time of one (R13, issue 3)', async () => {
    const times: number[] = []
    for (const lanes of [1, 4])
      await inLanes({ pages: 100, announce: { lanes }, ms: () => 50 }, async ({ open, clock }) => {
        const { engine } = await open()
        const before = clock.monotonic()
        await engine.now(60_000)
        times.push(clock.monotonic() - before)
      })
    expect(times[1]! / times[0]!).toBeLessThanOrEqual(0.4)
  })

  it('are given up where they gain nothing: a server that works on one GET at a time (R13)', () => {
    let free = 0
    let world: World | undefined
    const serial = (): number => {
      const now = world?.clock.monotonic() ?? 0
      free = Math.max(free, now) + 30
      return free - now
    }
    return inLanes({ pages: 60, announce: FOUR, ms: serial }, async (opened, server) => {
      world = opened
      const { engine } = await opened.open()
      let before = 0
      let late = 0
      await opened.until(() => {
        if (server.handedOut.length >= 30) late = Math.max(late, server.now)
        else before = Math.max(before, server.now)
        return server.handedOut.length >= 60
      })
      await engine.now(60_000)
      expect([before, late]).toEqual([4, 1])
    })
  })

  it('show a progress that neither falls nor jumps when answers overtake each other (FAQ-3.1, I10)', () =>
    inLanes({ pages: 60, announce: FOUR, ms: (n) => (n % 9 === 8 ? 400 : 40 + (n % 4)) }, async ({ open }) => {
      const { engine } = await open()
      const [estimates, fractions, done]: [Array<number | null>, number[], number[]] = [[], [], []]
      engine.status.subscribe((status) => {
        if (status.phase !== 'draining') return
        estimates.push(status.progress.estimate)
        fractions.push(status.progress.fraction ?? 0)
        done.push(status.progress.done)
      })
      await engine.now(60_000)
      expect(fractions.length).toBeGreaterThan(10)
      expect(fractions).toEqual([...fractions].sort((a, b) => a - b))
      // GETs sent at the same moment may change places on their way to the server.
      const off = ITEMS
      expect(estimates.filter((estimate) => Math.abs((estimate ?? 0) - 60 * ITEMS) > off)).toEqual([])
      expect(
        fractions.filter((fraction, at) => Math.abs(fraction - done[at]! / (60 * ITEMS)) > off / (60 * ITEMS)),
      ).toEqual([])
    }))
})

describe('the end of a session with lanes', () => {
  it('is when all have answered: a 204 beside a page under way sends no new GET and loses no page (R9, FETCH-1)', () => {
    // The twelve pages go out one by one four times, then four at a time; the last one takes two seconds.
    const slow = 11
    return inLanes(
      { pages: 12, announce: FOUR, ms: (n) => (n === slow ? 2_000 : 50) },
      async ({ open, clock, until }, server) => {
        const { engine, store, ids } = await open()
        await until(() => server.handedOut.length === 12)
        await clock.sleep(1_000)
        expect(server.now).toBe(1)
        expect(engine.status.current).toMatchObject({ phase: 'draining', lastSyncedAt: null })
        const gets = server.times.length
        await engine.now(60_000)
        expect(server.times.length).toBe(gets)
        expect(await ids()).toHaveLength(12 * ITEMS)
        expect((await store.history()).map(({ outcome }) => outcome)).toEqual(['clean'])
      },
    )
  })

  it('proves nothing if a GET beside the 204 is lost: that page comes with another session (R9, promise 3)', () =>
    inLanes(
      {
        pages: 12,
        announce: FOUR,
        ms: (n) => (n === 11 ? 2_000 : 50),
        instead: (n) => (n === 11 ? 'lost' : undefined),
      },
      async ({ open }, server) => {
        const { engine, store, ids } = await open()
        await engine.now(60_000)
        expect(await ids()).toHaveLength(12 * ITEMS)
        expect((await store.history()).map(({ outcome }) => outcome)).toEqual(['clean', 'dirty'])
        expect(server.starts).toBe(2)
        expect(server.handedOut.filter((page) => page === 11)).toHaveLength(2)
      },
    ))

  it('proves as much if a GET beside the 204 was only refused: nothing was handed out with it (R9)', () =>
    inLanes(
      {
        pages: 11,
        announce: FOUR,
        ms: (n) => (n === 12 ? 500 : 50),
        instead: (n) => (n === 12 ? answer(429) : undefined),
      },
      async ({ open }, server) => {
        const { engine, store } = await open()
        await engine.now(60_000)
        expect(server.times.length).toBeGreaterThan(12)
        expect((await store.history()).map(({ outcome }) => outcome)).toEqual(['clean'])
      },
    ))

  it('is a 404 in any of them, after the pages of the others are stored and acknowledged (FETCH-5, F8)', () =>
    inLanes(
      {
        pages: 20,
        announce: FOUR,
        ms: (n) => (n === 9 ? 50 : 60 + n),
        instead: (n) => (n === 9 ? answer(404) : undefined),
      },
      async ({ open, until }, server) => {
        const { engine, store, ids } = await open()
        await until(() => server.starts === 2)
        await engine.now(60_000)
        expect(await ids()).toHaveLength(20 * ITEMS)
        expect((await store.history()).at(-1)).toMatchObject({ outcome: 'dirty', error: null })
        // What was under way beside it does not come again.
        expect(server.handedOut).toEqual(Array.from({ length: 20 }, (_, at) => at))
      },
    ))
})

describe('trouble in the lanes', () => {
  it('a lost GET makes the session dirty; the others lose nothing (R9, FETCH-7, F1)', () =>
    inLanes(
      { pages: 30, announce: FOUR, ms: () => 50, instead: (n) => (n === 13 ? 'lost' : undefined) },
      async ({ open }, server) => {
        const { engine, store, ids } = await open()
        await engine.now(60_000)
        expect(await ids()).toHaveLength(30 * ITEMS)
        expect((await store.history()).map(({ outcome }) => outcome)).toEqual(['clean', 'dirty'])
        expect(server.handedOut.slice().sort((a, b) => a - b)).toEqual(
          [...Array.from({ length: 30 }, (_, at) => at), 13].sort((a, b) => a - b),
        )
      },
    ))

  it('all four failing at once is one fault, not four: the drain goes on, with one GET at first (ERR-3, R9)', () => {
    const broken = new Set([8, 9, 10, 11])
    return inLanes(
      { pages: 30, announce: FOUR, ms: () => 50, instead: (n) => (broken.has(n) ? answer(503) : undefined) },
      async ({ open, until }, server) => {
        const { engine, store, phases } = await open()
        await until(() => server.times.length === 13)
        expect(server.now).toBe(1)
        await engine.now(60_000)
        expect(phases).not.toContain('waiting')
        // Its 204 proves nothing; the start after it does.
        expect((await store.history()).map(({ outcome }) => outcome)).toEqual(['dirty'])
      },
    )
  })

  it('a 429 in one holds back all for as long as the server said, and costs no proof (ERR-3, F5, R9)', () =>
    inLanes(
      {
        pages: 30,
        announce: FOUR,
        ms: (n) => 50 + (n % 4),
        instead: (n) => (n === 13 ? answer(429, '', { 'Retry-After': '7' }) : undefined),
      },
      async ({ open }, server) => {
        const { engine, store, ids } = await open()
        await engine.now(60_000)
        expect(await ids()).toHaveLength(30 * ITEMS)
        expect((await store.history()).map(({ outcome }) => outcome)).toEqual(['clean'])
        const gaps = server.times.slice(1).map((at, n) => at - server.times[n]!)
        expect(gaps.filter((gap) => gap >= 6_900)).toHaveLength(1)
        expect(gaps.findIndex((gap) => gap >= 6_900)).toBeLessThanOrEqual(17)
      },
    ))

  it('above the ceiling no GET goes out but the one in hand (R7)', () =>
    inLanes({ pages: 60, announce: FOUR, ms: () => 50 }, async ({ open, clock }, server) => {
      const { engine, store, ids } = await open({ options: { ceiling: { records: 200 } } })
      let release: () => void = () => undefined
      const held = new Promise<void>((resolve) => (release = resolve))
      const settleNext = store.settleNext
      vi.spyOn(store, 'settleNext').mockImplementation((lease) => held.then(() => settleNext(lease)))
      await clock.sleep(20_000)
      const { length } = server.times
      expect(length).toBeLessThan(40)
      await clock.sleep(20_000)
      expect(server.times.length).toBe(length)
      // What was being gathered when it was passed lies above it.
      expect(store.counts().records).toBeLessThanOrEqual(200 + 100)
      // In hand is what the other three had asked for before.
      expect(server.handedOut.length * ITEMS - store.counts().records).toBeLessThanOrEqual(3 * ITEMS)
      release()
      await engine.now(60_000)
      expect(await ids()).toHaveLength(60 * ITEMS)
    }))

  it('pause() cuts them all, and the session counts as dirty when it goes on (R9)', () =>
    inLanes({ pages: 60, announce: FOUR, ms: () => 50 }, async ({ open, until }, server) => {
      const { engine, store, ids } = await open()
      await until(() => server.now === 4)
      await engine.pause()
      await until(() => engine.status.current.phase === 'paused')
      expect(server.now).toBe(0)
      await engine.resume()
      await engine.now(60_000)
      expect(await ids()).toHaveLength(60 * ITEMS)
      expect((await store.history()).map(({ outcome }) => outcome)).toEqual(['clean', 'dirty'])
    }))
})

describe('the pace', () => {
  const take = (pace: Pace, ms: number, times = 4): void => {
    for (let at = 0; at < times; at++) pace.took(ms, pace.lanes)
  }

  it('opens lanes only if even the quickest of four GETs waited: a busy worker looks slow now and then (R13)', () => {
    const pace = createPace(4)
    for (let round = 0; round < 10; round++) {
      take(pace, 5, 1)
      take(pace, 80, 3)
    }
    expect(pace.lanes).toBe(1)
    take(pace, 80)
    expect(pace.lanes).toBe(4)
    take(pace, 90, 8)
    expect(pace.lanes).toBe(4)
  })

  it('does not count what went out under another number of lanes', () => {
    const pace = createPace(4)
    take(pace, 50)
    for (let at = 0; at < 20; at++) pace.took(500, 1)
    take(pace, 60, 8)
    expect(pace.lanes).toBe(4)
  })

  it('goes back to one for good where company makes each GET slower by as much', () => {
    const pace = createPace(4)
    take(pace, 50)
    // The first four went out at the same moment: the quickest of them was alone at the server.
    for (const ms of [50, 100, 150, 200]) pace.took(ms, 4)
    expect(pace.lanes).toBe(4)
    take(pace, 190)
    expect(pace.lanes).toBe(1)
    for (let round = 0; round < 5; round++) take(pace, 100)
    expect(pace.lanes).toBe(1)
  })

  it('keeps them when the line itself becomes slower later, and closes them when it becomes quick', () => {
    const pace = createPace(4)
    take(pace, 50)
    take(pace, 55, 8)
    take(pace, 400)
    expect(pace.lanes).toBe(4)
    take(pace, 4)
    expect(pace.lanes).toBe(1)
  })

  it('begins with one again after trouble', () => {
    const pace = createPace(4)
    take(pace, 50)
    pace.slowDown()
    expect(pace.lanes).toBe(1)
    take(pace, 50)
    expect(pace.lanes).toBe(4)
  })
})

describe('what a drain tells', () => {
  it('other tabs hear of pages when they are durable, once a commit; the status moves at most ten times a second between (R25, R3)', () =>
    inLanes({ pages: 400, ms: () => 2 }, async ({ open, machine, clock }) => {
      const { engine, store } = await open()
      let commits = 0
      let hints = 0
      let shown = 0
      const commit = store.commit
      vi.spyOn(store, 'commit').mockImplementation((...args) => {
        commits++
        return commit(...args)
      })
      machine.channels.add({ owner: {}, listener: ({ kind }) => void (kind === 'log' && hints++) })
      engine.status.subscribe(({ phase }) => void (phase === 'draining' && shown++))
      const before = clock.monotonic()
      await engine.now(60_000)
      const seconds = (clock.monotonic() - before) / 1_000
      await clock.sleep(100)
      expect(commits).toBeLessThan(60)
      expect(hints).toBe(commits)
      // One a commit, ten a second, one for each ack call at most.
      expect(shown).toBeLessThanOrEqual(commits + 10 * seconds + 5)
      expect(shown).toBeLessThan(400)
      expect(engine.status.current).toMatchObject({ inbox: { records: 4_000 }, pendingAcks: 0 })
    }))
})
