/**
 * How the differences of one stream become messages: in slices, of which the last one makes the step visible (R39),
 * as rows or as typed arrays.
 */
import type { ShadowKey } from '../keys.ts'
import { own, type Row } from '../schema.ts'
import type { RowState, ToPage, WireRow } from './api.ts'

/** Most rows in one message: more would be a long task on the page. */
const SLICE_ROWS = 2_000
const SLICE_SLOTS = 20_000

export interface Update {
  readonly row: Row
  readonly key: ShadowKey | null
  readonly state: RowState
}

export type Send = (message: ToPage, transfer?: Transferable[]) => void

/** Sends the last word on each record, null if it left; `reset` makes everything sent earlier void. */
type Deliver = (batch: ReadonlyMap<string, Update | null>, reset: boolean) => void

export function rowSender(stream: number, select: readonly string[] | undefined, send: Send): Deliver {
  return (batch, reset) => {
    const removed: string[] = []
    const rows: WireRow[] = []
    for (const [id, update] of batch) {
      if (update === null) removed.push(id)
      else
        rows.push({
          id,
          key: update.key,
          data: select === undefined ? update.row : pick(update.row, select),
          state: update.state,
        })
    }
    const length = Math.max(rows.length, removed.length, 1)
    for (let at = 0; at < length; at += SLICE_ROWS) {
      const end = at + SLICE_ROWS
      send({
        kind: 'rows',
        stream,
        reset: reset && at === 0,
        rows: rows.slice(at, end),
        removed: removed.slice(at, end),
        last: end >= length,
      })
    }
  }
}

/** Each record gets a slot when first seen and keeps it; a record that left has NaN in its slot. */
export function columnSender(stream: number, fields: readonly string[], send: Send): Deliver {
  let slotOf = new Map<string, number>()
  let used = 0
  return (batch, reset) => {
    if (reset) {
      slotOf = new Map()
      used = 0
    }
    const entries = [...batch].flatMap(([id, update]): Array<[number, Row | null]> => {
      let slot = slotOf.get(id)
      if (slot === undefined) {
        if (update === null) return []
        slot = used++
        slotOf.set(id, slot)
      }
      return [[slot, update === null ? null : update.row]]
    })
    const length = Math.max(entries.length, 1)
    for (let at = 0; at < length; at += SLICE_SLOTS) {
      const part = entries.slice(at, at + SLICE_SLOTS)
      const slots = Uint32Array.from(part, ([slot]) => slot)
      const values = fields.map((field) =>
        Float64Array.from(part, ([, row]) => (row === null ? NaN : numberOf(own(row, field)))),
      )
      send({ kind: 'columns', stream, reset: reset && at === 0, slots, values, last: at + SLICE_SLOTS >= length }, [
        slots.buffer,
        ...values.map(({ buffer }) => buffer),
      ])
    }
  }
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : NaN
}

function pick(row: Row, fields: readonly string[]): Row {
  return Object.fromEntries(fields.filter((field) => Object.hasOwn(row, field)).map((field) => [field, row[field]]))
}
