/**
 * The row and column streams of one client, told apart by number on the one MessagePort (R39).
 * A stream that can deliver nothing any more says so once: nothing waits for a dead worker (I20).
 */
import { fromPlain, type SyncError } from '../errors.ts'
import type { Query } from '../query.ts'
import type { StreamMode, ToPage, ToWorker } from '../worker/api.ts'

type Message<K extends ToPage['kind']> = Extract<ToPage, { readonly kind: K }>
export type StreamMessage = Message<'rows' | 'columns' | 'failed'>

export interface StreamSink {
  readonly rows?: (message: Message<'rows'>) => void
  readonly columns?: (message: Message<'columns'>) => void
  /** The stream is over. */
  readonly failed: (error: SyncError) => void
}

/** Opens a stream; returns the way to close it. */
export type OpenStream = (mode: StreamMode, query: Query, sink: StreamSink) => () => void

export interface Streams {
  readonly open: OpenStream
  deliver(message: StreamMessage): void
  /** Asks another worker for every stream anew: the first that it sends of each voids what was sent before. */
  again(): void
  /** Ends every stream, also those opened later. */
  fail(error: SyncError): void
}

export function createStreams(post: (message: ToWorker) => void): Streams {
  const sinks = new Map<number, { readonly sink: StreamSink; readonly ask: () => void }>()
  let opened = 0
  let ended: SyncError | null = null

  return {
    open(mode, query, sink) {
      const stream = ++opened
      const ask = (): void => post({ kind: 'open-stream', stream, mode, query })
      sinks.set(stream, { sink, ask })
      if (ended !== null) queueMicrotask(failAll)
      ask()
      return () => {
        if (sinks.delete(stream)) post({ kind: 'close-stream', stream })
      }
    },

    deliver(message) {
      const sink = sinks.get(message.stream)?.sink
      if (message.kind !== 'failed') return sink?.[message.kind]?.(message as never)
      sinks.delete(message.stream)
      sink?.failed(fromPlain(message.error))
    },

    again() {
      for (const { ask } of sinks.values()) ask()
    },

    fail(error) {
      ended = error
      failAll()
    },
  }

  function failAll(): void {
    for (const { sink } of sinks.values()) if (ended !== null) sink.failed(ended)
    sinks.clear()
  }
}
