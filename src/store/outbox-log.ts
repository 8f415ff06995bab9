/**
 * One change of the outbox: a strict transaction over what is on the disk, worked out on a draft, then shown in
 * memory, in this order (I11). It begins anew where memory is behind the disk, so no change is built on an old look.
 */
import type { CollectionSpec, Row } from '../schema.ts'
import type { Database } from './database.ts'
import type { Alias, Edit, OutboxRow } from './edit.ts'
import { renamed } from './edit-order.ts'
import { NO_OUTBOX, newer, type Change, type Edits, type OutboxChange, type Truth } from './edits.ts'
import { readAsLeader, readAsApp, type Lease } from './guard.ts'
import { mergeEdit } from './merge-edit.ts'
import { result } from './native.ts'
import type { Overlay } from './overlay.ts'
import { createRecordMap, type RecordMap } from './record-map.ts'
import { tableName, type OutboxMeta, type TableRow, type TypeAndId } from './rows.ts'

/** The outbox as it will be. */
export interface Draft {
  /** In their order. */
  edits(): readonly Edit[]
  /** The order of the next new edit. */
  next(): number
  /** Sessions asked for so far. */
  readonly run: number
  /** Whether a record of which there is no truth is gone: all was downloaded, and it is not in quarantine. The leader's. */
  isGone(type: string, id: string): Promise<boolean>
  /** Server truth, as of this transaction. Its collection must be among the change's. */
  truth(type: string, id: string): Promise<Truth>
  /** The record as it looks with the draft's edits. */
  look(type: string, id: string): Promise<Row | null>
  /** The revision that was looked at. */
  revision(type: string, id: string): number
  put(row: OutboxRow): void
  remove(edit: Edit, discarded: boolean): void
  drop(row: OutboxRow): void
  /** The record got its real key: everything that names it follows (R18). */
  rename(edit: Edit, real: string, jsonKey: string | number): void
}

export interface OutboxLog {
  /**
   * @param lease of the leader; null: the app's own change, from any tab (R24)
   * @param types collections whose records are looked at
   * @param records of them that surely will be: they are asked for at once
   */
  change<T>(
    lease: Lease | null,
    types: readonly string[],
    work: (draft: Draft) => Promise<T>,
    records?: readonly TypeAndId[],
  ): Promise<T>
}

export interface OutboxLogDeps {
  readonly database: Database
  readonly overlay: Overlay
  readonly edits: Edits
  /** The device whose data memory holds. */
  readonly generation: () => string
  /** Reads what other tabs wrote since. */
  readonly follow: () => Promise<void>
  readonly show: (changes: readonly Change[], aliases: boolean) => void
}

/** Ids of taken back edits that are kept, for tabs that wait for one. */
const DISCARDED_KEPT = 100

export function createOutboxLog(deps: OutboxLogDeps): OutboxLog {
  const { database, overlay, edits, follow, show } = deps
  const { native, specs } = database

  return {
    async change(lease, types, work, records = []) {
      const tables = [...new Set(types)].map(tableName)
      if (lease !== null) tables.push('quarantine')
      for (;;) {
        const done = await native.write('strict', ['meta', 'outbox', ...tables], async (store) => {
          const asked = createRecordMap<Promise<TableRow | undefined>>()
          for (const [type, id] of records) {
            const row = result<TableRow | undefined>(store(tableName(type)).get(id))
            // Whoever needs it is told.
            row.catch(() => undefined)
            asked.set(type, id, row)
          }
          const known = await (lease === null
            ? readAsApp(store, database, deps.generation())
            : readAsLeader(store, database, lease))
          if (known === null) return null
          const { log, sync, outbox: meta = NO_OUTBOX } = known
          if (meta.version !== edits.meta.version || (log.seen ?? 0) > overlay.head) return null
          const truths = createRecordMap<Truth>()
          const read = async (type: string, id: string): Promise<Truth> => {
            const entry = overlay.entry(type, id)
            if (entry !== undefined && entry.seq > log.mark) return entry
            const row = await (asked.get(type, id) ?? result<TableRow | undefined>(store(tableName(type)).get(id)))
            return { rev: row?.rev ?? 0, row: row?.data ?? null }
          }
          const isGone = async (type: string, id: string): Promise<boolean> =>
            (sync?.clean ?? 0) > 0 &&
            overlay.bad(type, id) === undefined &&
            (await result(store('quarantine').getKey([type, id]))) === undefined
          const draft = createDraft(edits, specs, meta, sync?.started ?? 0, truths, read, isGone)
          const value = await work(draft.draft)
          const change = draft.change()
          if (change !== null) {
            for (const row of change.puts) store('outbox').put(row)
            for (const id of change.deletes) store('outbox').delete(id)
            store('meta').put(change.meta)
          }
          return { value, change, truths }
        })
        if (done === null) {
          await follow()
          continue
        }
        const { change, truths } = done
        if (change !== null)
          show(
            edits.apply(change, (type, id) => newer(truths.get(type, id), overlay.entry(type, id))),
            change.puts.some(({ kind }) => kind === 'alias'),
          )
        return done.value
      }
    },
  }
}

