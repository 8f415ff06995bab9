/** A status as a sentence: what is happening, and what it means for the visitor. */
import type { PlainError, Status } from '../../src/index.ts'
import { count, duration, percent, time } from '../format.ts'

export interface Words {
  readonly phase: string
  readonly detail: string
  readonly mood: 'busy' | 'good' | 'calm' | 'bad'
}

const since = ({ lastSyncedAt }: Status): string =>
  lastSyncedAt === null ? 'Never in sync yet' : `In sync as of ${time(lastSyncedAt)}`

/** Phases that have more to say than that the switch is on. */
const UNCUT: ReadonlySet<Status['phase']> = new Set(['starting', 'settling', 'stopped', 'closed'])

/** What this device has that the server has not. */
function unsent({ outbox: { pending, failed } }: Status): string {
  const parts = [
    pending > 0 && `${count(pending)} ${pending === 1 ? 'edit waits' : 'edits wait'} here`,
    failed > 0 && `${count(failed)} to decide`,
  ].filter((part) => part !== false)
  return parts.length === 0 ? '' : `${parts.join(', ')}. `
}

/** What lies aside or cannot be taken, and how much room is left: said beside whatever else is going on. */
function asides({ stuck, unreadable, quarantined, storage: { low } }: Status): string {
  const parts = [
    quarantined > 0 && `${count(quarantined)} set aside because they cannot be shown`,
    stuck + unreadable > 0 && `${count(stuck + unreadable)} stuck at the server`,
    low && 'Storage is nearly full: free some space on this device',
  ].filter((part) => part !== false)
  return parts.map((part) => `. ${part}`).join('')
}

/** Failures that pass by themselves, as far as a visitor can tell them apart. */
function waitingFor({ code }: PlainError): readonly [phase: string, why: string] {
  switch (code) {
    // The demo's server gives a token to anybody who reaches it.
    case 'endpoint_unreachable':
    case 'token_failed':
      return ['No connection', '']
    case 'rate_limited':
      return ['Slowing down', 'The server asks for a pause. ']
    case 'page_too_large':
      return ['Stuck', 'The server sends something too large to take. ']
    case 'worker_crashed':
    case 'worker_failed':
      return ['Restarting', 'The sync worker ended and is started again. ']
    case 'storage_closed':
      return ['Restarting', 'The browser closed the local database, and it is opened again. ']
    default:
      return ['Interrupted', '']
  }
}

/**
 * @param cut the demo's own Offline switch is on
 * @param now wall time, for count-downs
 */
export function statusWords(status: Status, cut: boolean, now: number): Words {
  if (cut && !UNCUT.has(status.phase))
    return { phase: 'Offline', detail: `By your switch. ${unsent(status)}${since(status)}`, mood: 'calm' }
  // A tab that follows another may have nothing to do and nothing proven yet (promise 3).
  if ((status.phase === 'idle' || status.phase === 'settling') && status.lastSyncedAt === null)
    return { phase: 'Waiting', detail: since(status), mood: 'busy' }
  // "In sync" speaks of both ways.
  if ((status.phase === 'idle' || status.phase === 'settling') && status.outbox.pending > 0) {
    // What still waits after a look at the server most likely builds on what was refused.
    if (status.outbox.failed > 0) return { phase: 'Held back', detail: unsent(status) + since(status), mood: 'bad' }
    return { phase: 'Sending', detail: unsent(status) + since(status), mood: 'busy' }
  }
  switch (status.phase) {
    case 'starting':
      return { phase: 'Opening', detail: 'The local database is being opened', mood: 'busy' }
    case 'connecting':
      return { phase: 'Connecting', detail: 'Asking the server what is new', mood: 'busy' }
    case 'draining': {
      const { done, estimate, fraction, rate, etaMs } = status.progress
      const share = fraction === null ? '' : `${percent(fraction)}, `
      const of = estimate === null ? count(done) : `${count(done)} of ${count(estimate)}`
      const left = etaMs === null || etaMs === 0 || rate === 0 ? '' : `, ${duration(etaMs)} left`
      return { phase: 'Receiving', detail: `${share}${of} · ${count(rate)}/s${left}`, mood: 'busy' }
    }
    case 'settling':
      return {
        phase: 'In sync',
        detail: `${unsent(status)}${count(status.records.unsettled)} ${status.records.unsettled === 1 ? 'record is' : 'records are'} being filed into their tables`,
        mood: 'good',
      }
    case 'idle':
      return {
        phase: 'In sync',
        detail: unsent(status) + since(status).replace('In sync as', 'As') + asides(status),
        mood: 'good',
      }
    case 'waiting': {
      const seconds = Math.max(0, Math.ceil((status.retryAt - now) / 1000))
      const [phase, why] = waitingFor(status.error)
      const again = seconds === 0 ? 'Trying again' : `Trying again in ${duration(seconds * 1000)}`
      return { phase, detail: `${why}${again}. ${unsent(status)}${since(status)}`, mood: 'calm' }
    }
    case 'offline':
      return { phase: 'Offline', detail: `${unsent(status)}${since(status)}. All of it works`, mood: 'calm' }
    case 'paused':
      return { phase: 'Paused', detail: since(status), mood: 'calm' }
    case 'needs-auth':
      return {
        phase: 'Not signed in',
        detail: `${unsent(status)}Sign in again to go on. ${since(status)}`,
        mood: 'bad',
      }
    case 'storage-problem':
      if (status.error.code === 'storage_full')
        return {
          phase: 'Storage full',
          detail: `Free some space on this device: sync goes on by itself then. ${unsent(status)}What is here can be read`,
          mood: 'bad',
        }
      return { phase: 'Storage trouble', detail: status.error.message, mood: 'bad' }
    case 'stopped':
      if (status.error.code === 'worker_crashed')
        return { phase: 'Failed', detail: 'The sync worker ended again and again. Reload the page', mood: 'bad' }
      if (status.error.code === 'signed_out')
        return { phase: 'Signed out', detail: 'The data was removed from this device', mood: 'calm' }
      return { phase: 'Stopped', detail: status.error.message, mood: 'bad' }
    case 'closed':
      return { phase: 'Closed', detail: 'This tab no longer follows', mood: 'calm' }
  }
}
