/** The push by itself, against an outbox that only counts: batches, what is said of each edit, who waits for whom (R15, R20, I12, L3, F52). */
import { describe, expect, it } from 'vitest'
import { push, type PushDeps } from '../../src/engine/push.ts'
import type { EditAnswer } from '../../src/engine/transport.ts'
import { SyncError, type ErrorCode } from '../../src/errors.ts'
import type { EditRequest } from '../../src/store/edit.ts'
import type { EditOutcome, Outbox } from '../../src/store/outbox.ts'

const lease = { device: 'device', epoch: 1 }
const accepted: EditAnswer = { kind: 'accepted', row: null, revision: 1 }
const refused: EditAnswer = {
  kind: 'refused',
  problem: { code: 'refused', status: 422, message: 'no', fields: [] },
}
const names = (count: number): string[] => Array.from({ length: count }, (_, at) => `e${at + 1}`)
const idOf = ({ path }: EditRequest): string => path.slice(1)

function outboxOf(ids: readonly string[]) {
  const waiting = [...ids]
  const taken: string[][] = []
  const outcomes: EditOutcome[] = []
  const terms: unknown[] = []
  const outbox = {
    counts: () => ({ pending: waiting.length, failed: 0, conflicts: 0 }),
    take: (_lease, most, told, except) => {
      terms.push(told)
      const next = waiting.filter((id) => !except.has(id)).slice(0, most)
      taken.push(next)
      return Promise.resolve(
        next.map((id) => ({
          id,
          again: false,
          request: { method: 'PUT', path: `/${id}`, body: '{}', idempotencyKey: id } as const,
        })),
      )
    },
    answer: (_lease, said) => {
      outcomes.push(...said)
      for (const { id, kind } of said)
        if (kind === 'accepted' || kind === 'refused') waiting.splice(waiting.indexOf(id), 1)
      return Promise.resolve()
    },
  } satisfies Pick<Outbox, 'counts' | 'take' | 'answer'>
  return { outbox: outbox as unknown as Outbox, waiting, taken, outcomes, terms }
}

function pushing(
  ids: readonly string[],
  write: (id: string, signal: AbortSignal) => Promise<EditAnswer> | EditAnswer,
  signal: AbortSignal = new AbortController().signal,
) {
  const box = outboxOf(ids)
  const sent: string[] = []
  let open = 0
  let most = 0
  const deps: PushDeps = {
    store: { outbox: box.outbox },
    lease,
    terms: () => ({ keyMemoryMs: 5, clientIds: true }),
    failed: new Set(),
    onPushed: () => {},
    transport: {
      async write(request, given) {
        sent.push(idOf(request))
        most = Math.max(most, ++open)
        try {
          await Promise.resolve()
          return await write(idOf(request), given)
        } finally {
          open--
        }
      },
    },
  }
  return { ...box, sent, deps, most: () => most, run: () => push(deps, signal) }
}

const fail = (code: ErrorCode, more = {}): never => {
  throw new SyncError(code, code, more)
}

