/** A query that names a record by its temporary key finds it under its real one (R18). */
import { canonicalId } from '../keys.ts'
import type { Condition, Query, Scalar } from '../query.ts'
import type { CollectionSpec } from '../schema.ts'
import type { Edits } from './edits.ts'

export function withRealKeys(query: Query, spec: CollectionSpec, { alias }: Pick<Edits, 'alias'>): Query {
  const where = Object.fromEntries(
    Object.entries(query.where).map(([field, condition]): [string, Condition] => {
      const to = field === spec.keyField ? spec.name : spec.references.get(field)
      const type = typeof to === 'object' ? query.where[to.type] : to
      if (typeof type !== 'string') return [field, condition]
      const real = (value: Scalar): Scalar => alias(type, canonicalId(value) ?? '')?.jsonKey ?? value
      if (condition === null || typeof condition !== 'object') return [field, real(condition)]
      return [field, 'in' in condition && Array.isArray(condition.in) ? { in: condition.in.map(real) } : condition]
    }),
  )
  return { ...query, where }
}
