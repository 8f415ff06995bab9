/** What the demo's status strip says. */
import { expect, test } from 'vitest'
import { statusWords } from '../../demo/strip/words.ts'
import type { PlainError, Status } from '../../src/index.ts'

const facts = {
  deviceId: 'd',
  sessionId: null,
  role: 'leader',
  lastSyncedAt: null,
  pendingAcks: 0,
  stuck: 0,
  unreadable: 0,
  quarantined: 0,
  records: { settled: 0, unsettled: 0 },
  inbox: { pages: 0, records: 0 },
  outbox: { pending: 0, failed: 0, conflicts: 0 },
  storage: { mode: 'best-effort', usage: null, quota: null, low: false },
} as const

const error = { code: 'endpoint_unreachable', message: 'No answer.' } as const
const phases: readonly Status[] = [
  { ...facts, phase: 'starting' },
  { ...facts, phase: 'connecting' },
  { ...facts, phase: 'draining', progress: { done: 999, estimate: 1000, fraction: 0.999, rate: 500, etaMs: 2 } },
  { ...facts, phase: 'settling' },
  { ...facts, phase: 'idle' },
  { ...facts, phase: 'waiting', retryAt: 5000, error },
  { ...facts, phase: 'offline' },
  { ...facts, phase: 'paused' },
  { ...facts, phase: 'needs-auth', error },
  { ...facts, phase: 'storage-problem', error },
  { ...facts, phase: 'stopped', error },
  { ...facts, phase: 'closed' },
]

test('every phase has words', () => {
  for (const status of phases) {
    const { phase, detail } = statusWords(status, false, 0)
    expect(phase).not.toBe('')
    expect(detail).not.toMatch(/undefined|NaN|null/)
  }
})

test('100 % is not said before it is reached', () => {
  const [draining] = phases.filter((status) => status.phase === 'draining')
  expect(draining && statusWords(draining, false, 0).detail).toMatch(/^99/)
})

test('"in sync" is said only where it is proven (promise 3)', () => {
  const claims = (lastSyncedAt: number | null): string[] =>
    phases
      .filter((status) => statusWords({ ...status, lastSyncedAt }, false, 0).phase === 'In sync')
      .map(({ phase }) => phase)
  expect(claims(1000)).toEqual(['settling', 'idle'])
  expect(claims(null)).toEqual([])
  for (const status of phases) expect(statusWords(status, true, 0).detail).not.toMatch(/In sync as of/)
})

test('a wait counts down, and says that nothing is connected', () => {
  const [waiting] = phases.filter((status) => status.phase === 'waiting')
  expect(waiting && statusWords(waiting, false, 2100)).toMatchObject({
    phase: 'No connection',
    detail: expect.stringContaining('3 s'),
  })
})

test('"in sync" is not said while an edit waits to be sent, and every phase without a network names what waits', () => {
  const outbox = { pending: 2, failed: 1, conflicts: 0 }
  const idle = { ...facts, phase: 'idle', lastSyncedAt: 1000, outbox } as const
  expect(statusWords(idle, false, 0)).toMatchObject({ phase: 'Held back', mood: 'bad' })
  expect(statusWords({ ...idle, outbox: { ...outbox, failed: 0 } }, false, 0)).toMatchObject({
    phase: 'Sending',
    detail: expect.stringContaining('2 edits wait'),
  })
  for (const status of [
    statusWords(idle, true, 0),
    statusWords({ ...idle, phase: 'offline' }, false, 0),
    statusWords({ ...idle, phase: 'waiting', retryAt: 0, error }, false, 0),
    statusWords({ ...idle, phase: 'needs-auth', error }, false, 0),
  ])
    expect(status.detail).toContain('2 edits wait here, 1 to decide')
})

test('a sign-out in another tab is no failure', () => {
  const error = { code: 'signed_out', message: 'Signed out.' } as const
  expect(statusWords({ ...facts, phase: 'stopped', error }, false, 0)).toMatchObject({
    phase: 'Signed out',
    mood: 'calm',
  })
})

test('each trouble that passes has its own words, and each counts down', () => {
  const said = (code: PlainError['code']): string[] => {
    const words = statusWords({ ...facts, phase: 'waiting', retryAt: 5000, error: { code, message: 'm' } }, false, 2100)
    expect(words).toMatchObject({ mood: 'calm', detail: expect.stringContaining('Trying again in 3 s') })
    return [words.phase, words.detail]
  }
  expect(said('server_error')[0]).toBe('Interrupted')
  expect(said('token_failed')[0]).toBe('No connection')
  expect(said('rate_limited')).toEqual(['Slowing down', expect.stringContaining('asks for a pause')])
  expect(said('page_too_large')).toEqual(['Stuck', expect.stringContaining('too large')])
  expect(said('worker_crashed')).toEqual(['Restarting', expect.stringContaining('worker ended and is started again')])
  expect(said('worker_failed')[0]).toBe('Restarting')
  expect(said('storage_closed')).toEqual(['Restarting', expect.stringContaining('database, and it is opened again')])
})

test('each trouble that needs somebody says what to do', () => {
  const said = (phase: 'stopped' | 'storage-problem', code: PlainError['code']) =>
    statusWords({ ...facts, phase, error: { code, message: 'The message says what.' } }, false, 0)
  expect(said('storage-problem', 'storage_full')).toMatchObject({
    phase: 'Storage full',
    mood: 'bad',
    detail: expect.stringMatching(/Free some space.*by itself.*can be read/),
  })
  expect(said('storage-problem', 'storage_unavailable')).toMatchObject({ phase: 'Storage trouble', mood: 'bad' })
  expect(said('stopped', 'worker_crashed')).toMatchObject({ phase: 'Failed', detail: expect.stringMatching(/Reload/) })
  expect(said('stopped', 'account_mismatch')).toMatchObject({ phase: 'Stopped', detail: 'The message says what.' })
})

test('what lies aside and what room is left is said beside "in sync"', () => {
  const idle = { ...facts, phase: 'idle', lastSyncedAt: 1000 } as const
  const detail = (more: Partial<Status>): string =>
    statusWords({ ...idle, ...more } as Status, false, 0).detail.replace(/^[^.]*/, '')
  expect(detail({})).toBe('')
  expect(detail({ quarantined: 3 })).toBe('. 3 set aside because they cannot be shown')
  expect(detail({ stuck: 1, unreadable: 1 })).toBe('. 2 stuck at the server')
  expect(detail({ storage: { ...facts.storage, low: true } })).toMatch(/nearly full: free some space/)
})
