/** Objects in SQL: one write with its idempotency key in one transaction (S16), reads, lists. */
import { draftOf, planWrite, requestedId, reviewedOp, withId, type ObjectState, type SingleOp } from '../change.ts'
import { fingerprint, fromJson } from '../data.ts'
import { naturalId } from '../identity.ts'
import { compareBy } from '../order.ts'
import type { ListPage, Review, StoredObject, Terms, WriteOp, Writer, WriteResult } from '../store.ts'
import { jsonTextOf, matches, resolveUpsert, type Upsert } from '../upsert.ts'
import { one, type SqlRunner } from './sql.ts'

export interface WriteDeps {
  readonly now: () => number
  readonly terms: Terms
}

interface ObjectRow {
  readonly n: number
  readonly revision: number
  readonly dead: boolean
  readonly data: string
  readonly scopes: readonly string[]
  readonly ever: readonly string[]
}

export async function write(
  tx: SqlRunner,
  writer: Writer,
  op: WriteOp,
  key: string | undefined,
  review: Review | undefined,
  deps: WriteDeps,
): Promise<WriteResult> {
  if (key === undefined) return apply(tx, writer, op, review)
  const scope = [writer.account, writer.user, key]
  const print = fingerprint(op)
  await tx.query(`delete from outcomes where at < $1`, [deps.now() - deps.terms.idempotency])
  const [first] = await tx.query<{ print: string; type: string; id: string; revision: number; data: string | null }>(
    `select print, type, id, revision, data from outcomes where account = $1 and username = $2 and key = $3`,
    scope,
  )
  if (first !== undefined) {
    if (first.print !== print) return { kind: 'key_reused' }
    const { type, id, revision, data } = first
    return { kind: 'written', object: { type, id, revision, data: data === null ? null : fromJson(data) } }
  }
  const result = await apply(tx, writer, op, review)
  if (result.kind === 'written') {
    const { type, id, revision, data } = result.object
    await tx.query(
      `insert into outcomes (account, username, key, print, at, type, id, revision, data) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [...scope, print, deps.now(), type, id, revision, data === null ? null : JSON.stringify(data)],
    )
  }
  return result
}

async function apply(
  tx: SqlRunner,
  { account, sees }: Writer,
  op: WriteOp,
  review: Review | undefined,
): Promise<WriteResult> {
  const named = op.kind === 'upsert' ? resolveUpsert(op, await matching(tx, account, sees, op)) : op
  if (named.kind === 'ambiguous' || named.kind === 'exists') return named
  const { id, ready } = named.kind === 'create' ? await identified(tx, account, named) : { id: named.id, ready: named }
  const [row] = await tx.query<ObjectRow>(
    `select n, revision, dead, data, scopes, ever from objects where account = $1 and type = $2 and id = $3 for update`,
    [account, op.type, id],
  )
  const found: ObjectState | undefined = row && { ...row, json: row.data }
  let change = planWrite(ready, found, sees)
  if (change.kind === 'changed' && review !== undefined) {
    const reviewed = await review(draftOf(ready, id, found))
    if (reviewed.kind === 'refused') return reviewed
    change = planWrite(reviewedOp(ready, reviewed), found, sees)
  }
  if (change.kind === 'missing' || change.kind === 'exists') return change
  if (change.kind === 'changed') await keep(tx, [account, op.type, id], change.state, change.moved)
  const state = change.kind === 'changed' ? change.state : found
  if (state === undefined) throw new Error('An unchanged object was not found.')
  return { kind: 'written', object: storedOf(op.type, id, state) }
}

/** Ids of the objects an upsert means. The data is text, which the database only searches for the values. */
async function matching(
  tx: SqlRunner,
  account: string,
  sees: readonly string[] | undefined,
  { type, match }: Upsert,
): Promise<readonly string[]> {
  const rows = await tx.query<{ id: string; data: string }>(
    `select id, data from objects where account = $1 and type = $2 and not dead and ($3::text[] is null or scopes && $3)
     and not exists (select from unnest($4::text[]) as part where strpos(data, part) = 0)`,
    [account, type, sees ?? null, match.map(jsonTextOf)],
  )
  return rows.filter(({ data }) => matches(data, match)).map(({ id }) => id)
}

async function keep(
  tx: SqlRunner,
  name: readonly string[],
  { revision, dead, json, scopes, ever }: ObjectState,
  moved: boolean,
): Promise<void> {
  await tx.query(
    `insert into objects as o (account, type, id, revision, seq, moved_revision, moved_seq, dead, data, scopes, ever)
     select $1, $2, $3, $4, seq, 0, 0, $5, $6, $7::text[], $8::text[] from nextval('changes') as seq
     on conflict (account, type, id) do update set revision = $4, seq = excluded.seq, dead = $5, data = $6, scopes = $7::text[],
       ever = $8::text[], moved_revision = case when $9 then $4 else o.moved_revision end,
       moved_seq = case when $9 then excluded.seq else o.moved_seq end`,
    [...name, revision, dead, json, scopes, ever, moved],
  )
}

/** The id of a create and the create with that id in its data. Numbers once given are never given again. */
async function identified(
  tx: SqlRunner,
  account: string,
  op: SingleOp & { kind: 'create' },
): Promise<{ readonly id: string; readonly ready: SingleOp }> {
  const id = requestedId(op)
  if (id !== null) {
    await reserveIds(tx, account, op.type, naturalId(id))
    return { id, ready: withId(op, id) }
  }
  const { next } = await one<{ next: number }>(
    tx,
    `insert into type_counters as c (account, type, next_id) values ($1, $2, 2)
     on conflict (account, type) do update set next_id = c.next_id + 1 returning c.next_id - 1 as next`,
    [account, op.type],
  )
  return { id: String(next), ready: withId(op, next) }
}

/** Notes the highest natural id in use, so that the store's own ids go on above it. */
export async function reserveIds(tx: SqlRunner, account: string, type: string, highest: number | null): Promise<void> {
  if (highest === null) return
  await tx.query(
    `insert into type_counters as c (account, type, next_id) values ($1, $2, $3)
     on conflict (account, type) do update set next_id = greatest(c.next_id, excluded.next_id)`,
    [account, type, highest + 1],
  )
}

export async function read(
  sql: SqlRunner,
  account: string,
  sees: readonly string[],
  type: string,
  id: string,
): Promise<StoredObject | null> {
  const [row] = await sql.query<ObjectRow>(
    `select revision, dead, data from objects where account = $1 and type = $2 and id = $3 and not dead and scopes && $4::text[]`,
    [account, type, id, sees],
  )
  return row === undefined ? null : storedOf(type, id, { ...row, json: row.data })
}

interface ListRow extends ObjectRow {
  readonly id: string
}

const NATURAL = `(id ~ '^(0|[1-9][0-9]{0,14})$')`

export async function list(
  sql: SqlRunner,
  account: string,
  sees: readonly string[],
  type: string,
  { page, perPage, ids, match, sortBy }: ListPage,
): Promise<{ readonly objects: readonly StoredObject[]; readonly count: number }> {
  const visible = `from objects where account = $1 and type = $2 and not dead and scopes && $3::text[] and ($4::text[] is null or id = any ($4))`
  const params = [account, type, sees, ids ?? null]
  const { field, dir } = sortBy ?? { field: 'id', dir: 'asc' }
  const offset = (page - 1) * perPage
  if (field === 'id' && match === undefined) {
    const { count } = await one<{ count: number }>(sql, `select count(*) as count ${visible}`, params)
    const order = `${NATURAL} ${dir === 'asc' ? 'desc' : 'asc'}, case when ${NATURAL} then id::bigint end ${dir}, id collate "C" ${dir}`
    const rows = await sql.query<ListRow>(
      `select id, revision, dead, data ${visible} order by ${order} limit $5 offset $6`,
      [...params, perPage, offset],
    )
    return { count, objects: rows.map((row) => storedOf(type, row.id, { ...row, json: row.data })) }
  }
  // By other fields: the values are inside the data, in an order that SQL does not have.
  const rows = await sql.query<ListRow>(`select id, revision, dead, data ${visible}`, params)
  const sorted = rows
    .filter(({ data }) => match === undefined || matches(data, match))
    .map((row) => ({ id: row.id, object: storedOf(type, row.id, { ...row, json: row.data }) }))
    .map(({ id, object }) => ({
      id,
      object,
      field: (name: string) => (object.data && Object.hasOwn(object.data, name) ? object.data[name] : undefined),
    }))
    .sort(compareBy(sortBy))
  return { count: sorted.length, objects: sorted.slice(offset, offset + perPage).map(({ object }) => object) }
}

function storedOf(
  type: string,
  id: string,
  { revision, dead, json }: Pick<ObjectState, 'revision' | 'dead' | 'json'>,
): StoredObject {
  return { type, id, revision, data: dead ? null : fromJson(json) }
}
