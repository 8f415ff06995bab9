/**
 * One collection on the page: reads by key, and a query builder whose steps each give a new, checked builder.
 * A query becomes a plain value here, free of proxies and functions, before anything crosses to the worker (F50).
 */
import { SyncError } from '../errors.ts'
import { canonicalId, positionOrder, unfoldedKey, type Position } from '../keys.ts'
import type { Condition, Query } from '../query.ts'
import { own, type CollectionSpec, type Row } from '../schema.ts'
import type { CollectionApi, QueryBuilder } from './api.ts'
import { createColumnFeed } from './columns.ts'
import type { Connection } from './connect.ts'
import type { FeedDeps } from './feed.ts'
import { createLiveQuery, dataOf } from './live-query.ts'
import { createRowSet } from './rows.ts'

/** What the page needs to know of a collection: neither indexes nor validator. */
export type Shape = Pick<CollectionSpec, 'name' | 'idOf'>

/** What a collection needs of the client. */
export type Link = Pick<Connection, 'call' | 'guard'> & FeedDeps

export function createCollection<T>(shape: Shape, link: Link): CollectionApi<T> {
  const getMany = async (keys: ReadonlyArray<string | number>): Promise<Array<T | undefined>> => {
    const ids = Array.from(
      keys,
      (key) => canonicalId(key) ?? bad('a key is a string that is not empty, or a whole number below 2^53'),
    )
    const rows = await link.call('get', [shape.name, ids])
    return ids.map((_, at) => (rows[at] ?? undefined) as T | undefined)
  }
  return {
    ...createBuilder<T, T>({ collection: shape.name, where: {} }, null, shape, link),
    get: async (key) => (await getMany([key]))[0],
    getMany,
  }
}

/** `last` is the row given to `after`; it becomes a position only when order and selection are known. */
function createBuilder<T, S>(query: Query, last: Row | null, shape: Shape, link: Link): QueryBuilder<T, S> {
  const next = <R = S>(step: Partial<Query>, row = last): QueryBuilder<T, R> =>
    createBuilder<T, R>({ ...query, ...step }, row, shape, link)
  const asked = (): Query => (last === null ? query : { ...query, after: positionOf(last, query, shape) })
  const read = async (asked: Query): Promise<S[]> => {
    const rows = createRowSet(positionOrder(query.order?.dir))
    let stop: () => void
    const arrived = new Promise<S[]>((resolve, failed) => {
      stop = link.openStream('once', asked, {
        failed,
        rows(slice) {
          rows.take(slice)
          if (!slice.last) return
          rows.commit()
          resolve(dataOf(rows.entries()))
        },
      })
    })
    return link.guard('The query', arrived).finally(() => stop())
  }

  return {
    where(conditions) {
      const where: Record<string, Condition> = { ...query.where }
      for (const [field, condition] of Object.entries(conditions)) {
        if (condition === undefined) continue
        if (Object.hasOwn(where, field)) bad(`where names "${field}" twice; put both conditions into one`)
        where[field] = plain(condition, field) as Condition
      }
      return next({ where })
    },
    orderBy: (field, dir = 'asc') => next({ order: { field, dir } }),
    limit: (limit) => next({ limit }),
    after: (row) => next({}, row as Row),
    select: (...fields) => next<Pick<T, (typeof fields)[number]>>({ select: [...new Set(fields)] }),
    all: async () => read(asked()),
    first: async () => (await read({ ...asked(), limit: Math.min(query.limit ?? 1, 1) }))[0],
    count: async () => link.call('count', [asked()]),
    live: () => createLiveQuery<S>(asked(), link),
    columns() {
      const { select, order, limit } = query
      if (select === undefined) return bad('columns needs select: the names of numeric fields')
      if (order !== undefined || limit !== undefined || last !== null)
        bad('columns have no order; leave out orderBy, limit and after')
      return createColumnFeed(query, select as ReadonlyArray<keyof S & string>, link)
    },
  }
}

function positionOf(row: Row, { order, select }: Query, { idOf }: Shape): Position {
  const needs = (field: string): never => bad(`after needs a row with ${field}; select that too`)
  const id = idOf(row) ?? needs('its key')
  if (order === undefined) return { key: null, id }
  const value = own(row, order.field)
  // Without a selection a missing field is data, and sorts as null.
  if (value === undefined && select?.includes(order.field) === false) needs(`"${order.field}"`)
  return { key: unfoldedKey(value), id }
}

/** A copy in plain data, so that reactive proxies can cross to the worker, and functions are refused here. */
function plain(value: unknown, field: string): unknown {
  if (Array.isArray(value)) return value.map((one) => plain(one, field))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([op, one]) => [op, plain(one, field)]))
  if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint')
    bad(`${field}: a ${typeof value} cannot be compared`)
  return value
}

function bad(what: string): never {
  throw new SyncError('invalid_argument', `This cannot be asked: ${what}.`)
}
