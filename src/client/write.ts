/**
 * What an app writes, recorded as plain operations (R20): checked where it is written, with the key of a new record
 * known at once, so that later operations can name it (R18). Nothing leaves before the callback has returned.
 */
import { systemRandom } from '../clock.ts'
import { SyncError } from '../errors.ts'
import type { Collection, Collections, Row } from '../schema.ts'
import type { WriteOp } from '../worker/api.ts'
import type { Transaction, TransactionCollection } from './api.ts'
import { plainCopy } from './plain.ts'

/**
 * Runs the callback.
 * @throws SyncError `invalid_argument` for what cannot be written, and whatever the callback throws
 */
export function record<C extends Collections>(
  collections: C,
  callback: (tx: Transaction<C>) => unknown,
): readonly WriteOp[] {
  const ops: WriteOp[] = []
  let over = false
  const add = (op: WriteOp): void => {
    if (over) late()
    ops.push(op)
  }
  const recorders = Object.entries(collections).map(([name, one]) => [name, recorder(name, one, add)])
  try {
    const result = callback(Object.fromEntries(recorders) as Transaction<C>)
    if (typeof (result as PromiseLike<unknown> | undefined)?.then === 'function') {
      Promise.resolve(result).catch(() => undefined)
      late()
    }
    return ops
  } finally {
    over = true
  }
}

function late(): never {
  bad('write', 'the callback must be synchronous')
}

function recorder(
  collection: string,
  { options: { key: field = 'id', keyType } }: Collection<Row>,
  add: (op: WriteOp) => void,
): TransactionCollection<Row> {
  // Whether it has one key field, and a key can be one, the worker says.
  const op = (op: WriteOp['op'], key: string | number, value: Row | null, temporary = false): void =>
    add({ op, collection, key, value, temporary })
  /** The fields without the key, and the key. */
  const split = (given: unknown): [Row, unknown] => {
    const { [field as string]: key, ...rest } = plainFields(collection, given)
    return [rest, key]
  }
  return {
    insert(given) {
      const [value, own] = split(given)
      const temporary = own === undefined || own === null
      const key = temporary ? temporaryKey(keyType) : (own as string | number)
      op('insert', key, temporary ? value : { ...value, [field as string]: key }, temporary)
      return key
    },
    update(key, patch) {
      const [value, own] = split(patch)
      if (own !== undefined && `${own as string}` !== `${key}`) bad(collection, 'a key cannot be changed')
      op('update', key, value)
    },
    delete: (key) => op('delete', key, null),
  }
}

/** One that no server gives: a negative number, or a UUID (R18). */
function temporaryKey(keyType: 'number' | 'string' | undefined): string | number {
  return keyType === 'string' ? systemRandom.uuid() : -1 - Math.floor(systemRandom.float() * Number.MAX_SAFE_INTEGER)
}

/** A copy of what an app gives as a record or a part of one. @throws SyncError `invalid_argument`, by the field */
export function plainFields(where: string, given: unknown): Row {
  const value = plainCopy(given, where, (path, what) => bad(path, `${what} is no JSON`))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) bad(where, 'give an object')
  return value as Row
}

export function bad(where: string, what: string): never {
  throw new SyncError('invalid_argument', `${where}: ${what}.`)
}
