/**
 * The rule of `../pending.ts` as SQL, over `objects o` and `acked a` (left joined). Both stores pass the
 * same conformance tests, which hold the two together (S20).
 */

/**
 * @param firstSeq expression of the last change before the device's first start
 * @param sees expression of the scopes from which it is looked
 */
export function pendingSql(firstSeq: string, sees: string): string {
  return `(case when not o.dead and o.scopes && ${sees} then o.revision > coalesce(a.revision, 0)
    else o.moved_revision > coalesce(a.revision, 0)
      and (a.revision is not null or (o.moved_seq > ${firstSeq} and o.ever && ${sees})) end)`
}
