/** Streams without a worker: the test plays the other side. */
import { createStreams, type OpenStream, type StreamMessage } from '../../src/client/streams.ts'
import type { ShadowKey } from '../../src/keys.ts'
import type { RowState, ToWorker } from '../../src/worker/api.ts'

export interface StreamSource {
  readonly openStream: OpenStream
  readonly posted: ToWorker[]
  /** Delivers to the stream that was opened last. */
  readonly rows: (
    rows: ReadonlyArray<readonly [id: number, value: unknown]>,
    options?: { reset?: boolean; removed?: readonly number[]; last?: boolean; state?: RowState },
  ) => void
  readonly columns: (
    slots: readonly number[],
    values: ReadonlyArray<readonly number[]>,
    options?: { reset?: boolean; last?: boolean },
  ) => void
  readonly deliver: (message: StreamMessage) => void
  readonly fail: ReturnType<typeof createStreams>['fail']
  readonly open: () => number
}

export function createStreamSource(keyOf: (value: unknown) => ShadowKey | null = () => null): StreamSource {
  const posted: ToWorker[] = []
  const streams = createStreams((message) => void posted.push(message))
  const newest = (): number =>
    Math.max(...posted.flatMap((message) => (message.kind === 'open-stream' ? [message.stream] : [])))
  return {
    openStream: streams.open,
    posted,
    rows: (rows, { reset = false, removed = [], last = true, state = 'synced' } = {}) =>
      streams.deliver({
        kind: 'rows',
        stream: newest(),
        reset,
        last,
        removed: removed.map(String),
        rows: rows.map(([id, value]) => ({ id: String(id), key: keyOf(value), data: { id, value }, state })),
      }),
    columns: (slots, values, { reset = false, last = true } = {}) =>
      streams.deliver({
        kind: 'columns',
        stream: newest(),
        reset,
        last,
        slots: Uint32Array.from(slots),
        values: values.map((list) => Float64Array.from(list)),
      }),
    deliver: streams.deliver,
    fail: streams.fail,
    open: () =>
      posted.filter(({ kind }) => kind === 'open-stream').length -
      posted.filter(({ kind }) => kind === 'close-stream').length,
  }
}
