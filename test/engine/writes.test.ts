/** Local edits on their way to the real service: when they leave, what happens on the way, exactly one effect (I11 to I15, F52 to F54, L3, promise 6). */
import { describe, expect, it } from 'vitest'
import type { HttpRequest } from '../../src/engine/transport.ts'
import type { Scope } from '../../src/service/options.ts'
import type { Fault } from '../support/network.ts'
import { inWorld, type Tab } from './world.ts'

const access = (...scopes: Scope[]) => ({ account: 'acme', user: 'ann', scopes })
const isWrite = ({ method, url }: HttpRequest): boolean => method !== 'GET' && !url.includes('/sync/')
const named = (rows: ReadonlyArray<Record<string, unknown>>): unknown[] => rows.map(({ name }) => name)
const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `new ${at + 1}`)
/** Each by itself: what is written together leaves in its order. */
async function insertMany(tab: Tab, count: number): Promise<string[]> {
  const ids: string[] = []
  for (const [at, name] of names(count).entries())
    for (const { id } of await tab.edit({ op: 'insert', key: -at - 1, value: { name } })) ids.push(id)
  return ids
}
const sorted = (values: readonly unknown[]): string[] => values.map(String).sort((a, b) => (a < b ? -1 : 1))
const insert = (tab: Tab, name = 'Ann') => tab.edit({ op: 'insert', key: -1, value: { name } })
const isDone = ({ store }: Tab): boolean => store.outbox.snapshot().edits.length === 0
const NOTHING = { pending: 0, failed: 0, conflicts: 0 }

/** Faults for the writes of a world, and all that were seen. */
function faulty(decide: (request: HttpRequest, nth: number) => Fault | undefined) {
  const seen: HttpRequest[] = []
  const fault = (request: HttpRequest): Fault | undefined => {
    if (!isWrite(request)) return undefined
    seen.push(request)
    return decide(request, seen.length)
  }
  return { seen, fault, keys: () => seen.map(({ headers }) => headers['Idempotency-Key']) }
}

