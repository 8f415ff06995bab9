/** The shadow keys of a row, by indexed field: what the indexes of its table are built on (R4). */
import { shadowKey, type ShadowKey } from '../keys.ts'
import { own, type CollectionSpec, type Row } from '../schema.ts'
import type { TableRow } from './rows.ts'

export function shadowKeys(row: Row, spec: CollectionSpec): Record<string, ShadowKey> {
  const keys: Record<string, ShadowKey> = {}
  for (const index of spec.indexes)
    for (const { field, fold } of index.parts)
      // Not `??=`: a field may be called like what every object inherits.
      if (!Object.hasOwn(keys, field)) keys[field] = shadowKey(own(row, field), fold)
  return keys
}

export function tableRow(id: string, rev: number, data: Row, spec: CollectionSpec): TableRow {
  return { id, rev, data, k: shadowKeys(data, spec) }
}
