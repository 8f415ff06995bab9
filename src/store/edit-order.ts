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
  const inserts = createRecordMap<Edit>()
  for (const edit of edits)
    if (edit.op === 'insert' && edit.state !== 'confirmed' && inserts.get(edit.type, edit.key) === undefined)
      inserts.set(edit.type, edit.key, edit)
  // Only earlier ones: two that name each other would wait forever.
  const waitsFor = (edit: Edit, type: string, key: string): boolean => (inserts.get(type, key)?.n ?? Infinity) < edit.n
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
      namesOf(edit.value, spec).some((name) =>
        (name.type === null ? [...specs.keys()] : [name.type]).some((one) => waitsFor(edit, one, name.key)),
      )
    if (!held && !parked && state !== 'refused' && !except.has(id)) ready.push(edit)
    waiting.set(type, key, true)
    if (group !== null) groups.add(group)
  }
  return ready
}

interface Name {
  readonly field: string
  /** Null: the field that names the collection is not among the values, so any will do. */
  readonly type: string | null
  readonly key: string
}

function namesOf(value: Row, { references }: CollectionSpec): Name[] {
  return [...references].flatMap(([field, to]) => {
    const key = canonicalId(own(value, field))
    const type = typeof to === 'string' ? to : own(value, to.type)
    return key === null ? [] : [{ field, type: typeof type === 'string' ? type : null, key }]
  })
}

/** The fields in which these values name that record. */
function fieldsNaming(value: Row, spec: CollectionSpec, { type, key }: Pick<Edit, 'type' | 'key'>): string[] {
  return namesOf(value, spec)
    .filter((name) => name.key === key && (name.type ?? type) === type)
    .map(({ field }) => field)
}

export function refersTo(value: Row, spec: CollectionSpec, record: Pick<Edit, 'type' | 'key'>): boolean {
  return fieldsNaming(value, spec, record).length > 0
}

/** The same values with a temporary key replaced by the real one. */
export function renamed(
  value: Row,
  spec: CollectionSpec,
  record: Pick<Edit, 'type' | 'key'>,
  real: string | number,
): Row {
  const fields = fieldsNaming(value, spec, record)
  return fields.length === 0 ? value : { ...value, ...Object.fromEntries(fields.map((field) => [field, real])) }
}
