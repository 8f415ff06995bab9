/**
 * F11, F12, F44: hostile answers in every place of every call, and hostile values from the app. Whatever comes, nothing
 * that all code shares changes, no promise is left to reject unheard, the engine says in words what it is about, and
 * all that is sound arrives. `FULL=1`: 10,000 cases; `FC_SEED`, `FC_PATH` replay.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { plainFields } from '../../src/client/write.ts'
import { plainCopy } from '../../src/client/plain.ts'
import { recoveryOf } from '../../src/engine/retry.ts'
import type { Http, HttpRequest, HttpResponse } from '../../src/engine/transport.ts'
import { SyncError } from '../../src/errors.ts'
import { collection, defineSchema, type Row, type Schema } from '../../src/schema.ts'
import { answer, inWorld, pageBody, pathOf, sessionBody, wireItem, type Tab } from '../engine/world.ts'
import { fragment, globals, mangle, NAMES, placeOf, spoil, spoilt, type Spoil } from './hostile-values.ts'

const CASES = process.env['FULL'] === '1' ? 10_000 : Number(process.env['CASES'] ?? 1_000)
const REPLAY = {
  ...(process.env['FC_SEED'] !== undefined && { seed: Number(process.env['FC_SEED']) }),
  ...(process.env['FC_PATH'] !== undefined && { path: process.env['FC_PATH'], endOnFailure: true }),
}
const PHASES = new Set(
  'starting connecting draining settling idle waiting offline paused needs-auth storage-problem stopped closed'.split(
    ' ',
  ),
)

/** What the network can do to an engine; anything else would be an accident of ours. */
const NAMED = Object.keys(recoveryOf).filter((code) => !/^(worker_|invalid_|storage_|closed|schema_)/.test(code))

const schema = defineSchema({
  version: 1,
  collections: {
    contact: collection<{ id: number; name?: string; n?: number; map?: object }>({
      indexes: ['n'],
      merge: { map: 'deep' },
    }),
  },
})

const unheard: unknown[] = []
const hear = (error: unknown): void => void unheard.push(error)
let before = ''
let cases = 0
let changed = 0
beforeAll(() => {
  process.on('unhandledRejection', hear)
  before = globals()
})
afterAll(() => {
  process.off('unhandledRejection', hear)
  // oxlint-disable-next-line no-console -- the counts are the evidence
  console.log(`hostile cases ${cases}, globals changed ${changed}, unhandled rejections ${unheard.length}`)
})
function untouched(): void {
  cases++
  const after = globals()
  if (after !== before) changed++
  expect(after).toBe(before)
  expect(unheard).toEqual([])
}

/** An answer that is not what was agreed. */
interface Bad {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly spoil: Spoil | null
  readonly mangle: (text: string) => string
}

const capabilities = { version: 1, epoch: 'one', lanes: 2, rate: 100, idempotencyDays: 90, revisionOnWrite: true }
const header = fc.oneof(
  spoil.map((one): [string, string] => ['X-Tidegate', spoilt(capabilities, one).text]),
  fragment.map((text): [string, string] => ['X-Tidegate', text]),
  fragment.map((text): [string, string] => ['X-Tidegate-Revision', text]),
  fc.constantFrom(...NAMES).map((text): [string, string] => ['X-Tidegate-Account', text]),
  fc
    .constantFrom('-1', '0', '7', '1e9', 'soon', '', '99999999999', 'Mon, 01 Jan 1990 00:00:00 GMT')
    .map((text): [string, string] => ['Retry-After', text]),
  fc
    .constantFrom('text/html', 'application/json', '', '\u0000')
    .map((text): [string, string] => ['Content-Type', text]),
)
const bad = (good: readonly number[]): fc.Arbitrary<Bad> =>
  fc.record({
    status: fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...good) },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          0,
          100,
          200,
          201,
          202,
          204,
          206,
          299,
          301,
          304,
          400,
          401,
          403,
          404,
          406,
          409,
          410,
          413,
          422,
          429,
          500,
          503,
          999,
        ),
      },
    ),
    headers: fc.array(header, { maxLength: 2 }).map((list) => Object.fromEntries(list)),
    spoil: fc.option(spoil, { freq: 5 }),
    mangle,
  })

