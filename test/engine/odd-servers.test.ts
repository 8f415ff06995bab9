/** Servers that say the same for ever: what they send is counted and shown, and they are asked less and less. */
import { describe, expect, it } from 'vitest'
import type { Http, HttpRequest, HttpResponse } from '../../src/engine/transport.ts'
import { SyncError } from '../../src/errors.ts'
import { answer, inWorld, pageBody, pathOf, sessionBody, wireItem } from './world.ts'

const isStart = (line: string): boolean => line.startsWith('POST /v2/sync/start')

/** Every start opens a session of its own; `fetch` answers its GETs, told how many came before in that session. */
function sessions(fetch: (before: number) => HttpResponse): Http & { readonly acked: string[] } {
  const acked: string[] = []
  const fetched = new Map<string, number>()
  let last = 0
  const http = async (request: HttpRequest): Promise<HttpResponse> => {
    const path = pathOf(request)
    if (path.endsWith('/start')) return answer(201, sessionBody(`session-${++last}`))
    if (path.endsWith('/ack')) {
      acked.push(...(JSON.parse(request.body ?? '') as { data: { ack_keys: string[] } }).data.ack_keys)
      return answer(202)
    }
    const before = fetched.get(path) ?? 0
    fetched.set(path, before + 1)
    return fetch(before)
  }
  return Object.assign(http, { acked })
}

describe('a server that never ends', () => {
  it('naming unreadable objects page after page is waited for, not hammered (FETCH-2, FETCH-8, R11)', () => {
    const http = sessions(() => answer(200, pageBody([], { failed_objects: [{ type: 'contact', id: 1 }] })))
    return inWorld({ http }, async ({ open, clock, log }) => {
      await open()
      await clock.sleep(10_000)
      expect(log.length).toBeGreaterThan(10)
      expect(log.length).toBeLessThan(100)
    })
  })

  it('sending the same page again and again is left after a few repetitions (FETCH-3, R9)', () => {
    const http = sessions(() => answer(200, pageBody([1, 2, 3].map((id) => wireItem(id)))))
    return inWorld({ http }, async ({ open, clock, log }) => {
      const { engine, ids, store } = await open()
      await clock.sleep(10_000)
      expect(log.filter(isStart).length).toBeGreaterThan(1)
      expect(log.length).toBeLessThan(100)
      expect(await ids()).toEqual(['1', '2', '3'])
      expect(engine.status.current.lastSyncedAt, 'nothing was proved').toBeNull()
      expect((await store.history())[0]).toMatchObject({ outcome: 'dirty' })
    })
  })
})

describe('what cannot be taken', () => {
  it('a page larger than a client may take is counted as stuck and asked for ever more rarely (R9, R11, F13)', () => {
    let served = 0
    const http = sessions((before) => {
      if (before > 0) return answer(204)
      served++
      return { ...answer(200), text: () => Promise.reject(new SyncError('page_too_large', 'too large')) }
    })
    return inWorld({ http }, async ({ open, clock }) => {
      const { engine } = await open()
      await clock.sleep(3_600_000)
      expect(served).toBeGreaterThan(2)
      expect(served).toBeLessThan(20)
      expect(engine.status.current).toMatchObject({
        phase: 'waiting',
        stuck: 1,
        lastSyncedAt: null,
        error: { code: 'page_too_large' },
      })
    })
  })

  const nameless = [
    {
      what: 'an item without an id and without an ack key',
      item: { data: { n: 1 }, meta: { type: 'contact', sync: { event_type: 'updated', revision: 1 } } },
      stuck: 1,
    },
    {
      what: 'an item without an id',
      item: { data: { n: 1 }, meta: { type: 'contact', sync: { event_type: 'updated', ack_key: 'k', revision: 1 } } },
      stuck: 0,
    },
    {
      what: 'an item without a type',
      item: { data: { id: 1 }, meta: { sync: { event_type: 'updated', ack_key: 'k', revision: 1 } } },
      stuck: 0,
    },
  ]
  it.each(nameless)('$what is in quarantine once, however often it comes (R11, R31, ACK-7, F12)', ({ item, stuck }) => {
    const http = sessions((before) => (before === 0 ? answer(200, pageBody([item])) : answer(204)))
    return inWorld({ http }, async ({ open, clock, log }) => {
      const { engine, store } = await open()
      await clock.sleep(3_600_000)
      expect(log.filter(isStart).length).toBeGreaterThan(2)
      expect(new Set(http.acked)).toEqual(new Set(stuck === 0 ? ['k'] : []))
      expect((await store.quarantine.list(10)).items).toHaveLength(1)
      expect(engine.status.current).toMatchObject({ quarantined: 1, stuck })
      expect(engine.status.current.lastSyncedAt).not.toBeNull()
      if (stuck > 0) expect(log.filter(isStart).length, 'sessions in an hour').toBeLessThan(10)
    })
  })
})