describe('a run', () => {
  it('reads before an edit leaves, and again after, so that its own echo ends it (R16, R19, I15)', () =>
    inWorld({ contacts: 3 }, async ({ open, log, until, write }) => {
      const tab = await open()
      await tab.engine.now(30_000)
      await until(() => tab.engine.status.current.phase === 'idle')
      const { length } = log
      await write({ kind: 'update', type: 'contact', id: '2', patch: { n: 99 } })
      await tab.edit({ op: 'update', key: 1, value: { name: 'Ann' } })
      await until(() => isDone(tab) && tab.engine.status.current.phase === 'idle')
      const session = ['POST /v2/sync/start -> 201', 'GET', 'GET', 'POST /v2/sync/ack -> 202']
      const calls = log.slice(length).map((line) => (line.startsWith('GET') ? 'GET' : line))
      const put = calls.indexOf('PUT /v2/contacts/1 -> 200')
      expect(calls.slice(0, put).sort()).toEqual([...session].sort())
      expect(calls.slice(put + 1).sort()).toEqual([...session].sort())
      expect(named(await tab.find())).toEqual(['Ann', 'contact 2', 'contact 3'])
      // Nothing is left on top of server truth.
      expect(tab.store.stateOf('contact', '1')).toBe('synced')
      expect(tab.engine.status.current.outbox).toEqual(NOTHING)
    }))

  it('sends edits made before the first sync and without network, once there is one (I11, I12)', () => {
    let down = true
    return inWorld(
      { contacts: 3, fault: () => (down ? { kind: 'lost-request' } : undefined) },
      async ({ open, until, contacts }) => {
        const tab = await open()
        await insert(tab)
        expect(named(await tab.find())).toEqual(['Ann'])
        expect(tab.engine.status.current.outbox).toEqual({ pending: 1, failed: 0, conflicts: 0 })
        await until(() => tab.engine.status.current.phase === 'waiting')
        down = false
        await until(() => isDone(tab))
        expect(named(await contacts())).toEqual(['contact 1', 'contact 2', 'contact 3', 'Ann'])
        await until(async () => (await tab.ids()).length === 4)
        expect(tab.engine.status.current.outbox).toEqual(NOTHING)
      },
    )
  })

  it('asks for nothing while the browser says there is no network, and sends when there is (L3)', () =>
    inWorld({ contacts: 3 }, async ({ open, log, until, clock, contacts }) => {
      const tab = await open()
      await tab.engine.now(30_000)
      await until(() => tab.engine.status.current.phase === 'idle')
      tab.engine.pageEvent('offline')
      const { length } = log
      await insert(tab)
      await clock.sleep(5_000)
      expect(log.length).toBe(length)
      tab.engine.pageEvent('online')
      await until(() => isDone(tab), 5_000)
      expect(await contacts()).toHaveLength(4)
    }))

  it('whose sessions end without a proof sends edits all the same (R9, L3)', () =>
    inWorld(
      {
        contacts: 3,
        fault: (_request, path) => (path.endsWith('/queues/main') ? { kind: 'status', status: 404 } : undefined),
      },
      async ({ open, until, contacts }) => {
        const tab = await open()
        await insert(tab)
        await until(async () => (await contacts()).length === 4)
        expect(tab.engine.status.current.lastSyncedAt).toBeNull()
      },
    ))

  it('whose queue cannot be read sends edits all the same; not one that the server is away for (L3, R17)', async () => {
    for (const [status, arrives] of [
      [500, true],
      [503, false],
    ] as const)
      await inWorld(
        {
          contacts: 3,
          fault: (_request, path) => (path.endsWith('/queues/main') ? { kind: 'status', status } : undefined),
        },
        async ({ open, clock, contacts }) => {
          const tab = await open()
          await insert(tab)
          await clock.sleep(60_000)
          expect((await contacts()).length).toBe(arrives ? 4 : 3)
          expect(tab.engine.status.current).toMatchObject({ phase: 'waiting', error: { code: 'server_error' } })
        },
      )
  })

  it('that was never met gets no edit: nobody knows yet how it keeps a repeated one apart (R13, R17)', () =>
    inWorld(
      {
        contacts: 3,
        fault: (_request, path) => (path.endsWith('/start') ? { kind: 'status', status: 500 } : undefined),
      },
      async ({ open, clock, contacts }) => {
        const tab = await open()
        await insert(tab)
        await clock.sleep(60_000)
        expect((await contacts()).length).toBe(3)
        expect(tab.engine.status.current).toMatchObject({ phase: 'waiting', outbox: { pending: 1 } })
      },
    ))

  it('is proved before all edits have left: now() does not wait for them (R10)', () =>
    inWorld({ contacts: 3, delayMs: 500 }, async ({ open, now, until }) => {
      const tab = await open()
      await tab.engine.now(30_000)
      await until(() => tab.engine.status.current.phase === 'idle')
      const before = now()
      const proved = tab.engine.now(30_000)
      await insertMany(tab, 40)
      await proved
      // A start of 204 takes a second, eight edits one more.
      expect(now() - before).toBeLessThan(3_000)
      expect(isDone(tab)).toBe(false)
    }))
})