const problem = {
  errors: [
    { error: { code: 'incorrect_value', message: 'no', details: 'no', resource: 'contact', field: '/name' }, meta: {} },
  ],
  meta: { http_status: '422', logref: 'x' },
}

const hostileServer = fc.record({
  starts: fc.array(bad([201, 201, 204]), { maxLength: 2 }),
  pages: fc.array(bad([200]), { maxLength: 3 }),
  acks: fc.array(bad([202]), { maxLength: 1 }),
  writes: fc.array(bad([200, 422]), { maxLength: 2 }),
  /** Items spoilt one by one, among sound ones. */
  items: fc.array(spoil, { maxLength: 6 }),
})

type Plan = typeof hostileServer extends fc.Arbitrary<infer T> ? T : never

/** Sound but for the answers it was told to spoil, each of which it gives once. */
function createServer({ starts, pages, acks, writes, items }: Plan) {
  const queues = { starts: [...starts], pages: [...pages], acks: [...acks], writes: [...writes] }
  const odd = items.map((one, at) => ({
    at,
    ...spoilt(wireItem(50 + at, 3, { data: { id: 50 + at, name: `odd ${at}`, n: at } }), one),
  }))
  const sound = [1, 2, 3].map((id) => ({ id, name: `sound ${id}`, n: id }))
  /** Ack keys, by device. */
  const taken = new Map<string, Set<string>>()
  const sent = new Set<string>()
  /** Writes that went elsewhere than to the record they were about. */
  const strays: string[] = []
  let made = 100

  const spoiltAnswer = (one: Bad, agreed: unknown): HttpResponse => {
    const body = one.status >= 400 ? problem : agreed
    return answer(
      one.status,
      one.mangle(one.spoil === null ? JSON.stringify(body) : spoilt(body, one.spoil).text),
      one.headers,
    )
  }
  const pageOf = (request: HttpRequest): string | null => {
    const device = request.headers['X-Basecrm-Device-UUID'] ?? ''
    const have = taken.get(device) ?? new Set()
    const left = sound.filter(({ id }) => !have.has(`k-${id}-1`))
    if (left.length === 0 || sent.has(device)) return null
    // Half before the sound ones, half after.
    const texts = [
      ...odd.filter(({ at }) => at % 2 === 0).map(({ text }) => text),
      ...left.map((data) => JSON.stringify(wireItem(data.id, 1, { data }))),
      ...odd.filter(({ at }) => at % 2 === 1).map(({ text }) => text),
    ]
    return `{"items":[${texts.join()}],"meta":{"type":"collection","count":${texts.length}}}`
  }
  const http: Http = async (request) => {
    const path = pathOf(request)
    const device = request.headers['X-Basecrm-Device-UUID'] ?? ''
    if (path.endsWith('/start')) {
      sent.delete(device)
      const one = queues.starts.shift()
      if (one !== undefined) return spoiltAnswer(one, sessionBody('odd-session', 5))
      return pageOf(request) === null ? answer(204) : answer(201, sessionBody('sound', 5))
    }
    if (path.includes('/queues/')) {
      const one = queues.pages.shift()
      const page = pageOf(request)
      if (one !== undefined)
        return spoiltAnswer(
          one,
          pageBody(odd.length === 0 ? [wireItem(40)] : [wireItem(40), wireItem(41, 2, { event: 'deleted' })], {
            count_left: 3,
            failed_objects: [],
          }),
        )
      if (page === null) return answer(204)
      sent.add(device)
      return answer(200, page)
    }
    if (path.endsWith('/ack')) {
      const one = queues.acks.shift()
      if (one !== undefined) return spoiltAnswer(one, '')
      const have = taken.get(device) ?? new Set()
      taken.set(device, have)
      for (const key of (JSON.parse(request.body ?? '') as { data: { ack_keys: string[] } }).data.ack_keys)
        have.add(key)
      return answer(202)
    }
    if (!/^\/v2\/contacts(\/[^/]+)?$/.test(path)) strays.push(`${request.method} ${path}`)
    const given = request.body === null ? {} : (JSON.parse(request.body) as { data: Row }).data
    const one = queues.writes.shift()
    const data = { ...given, id: request.method === 'POST' ? made++ : Number(path.slice(path.lastIndexOf('/') + 1)) }
    if (one !== undefined) return spoiltAnswer(one, { data, meta: { type: 'contact' } })
    return request.method === 'DELETE' ? answer(204) : answer(200, { data, meta: { type: 'contact' } })
  }
  return { http, odd, strays }
}

