/** What is read from the wire, and how much strangeness it bears (FAQ-0, START-3, FETCH-8, ITEM-3, ITEM-6, F12, R13). */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ackBody } from '../../src/protocol/ack.ts'
import { readCapabilities } from '../../src/protocol/capabilities.ts'
import { problemCode } from '../../src/protocol/problem.ts'
import { readPage } from '../../src/protocol/queue.ts'
import { pluralOf } from '../../src/protocol/resource.ts'
import { routes } from '../../src/protocol/routes.ts'
import { readSession } from '../../src/protocol/session.ts'
import { ackSchema } from '../../src/service/sync-calls.ts'

describe('the surface', () => {
  it('is three calls under one path, apart from everything else (FAQ-0)', () => {
    expect([routes.start, routes.queue('s'), routes.ack]).toEqual([
      '/v2/sync/start',
      '/v2/sync/s/queues/main',
      '/v2/sync/ack',
    ])
  })

  it('carries ack keys in a data envelope, as they came (ACK-1, ACK-3)', () => {
    const keys = ['a', '__proto__', 'ключ "x"']
    expect(ackBody(keys)).toBe('{"data":{"ack_keys":["a","__proto__","ключ \\"x\\""]}}')
    expect(ackSchema.parse(JSON.parse(ackBody(keys))).data.ack_keys).toEqual(keys)
  })
})

describe('a start answer', () => {
  const session = (data: unknown): unknown => ({ data, meta: { type: 'sync_session' } })
  const queue = (name: string, total_count: unknown): unknown => ({ data: { name, pages: 1, total_count }, meta: {} })

  it('gives the session and the estimate of the queue "main" alone (START-3, START-4)', () => {
    const body = session({ id: 's1', queues: [queue('other', 9), queue('main', 3)] })
    expect(readSession(body)).toEqual({ id: 's1', estimate: 3 })
  })

  it('gives the session even if "main" is not listed or its counts are nonsense (START-4, FAQ-3.0)', () => {
    for (const queues of [
      [],
      [queue('other', 9)],
      [queue('main', -1)],
      [queue('main', '3')],
      [queue('main', null)],
      undefined,
      'no',
      [{}],
    ])
      expect(readSession(session({ id: 's1', queues }))).toEqual({ id: 's1', estimate: null })
    expect(readSession(session({ id: 's1', queues: [queue('main', 2 ** 40)] }))?.estimate).toBe(2 ** 40)
    expect(readSession(session({ id: 7 }))?.id).toBe('7')
  })

  it('without an id is no session (F9)', () => {
    for (const body of [null, [], 'x', {}, session({}), session({ id: '' }), session({ id: null })])
      expect(readSession(body)).toBeNull()
  })
})

describe('a page', () => {
  const item = (meta: unknown, data: unknown = { id: 1 }): unknown => ({ data, meta })
  const sync = { event_type: 'created', ack_key: 'k', revision: 3 }

  it('is read item by item, unknown fields ignored (ITEM-6)', () => {
    const raw = item({ type: 'contact', version: 2, sync: { ...sync, more: 1 } }, { id: 1, unknown: [] })
    expect(readPage({ items: [raw], meta: { count: 1, count_left: 4, failed_objects: [{}, {}] }, extra: 1 })).toEqual({
      items: [{ type: 'contact', event: 'created', revision: 3, ackKey: 'k', data: { id: 1, unknown: [] }, raw }],
      countLeft: 4,
      failed: 2,
    })
  })

  it('never fails for what is inside an item, whatever it is (I8, F12)', () => {
    const anything = fc.anything({ withNullPrototype: true })
    const items = fc.array(
      fc.oneof(
        anything,
        fc.record({
          data: anything,
          meta: fc.record({
            type: anything,
            sync: fc.record({ event_type: anything, ack_key: anything, revision: anything }),
          }),
        }),
      ),
    )
    fc.assert(
      fc.property(items, anything, (list, meta) => {
        const page = readPage({ items: list, meta })
        expect(page?.items.map(({ raw }) => raw)).toEqual(list)
        for (const { type, ackKey, revision } of page?.items ?? []) {
          expect(type === null || (typeof type === 'string' && type !== '')).toBe(true)
          expect(ackKey === null || (typeof ackKey === 'string' && ackKey.length <= 1024)).toBe(true)
          expect(revision === null || (Number.isSafeInteger(revision) && revision >= 0)).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('takes a revision as integer or as its text, nothing else (ITEM-5)', () => {
    const revisionOf = (revision: unknown): unknown =>
      readPage({ items: [item({ type: 't', sync: { ...sync, revision } })] })?.items[0]?.revision
    expect([3, '3', 0].map(revisionOf)).toEqual([3, 3, 0])
    for (const bad of [-1, 1.5, '1.5', 'x', '', null, true, 2 ** 53, '99999999999999999'])
      expect(revisionOf(bad)).toBeNull()
  })

  it('gives no key for one that is no text or absurdly long, so that it is never sent (F46)', () => {
    for (const ack_key of [1, null, '', 'k'.repeat(1025)])
      expect(readPage({ items: [item({ type: 't', sync: { ...sync, ack_key } })] })?.items[0]?.ackKey).toBeNull()
  })

  it('is no page without a list of items (F9)', () => {
    for (const body of [null, [], '', {}, { items: {} }, { items: null }, { data: [] }])
      expect(readPage(body)).toBeNull()
    expect(readPage({ items: [] })).toEqual({ items: [], countLeft: null, failed: 0 })
    expect(readPage({ items: [], meta: { count_left: -3, failed_objects: 'x' } })).toEqual({
      items: [],
      countLeft: null,
      failed: 0,
    })
  })
})

describe('what a service says of itself', () => {
  it('is read from one header, field by field, and never taken for more than it is (R13)', () => {
    expect(readCapabilities('{"version":1,"epoch":"e","rate":100,"lanes":4,"device":"new","future":1}')).toMatchObject({
      epoch: 'e',
      rate: 100,
      lanes: 4,
      device: 'new',
    })
    expect(readCapabilities('{"version":1,"rate":"fast","device":"odd"}')).toEqual({ version: 1 })
    for (const header of [null, '', 'x', '[]', '{"version":2}', '{}', '{"version":1'])
      expect(readCapabilities(header)).toBeNull()
  })
})

describe('an error body', () => {
  it('gives its first code, or nothing at all; it is never needed (ERR-1, ERR-2)', () => {
    const body = { errors: [{ error: { code: 'unauthorized', message: 'No.' }, meta: {} }], meta: { logref: 'x' } }
    expect(problemCode(body)).toBe('unauthorized')
    for (const other of [null, '', '<html>', {}, { errors: [] }, { errors: [{}] }, { error: 'invalid_client' }])
      expect(problemCode(other)).toBeNull()
  })
})

describe('paths of types', () => {
  it('are plural', () => {
    expect(['contact', 'city', 'day', 'address', 'box', 'branch'].map(pluralOf)).toEqual([
      'contacts',
      'cities',
      'days',
      'addresses',
      'boxes',
      'branches',
    ])
  })
})
