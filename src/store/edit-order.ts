/**
 * Which edits may leave now (I13, R20): those of one record in their order, of one `sync.write` in theirs, and
 * none before the record it names exists at the server. What was refused holds back only what depends on it.
 */
import { canonicalId } from '../keys.ts'
import { own, type CollectionSpec, type Row } from '../schema.ts'
import type { Edit } from './edit.ts'
import { createRecordMap } from './record-map.ts'

type Specs = ReadonlyMap<string, CollectionSpec>

/**
 * @param edits in their order
 * @param except that are not to be sent now
 */
export function sendable(edits: readonly Edit[], specs: Specs, except: ReadonlySet<string>): Edit[] {
  const inserts = edits.filter(({ op, state }) => op === 'insert' && state !== 'confirmed')
  const waiting = createRecordMap<true>()
  const groups = new Set<string>()
  const ready: Edit[] = []
  for (const edit of edits) {
    if (edit.state === 'confirmed') continue
    const { id, type, key, group, parked, state } = edit
    const spec = specs.get(type)
    const held =
      spec === undefined ||
      waiting.get(type, key) === true ||
      (group !== null && groups.has(group)) ||
      inserts.some((insert) => insert !== edit && insert.key !== key && refersTo(edit.value, spec, insert))
    if (!held && !parked && state !== 'refused' && !except.has(id)) ready.push(edit)
    waiting.set(type, key, true)
    if (group !== null) groups.add(group)
  }
  return ready
}

/** Whether these values name that record. Where the field that names the collection is not among them, any will do. */
export function refersTo(
  value: Row,
  { references }: CollectionSpec,
  { type, key }: Pick<Edit, 'type' | 'key'>,
): boolean {
  for (const [field, to] of references) {
    if (canonicalId(own(value, field)) !== key) continue
    const named = typeof to === 'string' ? to : (own(value, to.type) ?? type)
    if (named === type) return true
  }
  return false
}

/** The same values with a temporary key replaced by the real one. */
export function renamed(
  value: Row,
  spec: CollectionSpec,
  record: Pick<Edit, 'type' | 'key'>,
  real: string | number,
): Row {
  if (!refersTo(value, spec, record)) return value
  const next: Record<string, unknown> = { ...value }
  for (const field of spec.references.keys()) if (canonicalId(own(value, field)) === record.key) next[field] = real
  return next
}
