/** The engine as the CRM's parts take it. */
import type { Sync } from '../../src/index.ts'
import type { schema } from './schema.ts'

export type CrmSync = Sync<(typeof schema)['collections']>
export type { Conflict, EditHandle, EditInfo as EditView, RowState } from '../../src/index.ts'
