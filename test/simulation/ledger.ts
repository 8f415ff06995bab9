/**
 * The law of the outbox, checked on a device's disk after every transaction that may touch it, kills included: each
 * edit is in one state, moves only as R15 lets it, keeps its request while that may be under way, and goes only for
 * a reason (I14): the server has it and truth has caught up (R16), the user took it back, it joined another, or
 * nothing of it was left to do.
 */
import type { Edit, OutboxRow } from '../../src/store/edit.ts'
import type { OutgoingEdit } from '../../src/store/outbox.ts'
import type {
  InboxRow,
  MetaRow,
  QuarantineRow,
  SessionRow,
  SyncRow,
  TableRow,
  Tombstone,
} from '../../src/store/rows.ts'
import type { Row } from '../../src/schema.ts'
import type { StoredItem } from '../../src/store/item.ts'
import { isSame } from '../../src/store/same.ts'
import { peek, type Machine } from '../support/device.ts'
import { everSaid, type EditOrigin, type WatchedServer } from './server.ts'
import type { WriteSwarm } from './swarm.ts'

export interface Ledger {
  onCommit(stores: readonly string[], durability: string): void
  /** The edit whose durable request this is. */
  sender(request: OutgoingEdit['request']): Edit | undefined
  /** Edits on the disk. */
  edits(): readonly Edit[]
  edit(id: string): Edit | undefined
  aliasOf(type: string, id: string): string
  /** It was on the disk once. */
  knew(id: string): boolean
  /** A value that some edit on the disk had. */
  held(value: string): boolean
  origin(id: string): EditOrigin | undefined
  /** The user does something with this edit. */
  touching(id: string, how: UserAction): void
  /** The app deletes this record. */
  deleting(type: string, id: string): () => void
  readonly counts: Record<
    'made' | 'confirmed' | 'discarded' | 'joined' | 'superseded' | 'conflicts' | 'refused' | 'unknown',
    number
  >
}

export type UserAction = 'retry' | 'edit' | 'discard' | 'resend' | 'arrived'

export interface LedgerDeps {
  readonly device: number
  readonly machine: Machine
  readonly conflict: WriteSwarm['conflict'] | null
  readonly server: () => WatchedServer
  readonly fail: (kind: string, what: string) => void
}

const ALLOWED: Readonly<Record<Edit['state'], ReadonlyArray<Edit['state']>>> = {
  queued: ['queued', 'sending', 'refused', 'unknown'],
  sending: ['sending', 'confirmed', 'refused', 'unknown', 'queued'],
  unknown: ['unknown', 'sending', 'queued', 'confirmed'],
  refused: ['refused', 'queued'],
  confirmed: ['confirmed'],
}

