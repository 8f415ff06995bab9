/**
 * The real service, watched: every change of a record is written down with the edit that caused it, so that effects
 * can be counted (I12), their order checked (I13), and values shown on devices dated (I15).
 */
import { canonicalId } from '../../src/keys.ts'
import { isSame } from '../../src/store/same.ts'
import type { ExchangeAnswer, ExchangeRequest } from '../../src/service/answer.ts'
import { createExchange } from '../../src/service/exchange.ts'
import { createMemoryStore } from '../../src/service/memory.ts'
import type { ServiceOptions } from '../../src/service/options.ts'
import type { JsonObject, SyncStore, WriteOp, WriteResult } from '../../src/service/store.ts'

/** The header by which the simulation, and nobody else, knows whose request it is. */
export const EDIT_HEADER = 'x-edit'
/** The number of a request: one that comes again is a double whose answer nobody hears. */
export const NUMBER_HEADER = 'x-number'

export interface Version {
  readonly rev: number
  readonly data: JsonObject | null
}

/** Whose edit it is, and its place among those of its device. */
export interface EditOrigin {
  readonly device: number
  readonly n: number
  /** The key it was made under: while a create is unanswered its record may have come under the real one too. */
  readonly key: string
}

/** What the service answered to an edit's requests. */
export interface Said {
  readonly yes: boolean
  readonly no: boolean
  /** The revision in the last yes; null if it told none. */
  readonly revision: number | null
}

const NOTHING_SAID: Said = { yes: false, no: false, revision: null }

export interface WatchedServer {
  readonly store: SyncStore
  answer(request: ExchangeRequest): Promise<ExchangeAnswer>
  /** Somebody else's write. */
  write(op: WriteOp): Promise<void>
  /** What this record was, oldest first. */
  versions(type: string, id: string): readonly Version[]
  /** Every record there ever was. */
  records(): ReadonlyArray<{ readonly type: string; readonly id: string }>
  /** The record that an insert made, by the mark it bears. */
  made(tag: string): { readonly type: string; readonly id: string; readonly key: string | number } | undefined
  /** The revision in which a field of a record first had this value. */
  revisionOf(type: string, id: string, field: string, value: unknown): number | undefined
  /** A value that came back at the server, as a repeated request of a vendor's client may make it. */
  cameBack(value: unknown): boolean
  /** The service answered this edit's request with yes, or no. */
  said(edit: string): Said
  readonly counts: { effects: number; refused: number; replays: number }
}

export interface ServerDeps extends Omit<ServiceOptions, 'store'> {
  readonly uuid: () => string
  readonly now: () => number
  readonly origin: (edit: string) => EditOrigin | undefined
  readonly fail: (kind: string, what: string) => void
  readonly note: (event: string) => void
}