describe('on the way', () => {
  it('a lost request and a lost answer are repeated under the same key and body, with one effect (I12, R15, F53)', () => {
    const { fault, keys, seen } = faulty((_request, nth) =>
      nth === 1 ? { kind: 'lost-request' } : nth <= 3 ? { kind: 'lost-answer' } : undefined,
    )
    return inWorld({ fault }, async ({ open, until, contacts }) => {
      const tab = await open()
      const [edit] = await insert(tab)
      await until(() => isDone(tab))
      expect(keys()).toEqual(Array(4).fill(edit?.id))
      expect(new Set(seen.map(({ body }) => body)).size).toBe(1)
      expect(named(await contacts())).toEqual(['Ann'])
    })
  })

  it('a tab killed between sending and the answer has its edits sent again by the next one, once each (I12, R15, F53, promise 6)', () => {
    const { fault, keys } = faulty(() => undefined)
    return inWorld({ fault, delayMs: 100 }, async ({ open, until, contacts }) => {
      const one = await open()
      const ids = await insertMany(one, 3)
      await until(async () => (await contacts()).length === 3)
      expect(isDone(one)).toBe(false)
      one.kill()
      const two = await open()
      await until(() => isDone(two))
      expect(sorted(keys())).toEqual(sorted([...ids, ...ids]))
      expect(sorted(named(await contacts()))).toEqual(names(3))
      await until(async () => (await two.ids()).length === 3)
    })
  })

  it('a pause cuts a push; what was cut goes again under the same key when sync is resumed (R15, R26, I12)', () => {
    const { fault, keys } = faulty(() => undefined)
    return inWorld({ fault, delayMs: 100 }, async ({ open, until, contacts, clock }) => {
      const tab = await open()
      await tab.engine.now(30_000)
      await insert(tab)
      await until(async () => (await contacts()).length === 1)
      await tab.engine.pause()
      await clock.sleep(10_000)
      expect(tab.store.outbox.snapshot().edits).toMatchObject([{ state: 'sending' }])
      await tab.engine.resume()
      await until(() => isDone(tab))
      expect([new Set(keys()).size, keys().length]).toEqual([1, 2])
      expect(await contacts()).toHaveLength(1)
    })
  })

  it('an edit the server fails on holds back no other, nor later ones, and arrives when that is mended (L3, R20)', () => {
    let bad = true
    const { fault } = faulty(({ body }) =>
      bad && body?.includes('new 2"') === true ? { kind: 'status', status: 500 } : undefined,
    )
    return inWorld({ fault }, async ({ open, until, contacts }) => {
      const tab = await open()
      await tab.engine.now(30_000)
      await tab.engine.pause()
      await insertMany(tab, 20)
      await tab.engine.resume()
      await until(async () => (await contacts()).length === 19, 5_000)
      await until(() => tab.engine.status.current.phase === 'waiting', 5_000)
      expect(tab.engine.status.current).toMatchObject({
        error: { code: 'server_error', status: 500 },
        outbox: { pending: 1, failed: 0 },
      })
      await tab.edit({ op: 'insert', key: -99, value: { name: 'later' } })
      await until(async () => named(await contacts()).includes('later'), 5_000)
      bad = false
      await until(() => isDone(tab))
      expect(sorted(named(await contacts()))).toEqual(sorted([...names(20), 'later']))
    })
  })

  it('an edit the server refuses is shown with its reason and holds back only what follows it (F54, I14, L3)', () => {
    const body = JSON.stringify({
      errors: [{ error: { code: 'blank', message: 'must not be blank', field: '/name' } }],
    })
    const { fault, seen } = faulty(({ url }) =>
      url.endsWith('/contacts/1') ? { kind: 'status', status: 422, body } : undefined,
    )
    return inWorld({ contacts: 3, fault }, async ({ open, until, clock }) => {
      const tab = await open()
      await tab.engine.now(30_000)
      await tab.engine.pause()
      await tab.edit({ op: 'update', key: 1, value: { name: '' } })
      await tab.edit({ op: 'delete', key: 2 })
      await tab.engine.resume()
      await until(() => tab.engine.status.current.phase === 'idle')
      await clock.sleep(200_000)
      expect(seen.map(({ method, url }) => `${method} ${url.slice(-1)}`).sort()).toEqual(['DELETE 2', 'PUT 1'])
      expect(tab.store.outbox.snapshot().edits).toMatchObject([
        { state: 'failed', problem: { code: 'refused', status: 422, fields: [{ pointer: '/name' }] } },
      ])
      expect(tab.engine.status.current).toMatchObject({ phase: 'idle', outbox: { pending: 0, failed: 1 } })
    })
  })

  it('a refused token stops everything and loses nothing; after the login edits leave (AUTH-1, F6, I14)', () => {
    let scopes: Scope[] | null = ['sync', 'write']
    return inWorld(
      { contacts: 3, authorize: () => (scopes === null ? null : access(...scopes)) },
      async ({ open, until, contacts, clock, log }) => {
        const tab = await open()
        await tab.engine.now(30_000)
        scopes = null
        await insert(tab)
        await until(() => tab.engine.status.current.phase === 'needs-auth')
        const { length } = log
        await clock.sleep(300_000)
        expect(log.length).toBe(length)
        expect(tab.store.outbox.snapshot().edits).toMatchObject([{ state: 'pending' }])
        scopes = ['sync', 'write']
        await tab.engine.resume()
        await until(() => isDone(tab))
        expect(await contacts()).toHaveLength(4)
      },
    )
  })

  it('a token that is refused in the middle of a push uses up nothing (AUTH-1, R15)', () => {
    let refuse = true
    const { fault } = faulty(() => (refuse ? { kind: 'status', status: 401 } : undefined))
    return inWorld({ fault }, async ({ open, until, contacts }) => {
      const tab = await open()
      await insert(tab)
      await until(() => tab.engine.status.current.phase === 'needs-auth')
      expect(tab.store.outbox.snapshot().edits).toMatchObject([{ state: 'pending' }])
      refuse = false
      await tab.engine.resume()
      await until(() => isDone(tab))
      expect(await contacts()).toHaveLength(1)
    })
  })

  it('a token without the scope to write is said of the edit, and reading goes on (F54, ERR-1)', () => {
    let scopes: Scope[] = ['sync']
    return inWorld({ contacts: 3, authorize: () => access(...scopes) }, async ({ open, until, contacts }) => {
      const tab = await open()
      const [edit] = await insert(tab)
      await until(() => tab.store.outbox.counts().failed === 1)
      expect(tab.store.outbox.snapshot().edits).toMatchObject([{ problem: { code: 'forbidden', status: 403 } }])
      await tab.engine.now(30_000)
      scopes = ['sync', 'write']
      await tab.store.outbox.retry(edit!.id)
      tab.engine.edited()
      await until(() => isDone(tab))
      expect(await contacts()).toHaveLength(4)
    })
  })

  it('the server is not asked again before it said, however many edits are made meanwhile (ERR-3, RATE-1)', () => {
    const { fault, seen } = faulty((_request, nth) =>
      nth === 1 ? { kind: 'status', status: 429, retryAfter: '30' } : undefined,
    )
    return inWorld({ fault }, async ({ open, until, contacts, clock, log }) => {
      const tab = await open()
      await insert(tab)
      await until(() => tab.engine.status.current.phase === 'waiting')
      expect(tab.store.outbox.snapshot().edits).toMatchObject([{ state: 'pending' }])
      const { length } = log
      await clock.sleep(10_000)
      await tab.edit({ op: 'insert', key: -2, value: { name: 'Bob' } })
      await clock.sleep(10_000)
      expect([log.length, seen.length]).toEqual([length, 1])
      await until(() => isDone(tab))
      expect(sorted(named(await contacts()))).toEqual(['Ann', 'Bob'])
    })
  })
})

