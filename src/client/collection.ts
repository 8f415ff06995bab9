/**
 * One collection on the page: reads by key, and a query builder whose steps each give a new, checked builder.
 * A query becomes a plain value here, free of proxies and functions, before anything crosses to the worker (F50).
 */
import type { Clock } from '../clock.ts'
import { SyncError } from '../errors.ts'
import { canonicalId } from '../keys.ts'
import { compileQuery, type CompiledQuery, type Condition, type Position, type Query, type Scalar } from '../query.ts'
import { own, type CollectionSpec, type Row } from '../schema.ts'
import type { CollectionApi, QueryBuilder } from './api.ts'
import { createColumnFeed } from './columns.ts'
import type { Connection } from './connect.ts'
import { createLiveQuery } from './live-query.ts'
import { createRowSet } from './rows.ts'
import type { OpenStream } from './streams.ts'

/** What a collection needs of the client. */
export interface Link extends Pick<Connection, 'call' | 'guard'> {
  readonly openStream: OpenStream
  readonly clock: Clock
}

export function createCollection<T>(spec: CollectionSpec, link: Link): CollectionApi<T> {
  const { where, orderBy, limit, select, all, first, count, live } = createBuilder<T, T>({ collection: spec.name, where: {} }, null, spec, link)
  const getMany = async (keys: ReadonlyArray<string | number>): Promise<Array<T | undefined>> => {
    if (!Array.isArray(keys)) bad('getMany takes a list of keys')
    const ids = keys.map(usableId)
    if (ids.length === 0) return []
    const rows = await link.call('get', [spec.name, ids])
    return ids.map((_, at) => (rows[at] ?? undefined) as T | undefined)
  }
  return {
    get: async (key) => (await getMany([key]))[0],
    getMany,
    where, orderBy, limit, select, all, first, count, live,
  }
}

/** `last` is the row given to `after`; it becomes a position only when order and selection are known. */
function createBuilder<T, S>(query: Query, last: Row | null, spec: CollectionSpec, link: Link): QueryBuilder<T, S> {
  const next = <R = S>(step: Partial<Query>, row = last): QueryBuilder<T, R> => {
    const changed = { ...query, ...step }
    compileQuery(changed, spec)
    return createBuilder<T, R>(changed, row, spec, link)
  }
  const compiled = (): CompiledQuery => {
    const plain = compileQuery(query, spec)
    return last === null ? plain : compileQuery({ ...query, after: positionOf(last, plain, spec) }, spec)
  }
  const read = ({ query: asked, compare }: CompiledQuery): Promise<S[]> => {
    let stop: () => void = () => undefined
    const rows = createRowSet(compare)
    const arrived = new Promise<S[]>((resolve, reject) => {
      stop = link.openStream('once', asked, {
        rows(message) {
          rows.take(message)
          if (!message.last) return
          rows.commit()
          resolve(rows.entries().map((entry) => entry.data as S))
        },
        failed: reject,
      })
    })
    return link.guard('The query', arrived).finally(stop)
  }

  return {
    where(conditions) {
      if (typeof conditions !== 'object' || conditions === null) bad('where takes an object of conditions')
      const added = Object.entries(conditions).flatMap(([field, condition]) => {
        if (condition === undefined) return []
        if (Object.hasOwn(query.where, field)) bad(`where names "${field}" twice; put both conditions into one`)
        return [[field, plainCondition(field, condition)] as const]
      })
      return next({ where: Object.fromEntries([...Object.entries(query.where), ...added]) })
    },
    orderBy(field, dir = 'asc') {
      if (typeof field !== 'string') bad('orderBy takes the name of a field')
      return next({ order: { field, dir } })
    },
    limit: (count) => next({ limit: count }),
    after(row) {
      if (typeof row !== 'object' || row === null) bad('after takes a row: the last one of the page before')
      return next({}, row as Row)
    },
    select(...fields) {
      if (fields.length === 0 || fields.some((field) => typeof field !== 'string')) bad('select takes names of fields')
      return next<Pick<T, (typeof fields)[number]>>({ select: [...new Set(fields)] })
    },
    all: async () => read(compiled()),
    async first() {
      const rows = await read(compileQuery({ ...compiled().query, limit: Math.min(query.limit ?? 1, 1) }, spec))
      return rows[0]
    },
    count: async () => link.call('count', [compiled().query]),
    live: () => createLiveQuery<S>(compiled(), link),
    columns() {
      const { select, order, limit } = query
      if (select === undefined) return bad('columns needs select: the names of numeric fields')
      if (order !== undefined || limit !== undefined || last !== null) bad('columns have no order; leave out orderBy, limit and after')
      return createColumnFeed({ ...query, select: select as ReadonlyArray<keyof S & string> }, link)
    },
  }
}

function positionOf(row: Row, { query, sortKey }: CompiledQuery, spec: CollectionSpec): Position {
  const { order, select } = query
  // Without a selection a missing field is data, and sorts as null.
  if (order !== undefined && select?.includes(order.field) === false && own(row, order.field) === undefined)
    bad(`after needs a row with "${order.field}", by which this query is sorted; select that field too`)
  const id = spec.idOf(row)
  if (id === null) return bad(`after needs a row with its key (${spec.keyFields?.join(', ') ?? 'key function'}); select that too`)
  return { key: sortKey(row), id }
}

/** A copy in plain data, so that reactive proxies can cross to the worker and functions are named here. */
function plainCondition(field: string, condition: unknown): Condition {
  if (typeof condition === 'object' && condition !== null)
    return Object.fromEntries(
      Object.entries(condition).map(([op, value]) => [op, Array.isArray(value) ? value.map((one) => scalar(field, one)) : scalar(field, value)]),
    ) as Condition
  return scalar(field, condition)
}

function scalar(field: string, value: unknown): Scalar {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  return bad(`${field}: ${typeof value} cannot be compared; use a string, number, boolean or null`)
}

function usableId(key: unknown): string {
  return canonicalId(key) ?? bad('a key must be a string that is not empty, or a whole number below 2^53')
}

function bad(what: string): never {
  throw new SyncError('invalid_argument', `The call cannot be understood: ${what}.`)
}
