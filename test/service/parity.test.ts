/**
 * S20: memory and PGlite give the same answers to the same history. Random histories of three devices, two
 * users and changing sights; every answer is compared, ack keys by what they are keys of.
 */
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { createMemoryStore } from '../../src/service/memory.ts'
import { createPgliteStore } from '../../src/service/pglite.ts'
import type { DeviceRef, SyncStore } from '../../src/service/store.ts'

type Step =
  | { readonly do: 'start'; readonly device: number; readonly sees: number }
  | { readonly do: 'page'; readonly device: number; readonly limit: number; readonly sees: number }
  | { readonly do: 'ack'; readonly device: number; readonly share: number }
  | { readonly do: 'workOff' }
  | {
      readonly do: 'write'
      readonly id: number
      readonly kind: 'create' | 'update' | 'delete' | 'upsert'
      readonly value: number
      readonly scopes: number
      readonly key: number
    }
  | { readonly do: 'import'; readonly ids: readonly number[]; readonly value: number; readonly scopes: number }
  | { readonly do: 'forget'; readonly device: number }
  | { readonly do: 'pass'; readonly ms: number }

const SIGHTS = [['everyone'], ['everyone', 'east'], ['east', 'west'], []]
const small = (max: number) => fc.integer({ min: 0, max })

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('start' as const), device: small(2), sees: small(3) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('page' as const),
      device: small(2),
      limit: fc.integer({ min: 1, max: 4 }),
      sees: small(3),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('ack' as const), device: small(2), share: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'workOff' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      id: small(6),
      kind: fc.constantFrom('create' as const, 'update' as const, 'delete' as const, 'upsert' as const),
      value: small(2),
      scopes: small(4),
      key: small(9),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('import' as const),
      ids: fc.array(small(6), { maxLength: 4 }),
      value: small(2),
      scopes: small(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), device: small(2) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1000, 3_600_000, 91 * 86_400_000) }),
  },
)

interface Clock {
  time: number
}

/** Runs a history and returns every answer as text. */
async function transcript(
  store: SyncStore,
  clock: Clock,
  account: string,
  history: readonly Step[],
): Promise<readonly string[]> {
  const devices: readonly DeviceRef[] = [
    { account, user: 'ann', device: 'd1' },
    { account, user: 'ann', device: 'd2' },
    { account, user: 'bob', device: 'd1' },
  ]
  const sessions = ['', '', '']
  const keys: string[][] = [[], [], []]
  const lines: string[] = []
  for (const next of history) lines.push(`${next.do} ${JSON.stringify((await run(next)) ?? null)}`)
  return lines

  async function run(next: Step): Promise<unknown> {
    switch (next.do) {
      case 'start': {
        const opened = await store.openSession(device(next.device), SIGHTS[next.sees] ?? [], 2)
        if (opened.kind !== 'opened') return opened
        sessions[next.device] = opened.session
        return { ...opened, session: 'some' }
      }
      case 'page': {
        const page = await store.takePage(device(next.device), sessions[next.device] ?? '', {
          limit: next.limit,
          bytes: 900,
          sees: SIGHTS[next.sees] ?? [],
        })
        if (page.kind !== 'page') return page
        keys[next.device]?.push(...page.items.map((item) => item.ackKey))
        // How many are left is an estimate, and made in different ways.
        return page.items.map(({ ackKey, ...item }) => ({ ...item, keyed: ackKey.length > 0 }))
      }
      case 'ack':
        return store.acceptAcks(
          device(next.device),
          (keys[next.device] ?? []).filter((_, index) => index % next.share === 0),
        )
      case 'workOff':
        return store.workOffAcks()
      case 'write': {
        const scopes = next.scopes === 4 ? undefined : (SIGHTS[next.scopes] ?? [])
        const data = { id: next.id, value: next.value }
        const target = { type: 'city', id: String(next.id) }
        const op =
          next.kind === 'create'
            ? ({ kind: 'create', type: 'city', data: next.id === 0 ? { value: next.value } : data, scopes } as const)
            : next.kind === 'update'
              ? ({ kind: 'update', ...target, patch: { value: next.value }, scopes } as const)
              : next.kind === 'delete'
                ? ({ kind: 'delete', ...target } as const)
                : ({
                    kind: 'upsert',
                    type: 'city',
                    match: [{ field: 'value', value: String(next.value) }],
                    data: { n: next.id },
                    scopes,
                  } as const)
        return store.write(
          { account, user: 'ann', sees: next.value === 2 ? ['east'] : undefined },
          op,
          next.key < 2 ? `key ${next.key}` : undefined,
          next.key % 3 === 0 ? ({ op, data }) => ({ kind: 'fine', data: { ...data, by: op } }) : undefined,
        )
      }
      case 'import':
        return store.importRecords(
          account,
          next.ids.map((id) => ({ type: 'city', data: { value: next.value, id }, scopes: SIGHTS[next.scopes] })),
        )
      case 'forget':
        return store.forget(device(next.device))
      case 'pass':
        clock.time += next.ms
        return undefined
    }
  }

  function device(index: number): DeviceRef {
    const ref = devices[index]
    if (ref === undefined) throw new Error('No such device.')
    return ref
  }
}

describe('parity', () => {
  const clock = { time: 0 }
  let pglite: SyncStore

  beforeAll(async () => {
    pglite = await createPgliteStore({ now: () => clock.time })
  }, 60_000)

  afterAll(() => pglite.close())

  it(
    'S20 R32 R34 the same history gets the same answers from memory and from PGlite',
    { timeout: 120_000 },
    async () => {
      let run = 0
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), async (history) => {
          run += 1
          const start = clock.time
          const sql = await transcript(pglite, clock, `account ${run}`, history)
          const memoryClock = { time: start }
          const memory = await transcript(
            createMemoryStore({ now: () => memoryClock.time }),
            memoryClock,
            `account ${run}`,
            history,
          )
          sql.forEach((line, index) => {
            if (line !== memory[index]) throw new Error(`Step ${index}: pglite ${line}, memory ${memory[index]}`)
          })
        }),
        { numRuns: 80 },
      )
    },
  )
})