describe('what the server can do', () => {
  it('is what it announced: our service is sent keys, the vendor none, and a lost create is asked about (R13, R17)', async () => {
    for (const profile of ['tidegate', 'vendor'] as const) {
      const { fault, keys } = faulty((_request, nth) => (nth === 1 ? { kind: 'lost-answer' } : undefined))
      await inWorld({ fault, service: { profile } }, async ({ open, until, contacts }) => {
        const tab = await open()
        const [edit] = await insert(tab)
        if (profile === 'vendor') {
          await until(() => tab.store.outbox.counts().failed === 1)
          expect(tab.store.outbox.find(edit!.id)).toMatchObject({ state: 'unknown', problem: { code: 'lost' } })
          expect(keys()).toEqual([undefined])
        } else {
          await until(() => isDone(tab))
          expect(keys()).toEqual([edit!.id, edit!.id])
        }
        expect(await contacts()).toHaveLength(1)
      })
    }
  })

  it('is what the app says, where it says so (R13)', () => {
    const { fault, keys } = faulty(() => undefined)
    return inWorld({ fault, service: { profile: 'vendor' } }, async ({ open, until }) => {
      const tab = await open({ options: { capabilities: { idempotencyDays: 1 } } })
      const [edit] = await insert(tab)
      await until(() => tab.engine.status.current.phase === 'idle' && isDone(tab))
      expect(keys()).toEqual([edit!.id])
    })
  })

  it('is remembered, so that the first edits after a reload go out as the last ones (R13, R17)', () => {
    const { fault, keys } = faulty(() => undefined)
    let brokenStart = false
    return inWorld(
      {
        contacts: 300,
        fault: (request) =>
          brokenStart && request.url.endsWith('/start') ? { kind: 'status', status: 500 } : fault(request),
      },
      async ({ open, until }) => {
        const one = await open()
        await one.engine.now(30_000)
        one.kill()
        brokenStart = true
        const two = await open()
        const [edit] = await insert(two)
        await until(() => isDone(two))
        expect(keys()).toEqual([edit!.id])
      },
    )
  })
})

