/**
 * The rule of `../pending.ts` as SQL, over `objects o`, `acked a` (left joined) and `devices d`.
 * Both stores pass the same conformance tests, which hold the two together (S20).
 */

/** @param sees expression of the scopes from which it is looked. */
export function pendingSql(sees: string): string {
  return `(case when not o.dead and o.scopes && ${sees} then o.revision > coalesce(a.revision, 0)
    else o.moved_revision > coalesce(a.revision, 0)
      and (a.revision is not null or (o.moved_seq > d.first_seq and o.ever && ${sees})) end)`
}