describe('a push', () => {
  it('sends everything in the order it is given, eight at a time, under the terms of the server (I13, R13)', async () => {
    const { run, sent, taken, most, terms, waiting } = pushing(names(20), () => accepted)
    expect(await run()).toEqual({ accepted: 20, failure: null })
    expect(sent).toEqual(names(20))
    expect(taken.map(({ length }) => length)).toEqual([8, 8, 4, 0])
    expect(most()).toBe(8)
    expect(terms[0]).toEqual({ keyMemoryMs: 5, clientIds: true })
    expect(waiting).toEqual([])
  })

  it('says of each edit what the server said to it, and goes on behind one that is refused (F52, F54, L3)', async () => {
    const { run, outcomes } = pushing(names(10), (id) =>
      id === 'e2' ? refused : { ...accepted, revision: Number(id.slice(1)) },
    )
    expect(await run()).toEqual({ accepted: 9, failure: null })
    expect(outcomes.find(({ id }) => id === 'e2')).toEqual({ id: 'e2', ...refused })
    for (const outcome of outcomes) if (outcome.kind === 'accepted') expect(`e${outcome.revision}`).toBe(outcome.id)
  })

  it('goes on past an edit the server fails on, tells of it at the end, and sends it once (L3, R20)', async () => {
    const { run, sent, outcomes, waiting } = pushing(names(20), (id) =>
      id === 'e3' ? fail('server_error', { status: 500 }) : accepted,
    )
    const { accepted: count, failure } = await run()
    expect([count, failure]).toMatchObject([19, { code: 'server_error', status: 500 }])
    expect(sent.filter((id) => id === 'e3')).toHaveLength(1)
    expect(outcomes.find(({ id }) => id === 'e3')).toEqual({ id: 'e3', kind: 'unknown' })
    expect(waiting).toEqual(['e3'])
  })

  it('sends what failed the last time after everything else (L3)', async () => {
    const { run, sent, waiting } = pushing(names(20), (id) => (Number(id.slice(1)) <= 8 ? fail('timeout') : accepted))
    await expect(run()).rejects.toMatchObject({ code: 'timeout' })
    expect(sent).toEqual(names(8))
    await expect(run()).rejects.toMatchObject({ code: 'timeout' })
    expect(sent.slice(8)).toEqual([...names(20).slice(8), ...names(8)])
    expect(waiting).toEqual(names(8))
  })

  it('stops when nothing of a batch got through (F1, F2)', async () => {
    for (const code of ['endpoint_unreachable', 'timeout', 'bad_response', 'server_error'] as const) {
      const { run, sent, outcomes } = pushing(names(20), () => fail(code))
      await expect(run()).rejects.toMatchObject({ code })
      expect(sent).toEqual(names(8))
      expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['unknown']))
    }
  })

  it('stops at what concerns every request, uses nothing up, and keeps the wait the server asked for (AUTH-1, ERR-3, F6)', async () => {
    for (const code of ['unauthorized', 'rate_limited', 'token_failed'] as const) {
      const { run, sent, outcomes, deps } = pushing(names(20), (id) =>
        id === 'e5' ? fail(code, { retryAfterMs: 7_000 }) : accepted,
      )
      await expect(run()).rejects.toMatchObject({ code, retryAfterMs: 7_000 })
      expect(sent).toEqual(names(8))
      expect(outcomes.find(({ id }) => id === 'e5')).toEqual({ id: 'e5', kind: 'untouched' })
      expect(outcomes).toHaveLength(8)
      // It says nothing about the edit.
      expect(deps.failed.size).toBe(0)
    }
  })

  it('that is cut says nothing of edits under way, only of those that were answered (R15, I12)', async () => {
    const stop = new AbortController()
    const { run, outcomes, taken, deps } = pushing(
      names(20),
      (id) => {
        if (id === 'e1') return accepted
        stop.abort()
        return fail('aborted')
      },
      stop.signal,
    )
    await expect(run()).rejects.toMatchObject({ code: 'aborted' })
    expect(outcomes).toEqual([{ id: 'e1', ...accepted }])
    expect(taken).toHaveLength(1)
    expect(deps.failed.size).toBe(0)
  })

  it('takes nothing once it is cut, and answers for nothing if all was cut (R15, R24)', async () => {
    const stop = new AbortController()
    const { run, outcomes, taken } = pushing(
      names(3),
      () => {
        stop.abort()
        return fail('aborted')
      },
      stop.signal,
    )
    await expect(run()).rejects.toMatchObject({ code: 'aborted' })
    await expect(run()).rejects.toMatchObject({ code: 'aborted' })
    expect([outcomes, taken.length]).toEqual([[], 1])
  })

  it('ends with what the store says when it refuses to take or to note (R24, F26)', async () => {
    const { deps } = pushing(names(3), () => accepted)
    for (const call of ['take', 'answer'] as const) {
      const outbox = { ...deps.store.outbox, [call]: () => Promise.reject(new SyncError('fenced', 'no')) }
      await expect(push({ ...deps, store: { outbox } }, new AbortController().signal)).rejects.toMatchObject({
        code: 'fenced',
      })
    }
  })
})