describe('two tabs', () => {
  it('an edit of the one that follows is sent at once by the one that leads, and both see how it stands (R21, R25, promise 7)', () =>
    inWorld({ contacts: 3, delayMs: 100 }, async ({ open, until, contacts }) => {
      const [one, two] = [await open(), await open()]
      await until(() => [one, two].every(({ engine }) => engine.status.current.phase === 'idle'))
      await two.edit({ op: 'update', key: 1, value: { name: 'Ann' } })
      await until(() => one.store.outbox.snapshot().edits.length === 1, 1_000)
      await until(() => two.store.outbox.snapshot().edits[0]?.state === 'sending', 2_000)
      await until(async () => (await contacts())[0]?.['name'] === 'Ann', 2_000)
      await until(() => isDone(one) && isDone(two), 2_000)
      expect(two.engine.status.current.role).toBe('follower')
      expect([one, two].map(({ engine }) => engine.status.current.outbox)).toEqual([NOTHING, NOTHING])
      await until(() => two.store.stateOf('contact', '1') === 'synced', 2_000)
    }))

  it('the one that follows sees how a push gets on, not only its end (R25)', () =>
    inWorld({ delayMs: 500 }, async ({ open, until, clock }) => {
      const [one, two] = [await open(), await open()]
      await until(() => [one, two].every(({ engine }) => engine.status.current.phase === 'idle'))
      await insertMany(one, 40)
      const left = (tab: Tab): number => tab.store.outbox.snapshot().edits.length
      for (const count of [32, 24, 16]) {
        await until(() => left(one) === count)
        await clock.sleep(100)
        expect([left(one), left(two)]).toEqual([count, count])
      }
    }))

  it('an edit whose hint was lost is sent with the next poll (R25)', () =>
    inWorld({ contacts: 3 }, async ({ open, until, contacts }) => {
      const [, two] = [await open(), await open()]
      await two.engine.now(30_000)
      await two.store.outbox.write([
        { op: 'update', collection: 'contact', key: 1, value: { name: 'Ann' }, temporary: false },
      ])
      await until(async () => (await contacts())[0]?.['name'] === 'Ann', 70_000)
    }))

  it('restart() in either keeps the edits, which are sent once (R23, I14)', () => {
    const { fault, keys } = faulty(() => undefined)
    return inWorld({ contacts: 3, fault }, async ({ open, until, contacts }) => {
      const [one, two] = [await open(), await open()]
      await one.engine.now(30_000)
      await one.engine.pause()
      await insert(one)
      await two.engine.restart()
      await one.engine.restart()
      await until(() => !isDone(two), 10_000)
      expect(one.store.outbox.snapshot().edits).toMatchObject([{ state: 'pending' }])
      await one.engine.resume()
      await until(() => isDone(one) && isDone(two))
      expect(keys()).toHaveLength(1)
      expect(await contacts()).toHaveLength(4)
      await until(async () => (await two.ids()).length === 4)
    })
  })
})
