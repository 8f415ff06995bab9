/** Devices in SQL: known ones, new ones, forgotten ones, and what happens when their user sees other scopes. */
import type { DeviceRef, Terms } from '../store.ts'
import { one, type SqlRunner } from './sql.ts'

export interface DeviceRow {
  readonly no: number
  readonly first_seq: number
  readonly watermark: number
  readonly sees: readonly string[]
  readonly last_seen: number
}

const COLUMNS = 'no, first_seq, watermark, sees, last_seen'

/** The device if it is known and was not silent for too long (O-22). */
export async function findDevice(
  sql: SqlRunner,
  ref: DeviceRef,
  now: number,
  terms: Terms,
): Promise<DeviceRow | undefined> {
  const [row] = await sql.query<DeviceRow>(
    `select ${COLUMNS} from devices where account = $1 and username = $2 and name = $3 and last_seen >= $4`,
    [ref.account, ref.user, ref.device, now - terms.device],
  )
  return row
}

export async function registerDevice(
  tx: SqlRunner,
  ref: DeviceRef,
  sees: readonly string[],
  now: number,
): Promise<DeviceRow> {
  await dropDevice(tx, ref)
  return one<DeviceRow>(
    tx,
    `insert into devices (account, username, name, first_seq, watermark, sees, last_seen)
     select $1, $2, $3, case when is_called then last_value else 0 end, 0, $4::text[], $5 from changes returning ${COLUMNS}`,
    [ref.account, ref.user, ref.device, sees, now],
  )
}

/** With it go its sessions and the keys it sent; its next life has another number, so old keys count no more. */
export async function dropDevice(tx: SqlRunner, { account, user, device }: DeviceRef): Promise<void> {
  await tx.query(
    `with gone as (delete from devices where account = $1 and username = $2 and name = $3 returning no)
     delete from acked where device in (select no from gone)`,
    [account, user, device],
  )
}

/** Forgets every device that was silent for too long (O-22). */
export async function dropSilentDevices(tx: SqlRunner, before: number): Promise<void> {
  await tx.query(
    `with gone as (delete from devices where last_seen < $1 returning no)
     delete from acked where device in (select no from gone)`,
    [before],
  )
}

/**
 * The slow mode of AUTH-3: the user's scopes changed since the device's last start. What went out of sight is
 * noted as owed and gets a new revision, so that its deletion is newer than what the device holds; what came
 * back although its deletion was acknowledged gets one too. Then every object is looked at anew.
 */
export async function changeSight(
  tx: SqlRunner,
  account: string,
  device: DeviceRow,
  sees: readonly string[],
): Promise<void> {
  const lost = `o.account = $1 and o.scopes && $2::text[] and not o.scopes && $3::text[]`
  const scopes = [account, device.sees, sees]
  await tx.query(
    `insert into acked (device, n, revision) select $4, o.n, 0 from objects o
     where ${lost} and (not o.dead or o.moved_seq > $5) on conflict do nothing`,
    [...scopes, device.no, device.first_seq],
  )
  await tx.query(
    `update objects o set revision = o.revision + 1, seq = x.seq, moved_revision = o.revision + 1, moved_seq = x.seq
     from (select o.n, nextval('changes') as seq from objects o where ${lost} and not o.dead) x where o.n = x.n`,
    scopes,
  )
  await tx.query(
    `update objects o set revision = o.revision + 1, seq = nextval('changes') from acked a
     where o.account = $1 and o.scopes && $2::text[] and not o.scopes && $3::text[] and not o.dead
       and a.device = $4 and a.n = o.n and a.revision >= o.revision`,
    [account, sees, device.sees, device.no],
  )
}
