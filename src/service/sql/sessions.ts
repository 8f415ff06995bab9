/**
 * Sessions in SQL. A start computes once what is pending and stores it as the session's queue; a page then
 * costs a few index look-ups per item, whatever else the tables hold. A page travels as two texts rather
 * than as rows: taking rows apart would cost more than finding them.
 */
import { createAckKeys } from '../ack-key.ts'
import { fromJson, toJson } from '../data.ts'
import { keyFieldsOf } from '../identity.ts'
import { sameScopes, scopeSet } from '../pending.ts'
import {
  ENVELOPE_BYTES,
  type DeviceRef,
  type HandedItem,
  type OpenedSession,
  type PageLimits,
  type TakenPage,
  type Terms,
} from '../store.ts'
import { changeSight, findDevice, registerDevice, type DeviceRow } from './devices.ts'
import { pendingSql } from './pending.ts'
import { one, type SqlRunner } from './sql.ts'
import { PART } from './tables.ts'

export interface SessionDeps {
  readonly now: () => number
  readonly uuid: () => string
  readonly terms: Terms
  readonly secret: string
}

export async function openSession(
  tx: SqlRunner,
  ref: DeviceRef,
  sees: readonly string[],
  maxSessions: number,
  { now, uuid, terms }: SessionDeps,
): Promise<OpenedSession> {
  const time = now()
  await tx.query(`delete from sessions where used_at < $1 or started_at < $2`, [
    time - terms.sessionIdle,
    time - terms.sessionLife,
  ])
  const known = await findDevice(tx, ref, time, terms)
  const { active } = await one<{ active: number }>(
    tx,
    `select count(*) as active from sessions s join devices d on d.no = s.device
     where d.account = $1 and d.username = $2 and d.no is distinct from $3 and s.newest and not s.drained`,
    [ref.account, ref.user, known?.no ?? null],
  )
  if (active >= maxSessions) return { kind: 'too_many' }
  const deviceIsNew = known === undefined
  const device = known ?? (await registerDevice(tx, ref, sees, time))
  const sightChanged = !sameScopes(device.sees, sees)
  if (sightChanged) await changeSight(tx, ref.account, device, sees)
  await tx.query(`update devices set sees = $2::text[], last_seen = $3 where no = $1`, [device.no, sees, time])
  const session = uuid()
  const pending = await fillQueue(
    tx,
    ref.account,
    { ...device, sees, watermark: sightChanged ? 0 : device.watermark },
    session,
    time,
  )
  return pending === 0 ? { kind: 'nothing', deviceIsNew } : { kind: 'opened', session, pending, deviceIsNew }
}

/**
 * Stores the queue, moves the device's watermark up to it, and says how long it is. The watermark is a
 * parameter, not a column to join, so that the planner sees how little is above it.
 */
async function fillQueue(
  tx: SqlRunner,
  account: string,
  device: DeviceRow,
  session: string,
  time: number,
): Promise<number> {
  await tx.query(`update sessions set newest = false where device = $1 and newest`, [device.no])
  const { total } = await one<{ total: number }>(
    tx,
    `with pending as materialized (
       select o.n, o.seq from objects o left join acked a on a.device = $1 and a.n = o.n
       where o.account = $2 and o.seq > $3 and ${pendingSql('$4', '$5::text[]')}),
     summary as (select count(*) as total, min(seq) as first from pending),
     opened as (
       insert into sessions (id, device, sees, started_at, used_at, position, total, drained, newest)
       select $6, $1, $5::text[], $7, $7, 0, total, false, true from summary where total > 0),
     parts as (
       insert into session_parts (session, part, objects)
       select $6, place / ${PART}, array_agg(n order by n) from (select n, row_number() over (order by n) - 1 as place from pending)
       group by 2),
     marked as (
       update devices set watermark = coalesce(summary.first - 1, (select last_value from changes)) from summary where no = $1)
     select total from summary`,
    [device.no, account, device.watermark, device.first_seq, device.sees, session, time],
  )
  return total
}

interface SessionRow {
  readonly device: number
  readonly first_seq: number
  /** What the user saw at the start. */
  readonly seen: readonly string[]
  readonly position: number
  readonly total: number
}

export async function takePage(
  tx: SqlRunner,
  ref: DeviceRef,
  session: string,
  { limit, bytes, sees }: PageLimits,
  { now, terms, secret }: SessionDeps,
): Promise<TakenPage> {
  const time = now()
  const [row] = await tx.query<SessionRow>(
    `select d.no as device, d.first_seq, s.sees as seen, s.position, s.total from sessions s join devices d on d.no = s.device
     where s.id = $1 and d.account = $2 and d.username = $3 and d.name = $4 and s.used_at >= $5 and s.started_at >= $6
     for update of s`,
    [session, ref.account, ref.user, ref.device, time - terms.sessionIdle, time - terms.sessionLife],
  )
  if (row === undefined) return { kind: 'gone' }
  const keys = createAckKeys(secret, ref, row.device)
  const items: HandedItem[] = []
  let { position } = row
  let room = bytes
  while (position < row.total && items.length < limit) {
    const wanted = { position, limit: limit - items.length, room, first: items.length === 0, sees: scopeSet(sees) }
    const slice = await readSlice(tx, session, row, wanted)
    for (const { n, ...item } of slice.entries) items.push({ ...item, ackKey: keys.make(n, item.revision) })
    position = slice.next
    room -= slice.size
    if (slice.full) break
  }
  const drained = items.length === 0
  await tx.query(`update sessions set position = $2, used_at = $3, drained = $4 where id = $1`, [
    session,
    position,
    time,
    drained,
  ])
  if (!drained) return { kind: 'page', items, left: row.total - position }
  await tx.query(`delete from session_parts where session = $1`, [session])
  return { kind: 'drained' }
}

