/**
 * Import in SQL: one transaction of multi-row statements (R37). Rows travel as arrays, thousands in one
 * statement; what is there already is read first, and only what differs is written.
 */
import { importEntries, upsert, type ImportEntry, type ObjectState } from '../change.ts'
import { naturalId } from '../identity.ts'
import type { ImportRecord } from '../store.ts'
import { reserveIds } from './objects.ts'
import { arrayLiteral, one, type SqlRunner } from './sql.ts'

const BATCH = 2000

export async function importRecords(
  tx: SqlRunner,
  account: string,
  records: readonly ImportRecord[],
  progress: (done: number) => void,
): Promise<{ readonly changed: number }> {
  const entries = importEntries(records)
  const { known } = await one<{ known: boolean }>(
    tx,
    `select exists (select from objects where account = $1) as known`,
    [account],
  )
  let changed = 0
  for (let at = 0; at < entries.length; at += BATCH) {
    const batch = entries.slice(at, at + BATCH)
    changed += await importBatch(tx, account, batch, known ? await readStates(tx, account, batch) : new Map())
    progress(Math.min(entries.length, at + BATCH))
  }
  const highest = new Map<string, number>()
  for (const { type, id } of entries) highest.set(type, Math.max(highest.get(type) ?? 0, naturalId(id) ?? 0))
  for (const [type, id] of highest) await reserveIds(tx, account, type, id)
  return { changed }
}

interface Written {
  readonly entry: ImportEntry
  readonly state: ObjectState
  readonly moved: boolean
}

async function importBatch(
  tx: SqlRunner,
  account: string,
  batch: readonly ImportEntry[],
  states: ReadonlyMap<string, ObjectState>,
): Promise<number> {
  const written: Written[] = []
  for (const entry of batch) {
    const change = upsert(states.get(nameOf(entry)), entry.json, entry.scopes)
    if (change.kind === 'changed') written.push({ entry, state: change.state, moved: change.moved })
  }
  if (written.length === 0) return 0
  await tx.query(
    `insert into objects as o (account, type, id, revision, seq, moved_revision, moved_seq, dead, data, scopes, ever)
     select $1, type, id, revision, seq, case when moved then revision else 0 end, case when moved then seq else 0 end, false, data,
       scopes::text[], ever::text[]
     from (select *, nextval('changes') as seq from
       unnest($2::text[], $3::text[], $4::text::bigint[], $5::text[], $6::text[], $7::text[], $8::text::boolean[])
       as u(type, id, revision, data, scopes, ever, moved)) u
     on conflict (account, type, id) do update set revision = excluded.revision, seq = excluded.seq, dead = false, data = excluded.data,
       scopes = excluded.scopes, ever = excluded.ever,
       moved_revision = greatest(o.moved_revision, excluded.moved_revision), moved_seq = greatest(o.moved_seq, excluded.moved_seq)`,
    [
      account,
      written.map(({ entry }) => entry.type),
      written.map(({ entry }) => entry.id),
      `{${written.map(({ state }) => state.revision).join(',')}}`,
      written.map(({ state }) => state.json),
      written.map(({ state }) => arrayLiteral(state.scopes)),
      written.map(({ state }) => arrayLiteral(state.ever)),
      `{${written.map(({ moved }) => moved).join(',')}}`,
    ],
  )
  return written.length
}

interface StateRow extends Omit<ObjectState, 'json'> {
  readonly type: string
  readonly id: string
  readonly data: string
}

async function readStates(
  tx: SqlRunner,
  account: string,
  batch: readonly ImportEntry[],
): Promise<ReadonlyMap<string, ObjectState>> {
  const rows = await tx.query<StateRow>(
    `select o.type, o.id, o.revision, o.dead, o.data, o.scopes, o.ever from unnest($2::text[], $3::text[]) u(type, id)
     join objects o on o.account = $1 and o.type = u.type and o.id = u.id`,
    [account, batch.map(({ type }) => type), batch.map(({ id }) => id)],
  )
  return new Map(rows.map((row) => [nameOf(row), { ...row, json: row.data }]))
}

function nameOf({ type, id }: { readonly type: string; readonly id: string }): string {
  return `${type} ${id}`
}