export function createLedger({ device, machine, conflict, server, fail }: LedgerDeps): Ledger {
  let rows = new Map<string, OutboxRow>()
  const origins = new Map<string, EditOrigin>()
  const values = new Set<string>()
  const touched = new Set<string>()
  const deletes: Array<{ type: string; id: string }> = []
  const counts = { made: 0, confirmed: 0, discarded: 0, joined: 0, superseded: 0, conflicts: 0, refused: 0, unknown: 0 }

  const editsOf = (of: ReadonlyMap<string, OutboxRow>): Edit[] =>
    [...of.values()].filter((row) => row.kind === 'edit').sort((a, b) => a.n - b.n)
  const lose = (edit: Edit, how: string): void =>
    fail('lost', `device ${device}: edit ${edit.id} (${edit.op} ${edit.type} ${edit.key}, ${edit.state}) ${how}`)

  const metaRow = <T extends MetaRow>(key: T['key']): T | undefined =>
    peek<MetaRow>(machine, 'meta').find((row) => row.key === key) as T | undefined

  function storedRevision(type: string, id: string): { rev: number; inLog: boolean } {
    const tables = [
      ...peek<TableRow>(machine, `t_${type}`),
      ...[...peek<Tombstone>(machine, 'tombstones'), ...peek<QuarantineRow>(machine, 'quarantine')].filter(
        (row) => row.type === type,
      ),
    ].filter((row) => row.id === id)
    const items = peek<InboxRow>(machine, 'inbox').flatMap(
      (row) => JSON.parse(row.items) as Array<{ type: string; id: string; rev: number }>,
    )
    const waiting = items.filter((item) => item.type === type && item.id === id)
    return {
      rev: Math.max(0, ...tables.map(({ rev }) => rev), ...waiting.map(({ rev }) => rev)),
      inLog: waiting.length > 0,
    }
  }

  /** A deletion that came down, and of which a later clean session left nothing (R5). */
  const forgotten = ({ type, key }: Edit, revision: number | null): boolean =>
    storedRow(type, key) === null &&
    server()
      .versions(type, key)
      .some(({ rev, data }) => data === null && rev >= (revision ?? 0))

  /** Server truth has what the server made of the edit (R16). */
  function caughtUp(edit: Edit): boolean {
    const { type, key, answer } = edit
    const { rev, inLog } = storedRevision(type, key)
    if (answer === null || forgotten(edit, answer.revision)) return true
    if (answer.revision !== null && rev >= answer.revision) return true
    if ((metaRow<SyncRow>('sync')?.clean ?? 0) > answer.run) return true
    return answer.revision === null && inLog && (metaRow<SessionRow>('session')?.run ?? 0) > answer.run
  }

  function ended(edit: Edit, before: ReadonlyMap<string, OutboxRow>): void {
    const { id, state, type, key, op } = edit
    if (state === 'confirmed') {
      counts.confirmed++
      if (!caughtUp(edit))
        fail('early', `device ${device}: confirmed edit ${id} went before truth of ${type} ${key} had caught up`)
      return
    }
    const { yes, revision } = server().said(id)
    if (state === 'sending' && yes) {
      counts.confirmed++
      const { rev } = storedRevision(type, aliasOf(type, key))
      if (revision === null || (rev < revision && !forgotten(edit, revision)))
        fail('early', `device ${device}: edit ${id} went at the answer, before truth of ${type} ${key} had caught up`)
      return
    }
    if (state === 'sending') return lose(edit, 'went unanswered')
    const made = [...before.values()].some(
      (row) =>
        row.kind === 'edit' &&
        row.op === 'insert' &&
        row.type === type &&
        row.key === key &&
        touched.has(`discard ${row.id}`) &&
        !rows.has(row.id),
    )
    if (touched.has(`discard ${id}`) || made) return void counts.discarded++
    if (state === 'unknown') return lose(edit, 'went with an unknown outcome')
    if (state === 'refused') return lose(edit, 'was refused and went without a word of the user')
    if (deletes.some((one) => one.type === type && aliasOf(type, one.id) === key)) return void counts.joined++
    const conflict = [...rows.values()].some((row) => row.kind === 'conflict' && row.edit === id && !before.has(row.id))
    const said = everSaid(server().versions(type, key), op === 'delete' ? null : edit.value)
    if (conflict || said) return void counts.superseded++
    lose(edit, 'vanished')
  }

  function moved(from: Edit, to: Edit): void {
    const { id } = to
    if (!ALLOWED[from.state].includes(to.state)) return lose(to, `went from ${from.state}`)
    const [a, b] = [from.request, to.request]
    if (a !== null && b !== null && JSON.stringify(a) !== JSON.stringify(b))
      fail('body', `device ${device}: the request of edit ${id} changed`)
    const flying = (edit: Edit): boolean => edit.state === 'sending' || edit.state === 'unknown'
    if (flying(from) && flying(to) && b === null)
      fail('body', `device ${device}: edit ${id} is ${to.state} without a request`)
    const said = server().said(id)
    if (to.state === from.state) return
    if (to.state === 'confirmed' && !said.yes && !touched.has(`arrived ${id}`))
      lose(to, 'is confirmed and the server knows nothing of it')
    if (to.state === 'refused') {
      counts.refused++
      if (from.state === 'sending' && !said.no) lose(to, 'is refused and the server never said so')
      const versions = server().versions(to.type, to.key)
      if (from.state === 'queued' && !everSaid(versions, null) && !takenBack())
        lose(to, 'is refused as gone, and its record never was')
    }
    if (to.parked && !from.parked) counts.unknown++
    if (to.state === 'queued' && from.state === 'sending' && said.yes)
      lose(to, 'is queued anew though the server has it')
    if (
      to.state === 'queued' &&
      from.state !== 'sending' &&
      !['retry', 'edit', 'resend'].some((how) => touched.has(`${how} ${id}`))
    )
      lose(to, `is queued anew after ${from.state}, without a word of the user`)
  }

  /** What was built on an insert that was taken back in this transaction is the user's to mend. */
  const takenBack = (): boolean =>
    deletes.length > 0 || [...touched].some((what) => what.startsWith('discard ') && !rows.has(what.slice(8)))

  /** A field changed on both sides is decided as the policy says, and reported, when the edit is made ready to leave (R19). */
  function decided(from: Edit, to: Edit, before: ReadonlyMap<string, OutboxRow>): void {
    if (to.op !== 'update' || !to.request?.body) return
    const mixed = [...before.values()].some(
      (row) => row.kind === 'edit' && row.id !== to.id && row.type === to.type && row.key === from.key,
    )
    const truth = storedRow(to.type, to.key)
    if (mixed || truth === null) return
    const sent = (JSON.parse(to.request.body) as { data: Row }).data
    const report = [...rows.values()].find(
      (row) => row.kind === 'conflict' && row.edit === to.id && !before.has(row.id),
    )
    for (const [field, ours] of Object.entries(from.value)) {
      if (field === 'extra' || isSame(from.base[field], truth[field]) || isSame(ours, truth[field])) continue
      const told = report?.kind === 'conflict' && report.fields.some((one) => one.field === field)
      const what = `device ${device}: ${field} of ${to.type} ${to.key} was changed here and at the server`
      if (!told) fail('conflict', `${what}, and edit ${to.id} leaves without a word of it`)
      if (conflict === 'server-wins' && isSame(sent[field], ours)) fail('conflict', `${what}, where the server wins`)
      if (conflict === 'client-wins' && !isSame(sent[field], ours)) fail('conflict', `${what}, where the client wins`)
    }
  }

  /** Server truth of a record on the disk. */
  function storedRow(type: string, id: string): Row | null {
    const items = peek<InboxRow>(machine, 'inbox').flatMap((row) => JSON.parse(row.items) as StoredItem[])
    const last = items.findLast((item) => item.type === type && item.id === id && item.kind !== 'bad')
    if (last !== undefined) return last.kind === 'put' ? (last.data as Row) : null
    return peek<TableRow>(machine, `t_${type}`).find((row) => row.id === id)?.data ?? null
  }

  function aliasOf(type: string, id: string): string {
    for (const row of rows.values()) if (row.kind === 'alias' && row.type === type && row.from === id) return row.to
    return id
  }

  return {
    counts,
    onCommit(stores, durability) {
      if (!stores.includes('outbox')) return
      const before = rows
      rows = new Map(peek<OutboxRow>(machine, 'outbox').map((row) => [row.id, row]))
      let changed = false
      for (const [id, old] of before) {
        const now = rows.get(id)
        if (now === old) continue
        changed = true
        if (old.kind !== 'edit') {
          if (now === undefined && old.kind === 'alias')
            fail('alias', `device ${device}: the alias of ${old.type} ${old.from} is gone`)
        } else if (now === undefined) ended(old, before)
        else if (now.kind === 'edit') {
          moved(old, now)
          if (old.state === 'queued' && now.state === 'sending') decided(old, now, before)
        }
      }
      for (const row of rows.values()) {
        if (before.has(row.id)) continue
        changed = true
        if (row.kind === 'conflict') counts.conflicts++
        if (row.kind !== 'edit') continue
        counts.made++
        origins.set(row.id, { device, n: row.n, key: row.key })
        if (row.state !== 'queued') lose(row, 'is new and not queued')
      }
      for (const row of rows.values())
        if (row.kind === 'edit' && before.get(row.id) !== row)
          for (const value of Object.values(row.value)) if (typeof value === 'string') values.add(value)
      if (changed && durability !== 'strict')
        fail('durability', `device ${device}: the outbox changed in a ${durability} transaction`)
    },
    sender: ({ method, path, body, idempotencyKey }) =>
      editsOf(rows).find(
        ({ state, request }) =>
          state === 'sending' &&
          request?.method === method &&
          request.path === path &&
          request.body === body &&
          request.idempotencyKey === idempotencyKey,
      ),
    edits: () => editsOf(rows),
    edit: (id) => {
      const row = rows.get(id)
      return row?.kind === 'edit' ? row : undefined
    },
    aliasOf,
    knew: (id) => origins.has(id),
    held: (value) => values.has(value),
    origin: (id) => origins.get(id),
    touching: (id, how) => void touched.add(`${how} ${id}`),
    deleting(type, id) {
      const one = { type, id }
      deletes.push(one)
      return () => void deletes.splice(deletes.indexOf(one), 1)
    },
  }
}
