/**
 * Numeric fields of many rows as growing typed arrays (R39): for maps and charts, where 100,000 row objects
 * would cost the page's thread hundreds of milliseconds. Slots are dense numbers given by the worker;
 * a removed row leaves NaN in its slot.
 */
import type { Clock } from '../clock.ts'
import type { SyncError } from '../errors.ts'
import type { Query } from '../query.ts'
import type { ColumnFeed, ColumnsChange, ColumnsSnapshot } from './api.ts'
import { createAttendance, createAudience, createFollowers } from './audience.ts'
import type { OpenStream } from './streams.ts'

const FIRST_CAPACITY = 1024

export function createColumnFeed<F extends string>(
  query: Query & { readonly select: readonly F[] },
  { openStream, clock }: { readonly openStream: OpenStream; readonly clock: Clock },
): ColumnFeed<F> {
  const fields = query.select
  let state: ColumnsSnapshot<F>['state'] = 'loading'
  let error: SyncError | null = null
  let snapshot: ColumnsSnapshot<F> | null = null
  let shown = noSlots(fields.length)
  let stopStream: () => void = () => undefined

  const attendance = createAttendance(clock, start, stop)
  const audience = createAudience<[]>(attendance)
  const followers = createFollowers<ColumnsChange>(attendance, () => ({ from: 0, to: shown.size, slots: new Uint32Array(0) }))

  return {
    getSnapshot: () => (snapshot ??= takeSnapshot()),
    subscribe: audience.join,
    changes: (listener) => followers.join(listener, state === 'ready'),
  }

  function start(): void {
    // The slots under construction: those shown, or fresh ones from a reset until its last message.
    let building = noSlots(fields.length)
    let from = 0
    let touched: number[] = []
    show('loading', null)
    stopStream = openStream('columns', query, {
      columns({ reset, slots, values, last }) {
        if (reset) {
          building = noSlots(fields.length)
          from = 0
          touched = []
        }
        write(building, slots, values)
        for (const slot of slots) if (slot < from) touched.push(slot)
        if (!last) return
        const quiet = building === shown && from === building.size && touched.length === 0
        const change = { from, to: building.size, slots: Uint32Array.from(touched) }
        shown = building
        from = shown.size
        touched = []
        if (quiet && state === 'ready') return
        show('ready', null)
        audience.tell()
        followers.tell(quiet ? null : change)
      },
      failed(reason) {
        show('error', reason)
        audience.tell()
      },
    })
  }

  function stop(): void {
    stopStream()
    show('loading', null)
  }

  function show(next: typeof state, reason: SyncError | null): void {
    state = next
    error = reason
    snapshot = null
  }

  function takeSnapshot(): ColumnsSnapshot<F> {
    const columns = Object.fromEntries(fields.map((field, at) => [field, shown.arrays[at]])) as Record<F, Float64Array>
    return { state, size: shown.size, columns, error }
  }
}

interface Slots {
  size: number
  readonly arrays: Float64Array[]
}

function noSlots(fields: number): Slots {
  return { size: 0, arrays: Array.from({ length: fields }, () => emptyColumn(FIRST_CAPACITY)) }
}

function emptyColumn(capacity: number): Float64Array {
  return new Float64Array(capacity).fill(NaN)
}

function write(target: Slots, slots: Uint32Array, values: readonly Float64Array[]): void {
  for (const slot of slots) if (slot >= target.size) target.size = slot + 1
  target.arrays.forEach((array, field) => {
    const column = array.length >= target.size ? array : grown(array, target.size)
    target.arrays[field] = column
    const incoming = values[field]
    for (let at = 0; at < slots.length; at++) column[slots[at] as number] = incoming?.[at] ?? NaN
  })
}

function grown(array: Float64Array, size: number): Float64Array {
  let capacity = array.length
  while (capacity < size) capacity *= 2
  const column = emptyColumn(capacity)
  column.set(array)
  return column
}
