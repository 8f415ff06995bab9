/** The app of the simulation: things, and parts that refer to them. */
import { collection, defineSchema, type CollectionOptions, type ConflictPolicy, type Schema } from '../../src/schema.ts'
import type { WriteSwarm } from './swarm.ts'

export interface Thing {
  readonly id: number
  readonly name: string
  readonly note?: string
  readonly group: number | null
  readonly extra?: Readonly<Record<string, string>>
  readonly tag?: string
}

export interface Part extends Omit<Thing, 'id'> {
  readonly id: number | string
  readonly thing_id: number | string | null
}

const check = (value: unknown): { issues?: Array<{ message: string }> } =>
  typeof (value as Thing).name === 'string' ? {} : { issues: [{ message: 'name must be text' }] }

const validate = { '~standard': { version: 1, vendor: 'test', validate: check } } as const

/** A value of its own, of which both sides are told. */
const both: ConflictPolicy = ({ field, ours, theirs }) =>
  field === 'name' ? `${String(theirs)}+${String(ours)}`.slice(-60) : field === 'note' ? theirs : ours

export function schemaFor(writes: WriteSwarm | null): Schema {
  if (writes === null)
    return defineSchema({ version: 1, collections: { thing: collection<Thing>({ indexes: ['group'], validate }) } })
  const common: Pick<CollectionOptions<Part>, 'create' | 'conflict' | 'merge' | 'validate'> = {
    create: { via: writes.create },
    conflict: writes.conflict === 'function' ? both : writes.conflict,
    merge: { extra: 'deep' },
    validate,
  }
  return defineSchema({
    version: 1,
    collections: {
      thing: collection<Thing>({ ...(common as CollectionOptions<Thing>), indexes: ['group'] }),
      part: collection<Part>({ ...common, keyType: 'string', references: { thing_id: 'thing' } }),
    },
  })
}