/** Whoever looks after it: asks it to go on when it has stopped, and waits. */
async function tended(
  tab: Tab,
  clock: { sleep(ms: number): Promise<void> },
  good: () => Promise<boolean>,
): Promise<void> {
  const { engine } = tab
  for (let times = 0; !(await good()); times++) {
    const status = engine.status.current
    expect(PHASES).toContain(status.phase)
    if ('error' in status) expect(NAMED).toContain(status.error.code)
    if (status.phase === 'stopped' || status.phase === 'needs-auth') await engine.resume()
    if (times > 60) throw new Error(`nothing more happens in ${JSON.stringify(status)}`)
    await clock.sleep(times < 20 ? 2_000 : 600_000)
  }
}

/** What once went wrong, or nearly. */
const nothing = { starts: [], pages: [], acks: [], writes: [], items: [] }
const startWith = (headers: Readonly<Record<string, string>>, spoilAt?: string, text = '') => ({
  ...nothing,
  starts: [
    {
      status: 201,
      headers,
      spoil:
        spoilAt === undefined
          ? null
          : { at: placeOf(sessionBody('odd', 5), spoilAt), how: 'replace' as const, fragment: text, name: '' },
      mangle: (whole: string) => whole,
    },
  ],
})
const EXAMPLES: readonly Plan[] = [
  startWith({}, 'data.id', '"\\ud800"'),
  startWith({}, 'data.id', '".."'),
  ...['1e-300', '1e-9', '-1', '1e300', '0'].map((rate) => startWith({ 'X-Tidegate': `{"version":1,"rate":${rate}}` })),
  ...['1e300', '-1', '0', '1e-9'].map((lanes) => startWith({ 'X-Tidegate': `{"version":1,"lanes":${lanes}}` })),
]

describe('hostile answers', () => {
  it(
    'I8, I20, I22, L3, F11, F12, F44: in every place of every call change nothing shared, end in a state with a name, and all that is sound arrives',
    { timeout: 3_600_000 },
    () =>
      fc.assert(
        fc.asyncProperty(hostileServer, async (plan) => {
          const { http, odd } = createServer(plan)
          await inWorld({ http }, async ({ open, clock }) => {
            const tab = await open({ schema: schema as Schema, options: { rate: null, poll: 5_000 } })
            const { store } = tab
            await tab.edit({ op: 'insert', key: -1, value: { name: 'Ann' } })
            let updated = false
            await tended(tab, clock, async () => {
              const rows = await store.get('contact', ['1', '2', '3'])
              if (!rows.every((row, at) => row?.['id'] === at + 1)) return false
              if (!updated) {
                updated = true
                await tab.edit({ op: 'update', key: 2, value: { name: 'Bob' } })
              }
              return store.outbox.snapshot().edits.every(({ state }) => state !== 'pending' && state !== 'sending')
            })
            // What is sound in an odd item is kept as it came (R29, R37), or it is in quarantine and says why (I8).
            const { items } = await store.quarantine.list(1_000)
            for (const { text, path, at } of odd) {
              if (path[0] !== 'data' || path[1] === undefined || path[1] === 'id') continue
              const [row] = await store.get('contact', [String(50 + at)])
              const kept = items.some(({ id }) => id === String(50 + at))
              if (row === undefined && !kept) throw new Error(`an item is neither here nor in quarantine: ${text}`)
              if (row !== undefined) expect(row).toEqual((JSON.parse(text) as { data: unknown }).data)
            }
            expect((await tab.ids()).length).toBeGreaterThanOrEqual(3)
            await tab.engine.close()
            expect(tab.engine.status.current.phase).toBe('closed')
          })
          untouched()
        }),
        { numRuns: CASES * 0.6, examples: EXAMPLES.map((one) => [one]), ...REPLAY },
      ),
  )
})

