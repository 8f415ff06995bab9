/**
 * The application's word on writes: first `validate`, which may refuse, then `prepare`, which gives the data to
 * keep. Both run inside the store's transaction, so what they are shown is what is stored when the write is kept.
 */
import type { Draft, FieldError, JsonObject, Review } from './store.ts'

export interface WriteChange extends Draft {
  /** Who writes, as `authorize` named him. */
  readonly user: string
}

/** Errors refuse the write with 422, all of them in one answer. */
export type Validate = (change: WriteChange) => void | readonly FieldError[] | Promise<void | readonly FieldError[]>

/** The record of a create, or the changed fields of an update; nothing: as given. Deletes are not asked about. */
export type Prepare = (change: WriteChange) => void | JsonObject | Promise<void | JsonObject>

export interface WriteRules {
  readonly validate?: Validate | undefined
  readonly prepare?: Prepare | undefined
}

/** Undefined if there are no rules. */
export function reviewOf({ validate, prepare }: WriteRules, user: string): Review | undefined {
  if (validate === undefined && prepare === undefined) return undefined
  return async (draft) => {
    const change: WriteChange = { ...draft, user }
    const errors = (await validate?.(change)) ?? []
    if (errors.length > 0) return { kind: 'refused', errors }
    const prepared = draft.op === 'delete' ? undefined : await prepare?.(change)
    return { kind: 'fine', data: prepared ?? draft.data }
  }
}