interface SliceQuery {
  readonly position: number
  readonly limit: number
  readonly room: number
  readonly first: boolean
  readonly sees: readonly string[]
}

type Entry = Omit<HandedItem, 'ackKey'> & { readonly n: number }

interface Slice {
  readonly entries: readonly Entry[]
  /** Where the next slice begins. */
  readonly next: number
  readonly size: number
  /** The page has no room for the next item. */
  readonly full: boolean
}

/** At least so many places of the queue are looked at in one step: most may be acknowledged by now. */
const STEP = 200

/** @param alsoNow looks at what the user sees now, too: needed only if that is not what he saw at the start. */
function sliceSql(alsoNow: boolean): string {
  // Seen at the start of the session and not now, or the other way round: the next start sorts it out (S10).
  const still = alsoNow ? `and (o.dead or (o.scopes && $6::text[]) = (o.scopes && $11::text[]))` : ''
  return `
  with waiting as (
    select p.part * ${PART} + $3 + u.ord as place, o.n, o.type, o.id, o.revision, o.data, coalesce(a.revision, 0) as acked,
      case when o.dead then 'd' when o.scopes && $6::text[] then 'u' else 'g' end as state,
      octet_length(o.data) + ${ENVELOPE_BYTES} as size
    from session_parts p cross join lateral unnest(p.objects[$3 + 1 : $4]) with ordinality u(n, ord)
      join objects o on o.n = u.n left join acked a on a.device = $5 and a.n = o.n
    where p.session = $1 and p.part = $2 and ${pendingSql('$7', '$6::text[]')} ${still}),
  running as (
    select *, sum(size) over (order by place) as total, row_number() over (order by place) as rank from waiting),
  fitting as (select * from running where rank <= $8 and (total <= $9 or ($10 and rank = 1)))
  select count(*) as taken, max(place) as last, sum(size)::bigint as size,
    (select min(place) from waiting where place > coalesce((select max(place) from fitting), 0)) as following,
    string_agg(concat_ws(' ', n, revision, acked, state, type, id), E'\\n' order by place) as heads,
    string_agg(data, E'\\n' order by place) as texts
  from fitting`
}

interface SliceRow {
  readonly taken: number
  /** Place of the last item taken, of the first waiting one that was not; places count from 1. */
  readonly last: number | null
  readonly following: number | null
  readonly size: number | null
  readonly heads: string | null
  readonly texts: string | null
}

async function readSlice(tx: SqlRunner, session: string, row: SessionRow, wanted: SliceQuery): Promise<Slice> {
  const part = Math.floor(wanted.position / PART)
  const from = wanted.position - part * PART
  const to = Math.min(PART, from + Math.max(wanted.limit, STEP))
  const params = [session, part, from, to, row.device, row.seen, row.first_seq, wanted.limit, wanted.room, wanted.first]
  const alsoNow = !sameScopes(row.seen, wanted.sees)
  const slice = await one<SliceRow>(tx, sliceSql(alsoNow), alsoNow ? [...params, wanted.sees] : params)
  return {
    entries: entriesOf(slice),
    next: nextPosition(slice, wanted.limit) ?? Math.min(row.total, part * PART + to),
    size: slice.size ?? 0,
    full: slice.following !== null,
  }
}

/** Behind the last item of a full page, else before the item that had no room; null: everything was taken. */
function nextPosition({ taken, last, following }: SliceRow, limit: number): number | null {
  return taken === limit ? last : following === null ? null : following - 1
}

// Neither heads nor texts can hold a line break: ids and types have no control characters, JSON escapes them.
function entriesOf({ heads, texts }: SliceRow): readonly Entry[] {
  if (heads === null || texts === null) return []
  const data = texts.split('\n')
  return heads.split('\n').map((head, index) => entryOf(head, data[index] ?? '{}'))
}

function entryOf(head: string, json: string): Entry {
  const [n = '', revision = '', acked = '', state = '', type = '', ...id] = head.split(' ')
  return {
    n: Number(n),
    type,
    id: id.join(' '),
    revision: Number(revision),
    event: state === 'u' ? (acked === '0' ? 'created' : 'updated') : 'deleted',
    json: state === 'g' ? toJson(keyFieldsOf(type, fromJson(json))) : json,
  }
}
