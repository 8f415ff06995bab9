/**
 * The tables of the SQL stores. Truth is the set difference of `objects` and `acked` (S6); everything
 * else makes it cheap or keeps what is under way.
 *
 * - `objects`: one row per object ever known, dead ones too. `n` is its number for ever, `seq` the number of
 *   its last change among all changes. `data` is text: JSON as it came, or the key fields of a dead object.
 * - `devices`: `first_seq` is the last change before its first start; every change up to `watermark` is
 *   acknowledged or no concern of this device, so that an idle start looks at nothing else.
 * - `acked`: highest acknowledged revision; 0: owed a deletion, nothing acknowledged.
 * - `session_parts`: the queue of a session in pieces of `PART` object numbers, fixed at its start (R32).
 * - `ack_inbox`: keys taken in and not worked off, one row per call (FAQ-6.0).
 */
import type { SqlRunner } from './sql.ts'

export const PART = 1000

export const SCHEMA_VERSION = 1

const TABLES = [
  `create table meta (key text primary key, value text not null)`,
  `create sequence changes`,
  `create table objects (
    n bigint generated always as identity primary key,
    account text not null, type text not null, id text not null,
    revision bigint not null, seq bigint not null, moved_revision bigint not null, moved_seq bigint not null,
    dead boolean not null, data text not null, scopes text[] not null, ever text[] not null,
    unique (account, type, id))`,
  `create index objects_by_change on objects (account, seq)`,
  `create table type_counters (account text, type text, next_id bigint not null, primary key (account, type))`,
  `create table devices (
    no bigint generated always as identity primary key,
    account text not null, username text not null, name text not null,
    first_seq bigint not null, watermark bigint not null, sees text[] not null, last_seen bigint not null,
    unique (account, username, name))`,
  `create table acked (device bigint, n bigint, revision bigint not null, primary key (device, n))`,
  `create table sessions (
    id text primary key, device bigint not null references devices on delete cascade,
    sees text[] not null, started_at bigint not null, used_at bigint not null,
    position bigint not null, total bigint not null, drained boolean not null, newest boolean not null)`,
  `create index sessions_by_device on sessions (device)`,
  `create table session_parts (
    session text references sessions on delete cascade, part bigint, objects bigint[] not null, primary key (session, part))`,
  `create table ack_inbox (
    id bigint generated always as identity primary key,
    device bigint not null references devices on delete cascade,
    taken_at bigint not null, objects bigint[] not null, revisions bigint[] not null)`,
  `create table outcomes (
    account text, username text, key text, print text not null, at bigint not null,
    type text not null, id text not null, revision bigint not null, data text, primary key (account, username, key))`,
  `create index outcomes_by_age on outcomes (at)`,
]

export async function createTables(tx: SqlRunner): Promise<void> {
  for (const statement of TABLES) await tx.query(statement)
}
