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

export async function takePage(
  sql: SqlRunner,
  ref: DeviceRef,
  session: string,
  { limit, bytes, sees }: PageLimits,
  deps: SessionDeps,
): Promise<TakenPage> {
  const items: HandedItem[] = []
  let room = bytes
  let width = limit
  for (;;) {
    const first = items.length === 0
    const slice = await takeSlice(sql, ref, session, { width, limit: limit - items.length, room, first, sees }, deps)
    if (slice === undefined) return { kind: 'gone' }
    const keys = createAckKeys(deps.secret, ref, slice.device)
    for (const { n, ...item } of entriesOf(slice)) items.push({ ...item, ackKey: keys.make(n, item.revision) })
    if (slice.left === 0 && items.length === 0) break
    if (slice.left === 0 || slice.full || items.length >= limit) return { kind: 'page', items, left: slice.left }
    room -= slice.size
    // Much of what is left of the queue may be acknowledged by now: look further each time.
    width = Math.min(PART, width * 4)
  }
  await sql.query(`delete from session_parts where session = $1`, [session])
  return { kind: 'drained' }
}

interface SliceQuery {
  /** How many places of the queue are looked at. */
  readonly width: number
  /** How many items may be taken. */
  readonly limit: number
  /** How many bytes they may have; the first of a page may have more. */
  readonly room: number
  readonly first: boolean
  /** What the user sees now. */
  readonly sees: readonly string[]
}

type Entry = Omit<HandedItem, 'ackKey'> & { readonly n: number }

interface Slice {
  readonly device: number
  readonly size: number
  /** Places of the queue behind this slice. */
  readonly left: number
  /** The next item has no room on this page. */
  readonly full: boolean
  readonly heads: string | null
  readonly texts: string | null
}

/**
 * Takes the next items of a session and moves its position, in one statement: the row lock on the session
 * keeps callers at the same time apart (FETCH-4). The position stops behind the last item of a full page,
 * before an item that has no room, else at the end of what was looked at. Places count from 1.
 */
const TAKE = `
  with s as (
    select s.id, s.sees, s.position, s.total, d.no as device, d.first_seq, s.position / ${PART} as part, s.position % ${PART} as start
    from sessions s join devices d on d.no = s.device
    where s.id = $1 and d.account = $2 and d.username = $3 and d.name = $4 and s.used_at >= $5 and s.started_at >= $6
    for update of s),
  waiting as (
    select s.part * ${PART} + s.start + u.ord as place, o.n, o.type, o.id, o.revision, o.data, coalesce(a.revision, 0) as acked,
      case when o.dead then 'd' when o.scopes && s.sees then 'u' else 'g' end as state,
      octet_length(o.data) + ${ENVELOPE_BYTES} as size
    from s join session_parts p on p.session = s.id and p.part = s.part
      cross join lateral unnest(p.objects[s.start + 1 : s.start + $7]) with ordinality u(n, ord)
      join objects o on o.n = u.n left join acked a on a.device = s.device and a.n = o.n
    -- Seen at the start of the session and not now, or the other way round: the next start sorts it out (S10).
    where ${pendingSql('s.first_seq', 's.sees')} and (s.sees = $8::text[] or o.dead or (o.scopes && s.sees) = (o.scopes && $8::text[]))),
  running as (
    select *, sum(size) over (order by place) as total, row_number() over (order by place) as rank from waiting),
  fitting as (select * from running where rank <= $9 and (total <= $10 or ($11 and rank = 1))),
  page as (
    select count(*) as taken, max(place) as last, coalesce(sum(size), 0)::bigint as size,
      (select min(place) from waiting where place > coalesce((select max(place) from fitting), 0)) as following,
      string_agg(concat_ws(' ', n, revision, acked, state, type, id), E'\\n' order by place) as heads,
      string_agg(data, E'\\n' order by place) as texts
    from fitting),
  step as (
    select case when taken = $9 then last when following is not null then following - 1
      else least(s.total, s.part * ${PART} + least(${PART}, s.start + $7)) end as position
    from page, s),
  moved as (
    update sessions set position = step.position, used_at = $12, drained = $11 and page.taken = 0 and step.position = sessions.total
    from step, page where sessions.id = $1 and exists (select from s))
  select s.device, page.size, s.total - step.position as left, page.following is not null as full, page.heads, page.texts
  from s, step, page`

async function takeSlice(
  sql: SqlRunner,
  { account, user, device }: DeviceRef,
  session: string,
  { width, limit, room, first, sees }: SliceQuery,
  { now, terms }: SessionDeps,
): Promise<Slice | undefined> {
  const time = now()
  const alive = [time - terms.sessionIdle, time - terms.sessionLife]
  const params = [session, account, user, device, ...alive, width, scopeSet(sees), limit, room, first, time]
  const [slice] = await sql.query<Slice>(TAKE, params)
  return slice
}

// Neither heads nor texts can hold a line break: ids and types have no control characters, JSON escapes them.
function entriesOf({ heads, texts }: Slice): readonly Entry[] {
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