describe('hostile values of the app', () => {
  const odd: fc.Arbitrary<unknown> = fc.oneof(
    fragment.map((text): unknown => JSON.parse(text)),
    fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
      withNullPrototype: true,
      withObjectString: true,
      withBoxedValues: true,
    }),
    fc.constantFrom<unknown>(
      Symbol('s'),
      () => 1,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      new Proxy(
        {},
        {
          ownKeys: () => {
            throw new Error('no')
          },
        },
      ),
      Object.defineProperty({}, 'x', {
        enumerable: true,
        get: () => {
          throw new Error('no')
        },
      }),
      { [Symbol.toStringTag]: 'Date' },
      {
        get [Symbol.toStringTag]() {
          throw new Error('no')
        },
      },
    ),
  )
  const key = fc.oneof(
    fc.constantFrom<string | number>(...NAMES, -1, 7, 0, 1.5, 2 ** 60),
    fc.string({ unit: 'binary' }),
  )
  const field = fc.oneof(fc.constantFrom(...NAMES, 'name', 'map', 'n', 'id'), fc.string({ unit: 'binary' }))

  // Keys that no URL can hold.
  const UNSAYABLE = ['\ud800', '..', '.'].map((key) => [
    { op: 'insert' as const, key, fields: [['name', 'x']] as Array<[string, unknown]> },
    { op: 'update' as const, key, fields: [['name', 'y']] as Array<[string, unknown]> },
  ])

  it(
    'I14, I20, I22, F44, F50: are refused by name or kept as they are, and hold up no other edit',
    { timeout: 3_600_000 },
    () =>
      fc.assert(
        fc.asyncProperty(
          fc.array(
            fc.record({
              op: fc.constantFrom('insert', 'update', 'delete'),
              key,
              fields: fc.array(fc.tuple(field, odd), { maxLength: 4 }),
            }),
            { minLength: 1, maxLength: 4 },
          ),
          async (ops) => {
            const { http, strays } = createServer(nothing)
            await inWorld({ http }, async ({ open, clock }) => {
              const tab = await open({
                schema: schema as Schema,
                options: { capabilities: { idempotencyDays: 90, rate: 0 } },
              })
              const { store } = tab
              await tended(tab, clock, async () => (await tab.ids()).length >= 3)
              for (const { op, key: name, fields } of ops) {
                try {
                  const value = op === 'delete' ? null : plainFields('contact', Object.fromEntries(fields))
                  const [edit] = await tab.edit({ op, key: name, value, temporary: false })
                  if (op === 'insert') {
                    const [row] = await store.get('contact', [String(name)])
                    for (const [one, want] of Object.entries(value ?? {}))
                      if (one !== 'id') expect(Object.hasOwn(row ?? {}, one) && same(row![one], want)).toBe(true)
                  }
                  expect(edit?.id).toBeTypeOf('string')
                } catch (error) {
                  // What the app's own getters and proxies throw is the app's.
                  if (error instanceof Error && error.message === 'no') continue
                  if (!(error instanceof SyncError)) throw error
                  expect(['invalid_argument', 'record_missing', 'record_exists']).toContain(error.code)
                }
              }
              const [mine] = await tab.edit({ op: 'update', key: 3, value: { name: 'sound' } })
              await tended(tab, clock, async () => {
                const { edits } = store.outbox.snapshot()
                return edits.every(({ id, state }) => id !== mine?.id && state !== 'pending' && state !== 'sending')
              })
              expect(strays).toEqual([])
              await tab.engine.close()
            })
            untouched()
          },
        ),
        {
          numRuns: CASES * 0.2,
          // Keys that no URL can hold.
          examples: UNSAYABLE.map((ops) => [ops] as [typeof ops]),
          ...REPLAY,
        },
      ),
  )

  it('F50, I22: a copy has no prototype but its own and says no more and no less', { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(fragment, (text) => {
        const value: unknown = JSON.parse(text)
        let refused = false
        const copy = plainCopy(value, 'x', () => {
          refused = true
          return null
        })
        if (!refused) expect(JSON.stringify(copy)).toBe(JSON.stringify(value))
        untouched()
      }),
      { numRuns: CASES * 0.2, ...REPLAY },
    )
  })
})

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)
