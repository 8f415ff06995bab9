/** Acknowledgements in SQL: taken in as one durable row per call, worked off later by one statement (FAQ-6.0). */
import { createAckKeys } from '../ack-key.ts'
import type { DeviceRef, WorkOff } from '../store.ts'
import { findDevice } from './devices.ts'
import type { SessionDeps } from './sessions.ts'
import type { SqlRunner } from './sql.ts'

export async function acceptAcks(
  sql: SqlRunner,
  ref: DeviceRef,
  keys: readonly string[],
  deps: SessionDeps,
): Promise<void> {
  const device = await findDevice(sql, ref, deps.now(), deps.terms)
  if (device === undefined) return
  const reader = createAckKeys(deps.secret, ref, device.no)
  const acks = keys.map((key) => reader.read(key)).filter((ack) => ack !== null)
  if (acks.length === 0) return
  await sql.query(
    `insert into ack_inbox (device, taken_at, objects, revisions)
     select no, $2, $3::text::bigint[], $4::text::bigint[] from devices where no = $1`,
    [
      device.no,
      deps.now(),
      `{${acks.map(({ object }) => object).join(',')}}`,
      `{${acks.map(({ revision }) => revision).join(',')}}`,
    ],
  )
}

/** The acknowledged revision is the highest seen, in whatever order and how often keys come (S5). */
export async function workOffAcks(
  tx: SqlRunner,
  { device: ref, minAgeMs = 0, limit }: WorkOff,
  deps: SessionDeps,
): Promise<void> {
  const device = ref === undefined ? undefined : await findDevice(tx, ref, deps.now(), deps.terms)
  if (ref !== undefined && device === undefined) return
  await tx.query(
    `with due as (
       select id from (
         select id, sum(cardinality(objects)) over (order by id) - cardinality(objects) as before from ack_inbox
         where taken_at <= $1 and ($2::bigint is null or device = $2)) waiting
       where $3::bigint is null or before < $3),
     taken as (delete from ack_inbox i using due where i.id = due.id returning i.device, i.objects, i.revisions)
     insert into acked (device, n, revision)
     select device, u.n, max(u.revision) from taken cross join lateral unnest(objects, revisions) u(n, revision) group by 1, 2
     on conflict (device, n) do update set revision = excluded.revision where acked.revision < excluded.revision`,
    [deps.now() - minAgeMs, device?.no ?? null, limit ?? null],
  )
}
