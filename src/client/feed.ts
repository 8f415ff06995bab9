/**
 * What live queries and column feeds share: a stream of differences that is open while anybody listens,
 * shown as a snapshot (R39). Without a listener it keeps what it knew last and says `loading`, since it
 * cannot know whether that is still true.
 */
import type { Sleeper } from '../clock.ts'
import type { SyncError } from '../errors.ts'
import type { LiveSnapshot, Store } from './api.ts'
import { createAttendance, createAudience } from './audience.ts'
import type { OpenStream, StreamSink } from './streams.ts'

export type FeedState = Pick<LiveSnapshot<never>, 'state' | 'error'>

export interface Feed<Snapshot, Change> extends Store<Snapshot> {
  readonly changes: (listener: (change: Change) => void) => () => void
}

export interface FeedSource<Snapshot, Change> {
  /** Opens the stream. `commit` shows what has been taken since: null if that changed nothing. */
  readonly start: (sink: {
    readonly failed: StreamSink['failed']
    readonly commit: (change: Change | null) => void
  }) => () => void
  readonly view: (state: FeedState) => Snapshot
  /** All there is, as a difference to nothing. */
  readonly whole: () => Change
}

export interface FeedDeps {
  readonly openStream: OpenStream
  readonly clock: Sleeper
}

export function createFeed<Snapshot, Change>(
  clock: Sleeper,
  { start, view, whole }: FeedSource<Snapshot, Change>,
): Feed<Snapshot, Change> {
  let state: FeedState = { state: 'loading', error: null }
  let snapshot: Snapshot | null = null
  let close: () => void

  const show = (next: FeedState['state'], error: SyncError | null = null): void => {
    state = { state: next, error }
    snapshot = null
  }
  const attendance = createAttendance(
    clock,
    () => {
      show('loading')
      close = start({
        failed(error) {
          show('error', error)
          listeners.tell(true)
        },
        commit(change) {
          if (change === null && state.state === 'ready') return
          show('ready')
          listeners.tell(true)
          followers.tell(change)
        },
      })
    },
    () => {
      close()
      show('loading')
    },
  )
  const listeners = createAudience<true>(attendance)
  const followers = createAudience<Change>(attendance, () => (state.state === 'ready' ? whole() : null))

  return {
    getSnapshot: () => (snapshot ??= view(state)),
    subscribe: (listener) => listeners.join(() => listener()),
    changes: followers.join,
  }
}
