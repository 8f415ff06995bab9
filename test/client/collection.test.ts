import { describe, expect, it } from 'vitest'
import { createCollection } from '../../src/client/collection.ts'
import type { CallOptions, Calls, Value } from '../../src/client/connect.ts'
import { systemClock } from '../../src/clock.ts'
import type { SyncError } from '../../src/errors.ts'
import { shadowKey } from '../../src/keys.ts'
import type { Query, Where } from '../../src/query.ts'
import { createStreamSource } from './stream-source.ts'

interface City {
  readonly id: number
  readonly name: string
  readonly population?: number
}

function setUp(answers: Partial<Record<keyof Calls, unknown>> = {}) {
  const source = createStreamSource((value) => (value === undefined ? null : shadowKey(value)))
  const calls: Array<readonly [string, ...unknown[]]> = []
  const call = <M extends keyof Calls>(method: M, args: Parameters<Calls[M]>): Promise<Value<M>> => {
    calls.push([method, ...args])
    return Promise.resolve(answers[method] as Value<M>)
  }
  const guard = <T>(_what: string, work: Promise<T>, _options?: CallOptions): Promise<T> => work
  const city = createCollection<City>('city', { call, guard, openStream: source.openStream, clock: systemClock })
  const asked = (): Query[] =>
    source.posted.flatMap((message) => (message.kind === 'open-stream' ? [message.query] : []))
  return { city, source, calls, asked }
}

const refused = expect.objectContaining({ code: 'invalid_argument' }) as SyncError

describe('reading by key (R38)', () => {
  it('asks by key, in a plain list (F50)', async () => {
    const { city, calls } = setUp({ get: [{ id: 1, name: 'Rome' }] })
    expect(await city.get(1)).toEqual({ id: 1, name: 'Rome' })
    expect(await city.getMany(new Proxy(['1'], {}))).toEqual([{ id: 1, name: 'Rome' }])
    expect(structuredClone(calls)).toEqual([
      ['get', 'city', [1]],
      ['get', 'city', ['1']],
    ])
  })

  it('gives undefined for what is not there, in the order asked', async () => {
    const { city } = setUp({ get: [null, { id: 2, name: 'Oslo' }, undefined] })
    expect(await city.getMany([3, 2, 'x'])).toEqual([undefined, { id: 2, name: 'Oslo' }, undefined])
  })
})

describe('a query (R38)', () => {
  it('is a plain value; every step gives a new one and leaves the old as it was', async () => {
    const { city, asked } = setUp()
    const base = city.where({ name: 'Rome' })
    void base.orderBy('population', 'desc').limit(5).select('id', 'name', 'id').all()
    void base.where({ population: { gte: 1e6 } }).all()
    void base.all()
    await Promise.resolve()
    expect(asked()).toEqual([
      {
        collection: 'city',
        where: { name: 'Rome' },
        order: { field: 'population', dir: 'desc' },
        limit: 5,
        select: ['id', 'name'],
      },
      { collection: 'city', where: { name: 'Rome', population: { gte: 1e6 } } },
      { collection: 'city', where: { name: 'Rome' } },
    ])
  })

  it('copies conditions into plain data, so that reactive proxies cross to the worker (F50)', async () => {
    const { city, asked } = setUp()
    const reactive = new Proxy({ in: new Proxy(['Rome', null], {}) }, {})
    void city.where({ name: reactive, population: undefined }).all()
    await Promise.resolve()
    expect(structuredClone(asked()[0]?.where)).toEqual({ name: { in: ['Rome', null] } })
  })

  it.each<[unknown, string]>([
    [{ name: () => 'Rome' }, 'function'],
    [{ population: { gte: 5n } }, 'bigint'],
    [{ name: { in: [Symbol('x')] } }, 'symbol'],
  ])('refuses what cannot be compared, by name', (where, kind) => {
    const { city } = setUp()
    expect(() => city.where(where as Where<City>)).toThrow(refused)
    expect(() => city.where(where as Where<City>)).toThrow(kind)
  })

  it('refuses a second condition on one field instead of dropping the first', () => {
    const { city } = setUp()
    expect(() => city.where({ population: { gte: 1 } }).where({ population: { lt: 9 } })).toThrow(refused)
  })

  it('collects its slices in order and ends its stream', async () => {
    const { city, source } = setUp()
    const all = city.orderBy('population').all()
    await Promise.resolve()
    source.rows(
      [
        [1, 30],
        [2, 20],
      ],
      { reset: true, last: false },
    )
    source.rows([[3, 25]])
    expect((await all).map(({ id }) => id)).toEqual([2, 3, 1])
    expect(source.posted[0]).toMatchObject({ kind: 'open-stream', mode: 'once' })
    await Promise.resolve()
    expect(source.open()).toBe(0)
  })

  it('rejects with what the worker said against it', async () => {
    const { city, source } = setUp()
    const all = city.limit(-1).all()
    await Promise.resolve()
    source.deliver({ kind: 'failed', stream: 1, error: { code: 'invalid_argument', message: 'limit' } })
    await expect(all).rejects.toEqual(refused)
  })

  it('gives its first row by asking for one, and never for more than its limit', async () => {
    const { city, source, asked } = setUp()
    const first = city.orderBy('name').first()
    const none = city.limit(0).first()
    await Promise.resolve()
    expect(asked().map(({ limit }) => limit)).toEqual([1, 0])
    source.rows([], { reset: true })
    source.deliver({
      kind: 'rows',
      stream: 1,
      reset: true,
      last: true,
      removed: [],
      rows: [{ id: '4', key: [3, 'a'], data: { id: 4 }, state: 'synced' }],
    })
    expect([await first, await none]).toEqual([{ id: 4 }, undefined])
  })

  it('is counted in the worker', async () => {
    const { city, calls } = setUp({ count: 12 })
    expect(await city.where({ name: 'Rome' }).count()).toBe(12)
    expect(calls).toEqual([['count', { collection: 'city', where: { name: 'Rome' } }]])
  })
})

describe('after(row)', () => {
  it('crosses as a plain copy of the row; the worker knows its place in the order (F50)', async () => {
    const { city, asked } = setUp()
    const row = new Proxy<City>({ id: 5, name: 'Lima', population: 10 }, {})
    const { after } = city.orderBy('population', 'desc')
    void after(row).all()
    void city.limit(9).after(row).orderBy('name').all()
    await Promise.resolve()
    expect(structuredClone(asked()).map(({ afterRow, order }) => [afterRow, order?.field])).toEqual([
      [{ id: 5, name: 'Lima', population: 10 }, 'population'],
      [{ id: 5, name: 'Lima', population: 10 }, 'name'],
    ])
  })
})

describe('columns()', () => {
  it('needs a selection and has no order', () => {
    const { city } = setUp()
    expect(() => city.where({}).columns()).toThrow(refused)
    expect(() => city.select('population').limit(3).columns()).toThrow(refused)
    expect(() => city.select('population').orderBy('population').columns()).toThrow(refused)
    expect(() => city.where({}).after({ id: 5, name: 'Lima' }).select('population').columns()).toThrow(refused)
  })

  it('follows the selected fields', () => {
    const { city, source } = setUp()
    const feed = city.select('population', 'id').columns()
    feed.subscribe(() => undefined)
    source.columns([0], [[7], [1]], { reset: true })
    expect(feed.getSnapshot().columns.population[0]).toBe(7)
    expect(feed.getSnapshot().columns.id[0]).toBe(1)
  })
})