export function createWatchedServer(deps: ServerDeps): WatchedServer {
  const { uuid, now, origin, fail, note, ...options } = deps
  const service = createMemoryStore({ epoch: 'one', uuid, now })
  const versions = new Map<string, Version[]>()
  const madeBy = new Map<string, { type: string; id: string; key: string | number }>()
  const effects = new Map<string, number>()
  const lastOf = new Map<string, number>()
  const firstSeen = new Map<string, number>()
  const back = new Set<unknown>()
  const numbers = new Set<string>()
  const answers = new Map<string, Said>()
  const counts = { effects: 0, refused: 0, replays: 0 }
  const base = { ...options, uuid, now }
  const main = createExchange({ ...base, store: { ...service, importRecords } })

  const historyOf = (type: string, id: string): Version[] => {
    const key = `${type} ${id}`
    const list = versions.get(key) ?? []
    versions.set(key, list)
    return list
  }

  async function importRecords(
    ...args: Parameters<SyncStore['importRecords']>
  ): ReturnType<SyncStore['importRecords']> {
    const done = await service.importRecords(...args)
    for (const { type, data } of args[1]) keep(type, String(data['id']), { rev: 1, data })
    return done
  }

  /** Undefined: this revision is known already, so nothing has happened. */
  function keep(type: string, id: string, version: Version): Version[] | undefined {
    const list = historyOf(type, id)
    if (list.some(({ rev }) => rev === version.rev)) return undefined
    list.push(version)
    list.sort((a, b) => a.rev - b.rev)
    const at = list.indexOf(version)
    for (const [field, value] of Object.entries(version.data ?? {})) {
      const key = `${type} ${id} ${field} ${JSON.stringify(value)}`
      const first = firstSeen.get(key)
      if (first === undefined || first > version.rev) firstSeen.set(key, version.rev)
      else if (list[at - 1]?.data?.[field] !== value) back.add(value)
    }
    return list
  }

  function heed(edit: string | null, op: WriteOp, result: WriteResult, heard: boolean): void {
    if (edit !== null) {
      const before = answers.get(edit) ?? NOTHING_SAID
      const yes = result.kind === 'written' || (result.kind === 'missing' && op.kind === 'delete')
      const tells = result.kind === 'written' && options.profile !== 'vendor'
      answers.set(edit, {
        yes: before.yes || yes,
        no: before.no || !yes,
        revision: tells ? result.object.revision : before.revision,
      })
    }
    // The late double of a refused request, which the user has changed meanwhile, does no harm.
    if (result.kind === 'key_reused' && heard) fail('body', `another body came under the key of edit ${edit}`)
    if (result.kind !== 'written') return void counts.refused++
    const { type, id, revision, data } = result.object
    const before = historyOf(type, id).findLast(({ rev }) => rev < revision)
    if (keep(type, id, { rev: revision, data }) === undefined) return void counts.replays++
    if (edit !== null) judge(edit, op, type, id, data, before?.data ?? null)
  }

  function judge(
    edit: string,
    op: WriteOp,
    type: string,
    id: string,
    data: JsonObject | null,
    before: JsonObject | null,
  ): void {
    counts.effects++
    const times = (effects.get(edit) ?? 0) + 1
    effects.set(edit, times)
    note(`effect of ${edit} on ${type} ${id}`)
    // A vendor's server cannot tell a repeated change from a new one; of its records each bears its mark.
    if (times > 1 && options.profile !== 'vendor')
      fail('double', `edit ${edit} took effect ${times} times on ${type} ${id}`)
    const tag = data?.['tag']
    if (before === null && typeof tag === 'string') {
      const other = madeBy.get(tag)
      if (other !== undefined && historyOf(other.type, other.id).at(-1)?.data !== null && other.id !== id)
        fail('double', `${type} ${id} and ${other.id} are one insert`)
      madeBy.set(tag, { type, id, key: data!['id'] as string | number })
    }
    const to = canonicalId(('data' in op ? op.data : 'patch' in op ? op.patch : {})['thing_id'])
    if (to !== null && !versions.has(`thing ${to}`))
      fail('reference', `${type} ${id} refers to thing ${to}, which the server never knew`)
    const from = origin(edit)
    if (from === undefined) return
    const place = `${from.device} ${type} ${id} ${from.key}`
    if (from.n < (lastOf.get(place) ?? 0)) fail('order', `edits of ${type} ${id} took effect out of order`)
    lastOf.set(place, from.n)
  }

  const watched = (edit: string | null, heard: boolean): SyncStore => ({
    ...service,
    async write(writer, op, key, review) {
      const result = await service.write(writer, op, key, review)
      heed(edit, op, result, heard)
      return result
    },
  })

  return {
    store: { ...service, importRecords },
    answer: (request) => {
      const edit = request.headers.get(EDIT_HEADER) ?? null
      if (edit === null) return main(request)
      const number = request.headers.get(NUMBER_HEADER) ?? ''
      const heard = !numbers.has(number)
      numbers.add(number)
      return createExchange({ ...base, store: watched(edit, heard) })(request)
    },
    async write(op) {
      await watched(null, true).write({ account: 'acme', user: 'bob' }, op)
    },
    versions: (type, id) => versions.get(`${type} ${id}`) ?? [],
    records: () =>
      [...versions.keys()].map((key) => ({
        type: key.slice(0, key.indexOf(' ')),
        id: key.slice(key.indexOf(' ') + 1),
      })),
    made: (tag) => madeBy.get(tag),
    revisionOf: (type, id, field, value) => firstSeen.get(`${type} ${id} ${field} ${JSON.stringify(value)}`),
    cameBack: (value) => back.has(value),
    said: (edit) => answers.get(edit) ?? NOTHING_SAID,
    counts,
  }
}

/** Whether the server ever said this of a record; null: that it is gone, or never was. */
export function everSaid(versions: readonly Version[], value: JsonObject | null): boolean {
  if (value === null) return versions.length === 0 || versions.some(({ data }) => data === null)
  return versions.some(
    ({ data }) => data !== null && Object.entries(value).every(([field, one]) => isSame(data[field], one)),
  )
}
