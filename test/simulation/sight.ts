/**
 * What a tab has shown: a value that was superseded there never comes back, what the tab wrote stays until something
 * newer is there, and nothing older than what the server accepted is shown after it (I15, R16).
 */
import type { Row } from '../../src/schema.ts'
import type { Ledger } from './ledger.ts'
import type { WatchedServer } from './server.ts'

/** Fields whose every value is written once in the world. */
export const DATED = ['name', 'note'] as const

export interface Sight {
  /** @param where the record as the tab knows it, @param id its key at the server, if it has one */
  saw(where: string, type: string, id: string, row: Row | undefined): void
  /** The tab wrote this, and has been told that it is durable. */
  wrote(where: string, field: string, value: unknown): void
  /** The user changed his mind about edits of this record. */
  forget(where: string): void
  /** The data was replaced. */
  clear(): void
  /** How often it was: what was read across that is of neither. */
  readonly clears: number
}

interface Shown {
  last: unknown
  readonly past: Set<unknown>
}

export function createSight(deps: {
  readonly name: string
  readonly ledger: Ledger
  readonly server: WatchedServer
  readonly clientWins: boolean
  readonly fail: (kind: string, what: string) => void
}): Sight {
  const { name, ledger, server, clientWins, fail } = deps
  const shown = new Map<string, Shown>()
  let clears = 0

  function next(place: string, value: unknown): unknown {
    const before = shown.get(place)
    if (before === undefined) shown.set(place, { last: value, past: new Set() })
    else if (before.last !== value) {
      before.past.add(before.last)
      const { last } = before
      before.last = value
      return last
    }
    return value
  }

  const waits = (field: string, value: unknown): boolean =>
    ledger.edits().some((edit) => edit.state !== 'confirmed' && !edit.parked && edit.value[field] === value)

  /**
   * Once deleted and made anew, a record is another: what an edit that waits makes of it may be what it was before. And
   * while its newest version is in quarantine its last valid row is shown, marked stale (R31).
   */
  const another = (type: string, id: string): boolean =>
    server.versions(type, id).some(({ data }) => data === null || typeof data['name'] !== 'string')

  return {
    saw(where, type, id, row) {
      if (row === undefined) return
      for (const field of DATED) {
        const value = row[field]
        if (typeof value !== 'string') continue
        const place = `${where} ${field}`
        const back = shown.get(place)?.past.has(value) === true
        const before = next(place, value)
        if (before === value || server.cameBack(value) || another(type, id)) continue
        const what = `${name} shows ${type} ${id} with ${field} "${value}" after "${String(before)}"`
        if (back) fail('flash', `${what}, which it had shown before`)
        const [then, now] = [before, value].map((one) => server.revisionOf(type, id, field, one))
        if (then !== undefined && now !== undefined && now < then)
          fail('flash', `${what}, which is older at the server`)
        if (then === undefined && now !== undefined && clientWins && waits(field, before) && !waits(field, value))
          fail('hidden', `${what}, which waits to be sent`)
      }
    },
    wrote(where, field, value) {
      // Another policy may have decided otherwise already.
      if (clientWins) next(`${where} ${field}`, value)
    },
    forget(where) {
      for (const field of DATED) shown.delete(`${where} ${field}`)
    },
    clear() {
      clears++
      shown.clear()
    },
    get clears() {
      return clears
    },
  }
}