function createDraft(
  edits: Edits,
  specs: ReadonlyMap<string, CollectionSpec>,
  meta: OutboxMeta,
  run: number,
  truths: RecordMap<Truth>,
  read: (type: string, id: string) => Promise<Truth>,
  isGone: Draft['isGone'],
): { readonly draft: Draft; change(): OutboxChange | null } {
  let { next } = meta
  const puts = new Map<string, OutboxRow>()
  const gone = new Set<string>()
  const discarded: string[] = []

  const list = (): readonly Edit[] => {
    const known = edits.all()
    const fresh = [...puts.values()].filter(
      (row): row is Edit => row.kind === 'edit' && edits.find(row.id) === undefined,
    )
    return [...known.map(({ id }, at) => (puts.get(id) ?? known[at]) as Edit), ...fresh].filter(
      ({ id }) => !gone.has(id),
    )
  }

  async function truth(type: string, id: string): Promise<Truth> {
    const known = edits.truths.get(type, id)?.truth ?? truths.get(type, id) ?? (await read(type, id))
    truths.set(type, id, known)
    return known
  }

  const draft: Draft = {
    edits: list,
    next: () => next++,
    run,
    isGone,
    truth,
    async look(type, id) {
      const { row } = await truth(type, id)
      const spec = specs.get(type)
      if (spec === undefined) return row
      return list()
        .filter((edit) => edit.type === type && edit.key === id)
        .reduce<Row | null>((now, edit) => mergeEdit(edit, now, spec).row, row)
    },
    revision: (type, id) => truths.get(type, id)?.rev ?? 0,
    put(row) {
      puts.set(row.id, row)
    },
    remove({ id }, byUser) {
      puts.delete(id)
      gone.add(id)
      if (byUser) discarded.push(id)
    },
    drop({ id }) {
      gone.add(id)
    },
    rename(edit, real, jsonKey) {
      const { type, key } = edit
      if (real === key) return
      const alias: Alias = { kind: 'alias', id: `alias ${edit.id}`, n: next++, type, from: key, to: real, jsonKey }
      if (edit.temporary) puts.set(alias.id, alias)
      for (const one of list()) {
        const spec = specs.get(one.type)
        if (spec === undefined) continue
        const mine = one.type === type && one.key === key ? { ...one, key: real, jsonKey, temporary: false } : one
        const value = renamed(mine.value, spec, { type, key }, jsonKey)
        const base = renamed(mine.base, spec, { type, key }, jsonKey)
        if (mine !== one || value !== mine.value || base !== mine.base) puts.set(one.id, { ...mine, value, base })
      }
    },
  }
  return {
    draft,
    change: () =>
      puts.size + gone.size === 0
        ? null
        : {
            whole: false,
            puts: [...puts.values()],
            deletes: [...gone],
            meta: {
              key: 'outbox',
              version: meta.version + 1,
              next,
              discarded: [...discarded.toReversed(), ...meta.discarded].slice(0, DISCARDED_KEPT),
            },
          },
  }
}
