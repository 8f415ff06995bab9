/**
 * A live query on the page: follows one stream of row differences while anybody is subscribed and shows
 * it as an immutable, sorted snapshot (R21, R39). Without a subscriber it keeps the last known rows and
 * says `loading`, since it cannot know whether they are still true.
 */
import type { Clock } from '../clock.ts'
import type { SyncError } from '../errors.ts'
import type { CompiledQuery } from '../query.ts'
import type { WireRow } from '../worker/api.ts'
import type { LiveChanges, LiveQuery, LiveSnapshot, RowState } from './api.ts'
import { createAttendance, createAudience, createFollowers } from './audience.ts'
import { createRowSet, type RowDifference } from './rows.ts'
import type { OpenStream } from './streams.ts'

export interface LiveQueryDeps {
  readonly openStream: OpenStream
  readonly clock: Clock
}

export function createLiveQuery<T>({ query, compare }: CompiledQuery, { openStream, clock }: LiveQueryDeps): LiveQuery<T> {
  const rows = createRowSet(compare)
  let state: LiveSnapshot<T>['state'] = 'loading'
  let error: SyncError | null = null
  let snapshot: LiveSnapshot<T> | null = null
  let stopStream: () => void = () => undefined

  const attendance = createAttendance(clock, start, stop)
  const audience = createAudience<[]>(attendance)
  const followers = createFollowers<LiveChanges<T>>(attendance, () => changesOf({ added: rows.entries(), changed: [], removed: [] }))

  return {
    getSnapshot: () => (snapshot ??= takeSnapshot()),
    subscribe: audience.join,
    changes: (listener) => followers.join(listener, state === 'ready'),
  }

  function start(): void {
    let first = true
    show('loading', null)
    stopStream = openStream('live', query, {
      rows(message) {
        rows.take({ ...message, reset: message.reset || first })
        first = false
        if (!message.last) return
        const difference = rows.commit()
        const { added, changed, removed } = difference
        const quiet = added.length + changed.length + removed.length === 0
        if (quiet && state === 'ready') return
        show('ready', null)
        audience.tell()
        followers.tell(quiet ? null : changesOf(difference))
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

  function takeSnapshot(): LiveSnapshot<T> {
    const entries = rows.entries()
    return { state, rows: dataOf(entries), states: entries.map(stateOf), error }
  }

  function changesOf({ added, changed, removed }: RowDifference): LiveChanges<T> {
    return { added: dataOf(added), changed: dataOf(changed), removed: dataOf(removed) }
  }

  // The row type is the schema's word; nothing on the page could check it.
  function dataOf(entries: readonly WireRow[]): T[] {
    return entries.map((entry) => entry.data as T)
  }
}

function stateOf({ stale }: WireRow): RowState {
  return stale ? 'stale' : 'synced'
}
