/** What to do after a failure, and how long to wait (ERR-3, F5, I24). */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backoff, KNOWN_OUTCOMES, recoveryOf, retryAfterMs } from '../../src/engine/retry.ts'
import type { ErrorCode } from '../../src/errors.ts'

const HOUR = 3_600_000
const at = Date.parse('2026-02-02T03:04:05Z')
const drawn = (lot: number): { float: () => number; uuid: () => string } => ({ float: () => lot, uuid: () => '' })

describe('recovery', () => {
  it('retries passing faults alone; what a person must mend stops, and a fence leads anew (ERR-3, F7)', () => {
    const of = (recovery: string): string[] =>
      Object.entries(recoveryOf)
        .flatMap(([code, one]) => (one === recovery ? [code] : []))
        .sort()
    expect(of('retry')).toEqual(
      expect.arrayContaining([
        'bad_response',
        'endpoint_unreachable',
        'endpoint_wrong',
        'page_too_large',
        'rate_limited',
        'server_error',
        'session_gone',
        'timeout',
      ]),
    )
    for (const code of [
      'forbidden',
      'account_mismatch',
      'request_refused',
      'schema_outdated',
      'storage_closed',
    ] satisfies ErrorCode[])
      expect(recoveryOf[code]).toBe('stop')
    expect(of('storage')).toEqual(['storage_failed', 'storage_full'])
    expect(of('lead-anew')).toEqual(['fenced', 'generation_changed'])
    expect(recoveryOf.unauthorized).toBe('auth')
  })

  it('a fetch whose outcome is unknown is never taken for known (R9)', () => {
    expect([...KNOWN_OUTCOMES].sort()).toEqual([
      'forbidden',
      'rate_limited',
      'session_gone',
      'token_failed',
      'unauthorized',
    ])
  })
})

describe('the wait before a try', () => {
  it('doubles from a second to a minute, with full jitter (ERR-3)', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, lot) => {
          const wait = backoff(attempt, drawn(lot))
          expect(wait).toBeGreaterThanOrEqual(0)
          expect(wait).toBeLessThanOrEqual(Math.min(60_000, 1_000 * 2 ** (attempt - 1)))
        },
      ),
    )
    expect([1, 2, 3, 7, 50].map((attempt) => backoff(attempt, drawn(0.999_999_9)))).toEqual([
      1_000, 2_000, 4_000, 60_000, 60_000,
    ])
    expect(backoff(5, drawn(0))).toBe(0)
  })

  it('is never shorter than the server asked, and never absurd (F5, ERR-3)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.nat({ max: 1e9 }), (attempt, asked) => {
        const wait = backoff(attempt, drawn(0.5), asked)
        expect(wait).toBeGreaterThanOrEqual(Math.min(asked, HOUR))
        expect(wait).toBeLessThanOrEqual(HOUR)
      }),
    )
  })
})

describe('Retry-After', () => {
  it('is seconds or a date (ERR-3, F5)', () => {
    expect(retryAfterMs('0', at)).toBe(0)
    expect(retryAfterMs(' 120 ', at)).toBe(120_000)
    expect(retryAfterMs('Mon, 02 Feb 2026 03:04:35 GMT', at)).toBe(30_000)
    expect(retryAfterMs('999999999', at)).toBe(HOUR)
  })

  it('says nothing when absent, past, negative or nonsense (F5)', () => {
    for (const header of [
      null,
      '',
      ' ',
      '-1',
      '-120',
      '1.5',
      'soon',
      'NaN',
      'Infinity',
      'Mon, 02 Feb 2016 03:04:35 GMT',
      '0x10',
    ])
      expect([header, retryAfterMs(header, at)]).toEqual([header, undefined])
  })

  it('never gives a wait that is negative, over an hour or no number, whatever the header and the clock say (F5, I24)', () => {
    const header = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.integer().map(String),
      fc.double().map(String),
      fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    )
    fc.assert(
      fc.property(header, fc.integer({ min: -1e15, max: 1e15 }), (text, now) => {
        const ms = retryAfterMs(text, now)
        expect(ms === undefined || (Number.isFinite(ms) && ms >= 0 && ms <= HOUR)).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })
})
