/**
 * One collection on the page: reads by key, and a query builder whose steps each give a new, checked builder.
 * A query becomes a plain value here, free of proxies and functions, before anything crosses to the worker (F50).
 */
import { SyncError } from '../errors.ts'
import { positionOrder } from '../keys.ts'
import type { Condition, Query } from '../query.ts'
import type { Row } from '../schema.ts'
import type { CollectionApi, QueryBuilder } from './api.ts'
import { createColumnFeed } from './columns.ts'
import type { Connection } from './connect.ts'
import type { FeedDeps } from './feed.ts'
import { createLiveQuery, dataOf } from './live-query.ts'
import { plainCopy, type Refuse } from './plain.ts'
import { createRowSet } from './rows.ts'

/** What a collection needs of the client. */
export type Link = Pick<Connection, 'call' | 'guard'> & FeedDeps

export function createCollection<T>(name: string, link: Link): Omit<CollectionApi<T>, 'insert' | 'update' | 'delete'> {
  const getMany = async (keys: ReadonlyArray<string | number>): Promise<Array<T | undefined>> => {
    const rows = await link.call('get', [name, [...keys]])
    return rows.map((row) => (row ?? undefined) as T | undefined)
  }
  return {
    ...createBuilder<T, T>({ collection: name, where: {} }, link),
    get: async (key) => (await getMany([key]))[0],
    getMany,
  }
}

function createBuilder<T, S>(query: Query, link: Link): QueryBuilder<T, S> {
  const next = <R = S>(step: Partial<Query>): QueryBuilder<T, R> => createBuilder<T, R>({ ...query, ...step }, link)
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
        if (Object.hasOwn(where, field)) bad(`"${field}" has two conditions; make them one`)
        where[field] = plain(condition, field) as Condition
      }
      return next({ where })
    },
    orderBy: (field, dir = 'asc') => next({ order: plain({ field, dir }, 'orderBy') as Query['order'] }),
    limit: (limit) => next({ limit: plain(limit, 'limit') as number }),
    after: (row) => next({ afterRow: plain(row, 'after') as Row }),
    select: (...fields) => next<Pick<T, (typeof fields)[number]>>({ select: [...new Set(fields)] }),
    all: async () => read(query),
    first: async () => (await read({ ...query, limit: Math.min(query.limit ?? 1, 1) }))[0],
    count: async () => link.call('count', [query]),
    live: () => createLiveQuery<S>(query, link),
    columns() {
      const { select, order, limit, afterRow } = query
      if (select === undefined || (order ?? limit ?? afterRow) !== undefined)
        return bad('columns needs select, of numeric fields, and no orderBy, limit or after')
      return createColumnFeed(query, select as ReadonlyArray<keyof S & string>, link)
    },
  }
}

/** `undefined` says nothing. Numbers are the worker's to judge: a range may end in Infinity. */
function plain(value: unknown, field: string): unknown {
  const refuse: Refuse = (path, what, one) =>
    typeof one === 'number' ? one : bad(`${path}: ${what} cannot be compared`)
  return value === undefined ? value : plainCopy(value, field, refuse)
}

function bad(what: string): never {
  throw new SyncError('invalid_argument', `Query: ${what}.`)
}
