/**
 * The app and its user on one device: local writes of every kind from any tab, and what is done about edits that were
 * refused, or whose answer was lost. The user tells the truth: whether a record arrived he has seen at the server.
 */
import type { Clock } from '../../src/clock.ts'
import { toPlain } from '../../src/errors.ts'
import { compileQuery } from '../../src/query.ts'
import { own, type Row } from '../../src/schema.ts'
import type { Engine } from '../../src/engine/engine.ts'
import type { EditInfo, WriteOp } from '../../src/store/edit.ts'
import type { Store } from '../../src/store/store.ts'
import type { Ledger, UserAction } from './ledger.ts'
import type { WatchedServer } from './server.ts'
import { DATED, type Sight } from './sight.ts'
import type { WriteSwarm } from './swarm.ts'

/** A record the app made under a key of its own making. */
export interface Handle {
  readonly type: string
  readonly key: string
  readonly tag: string
  /** The tab that made it, and when that was durable. */
  readonly tab: UserTab
  readonly at: number
  /** The app or its user took the record away, or began to. */
  gone: boolean
}

export interface UserTab {
  readonly store: Store
  readonly engine: Engine
  readonly sight: Sight
  readonly openedAt: number
  alive: boolean
}

export interface User {
  /** One call of the app. */
  write(tab: UserTab): Promise<void>
  /** Something about one of the edits that the outbox shows. */
  act(tab: UserTab): Promise<void>
  /** Whatever cannot be sent is mended, or given up. */
  tidy(tab: UserTab): Promise<void>
  /** What this tab shows is right. */
  look(tab: UserTab): Promise<void>
  readonly handles: readonly Handle[]
  /** From now on rows may be missing until they were downloaded anew. */
  replaced: boolean
}

export interface UserDeps {
  readonly device: number
  readonly swarm: WriteSwarm
  readonly random: () => number
  readonly clock: Clock
  readonly ledger: Ledger
  readonly server: WatchedServer
  readonly tabs: () => readonly UserTab[]
  /** Requests of this edit may still be on their way. */
  readonly underWay: (edit: string) => boolean
  readonly fail: (kind: string, what: string) => void
  readonly note: (event: string) => void
}

/** What a call may answer when another was quicker, or the tab ended under it. */
const LATE = new Set([
  'record_missing',
  'record_exists',
  'edit_missing',
  'edit_in_flight',
  'generation_changed',
  'storage_closed',
  'storage_failed',
])

export function createUser(deps: UserDeps): User {
  const { device, swarm, random, clock, ledger, server, tabs, underWay, fail, note } = deps
  const handles: Handle[] = []
  let made = 0
  let began = 0
  let writing = 0

  const chance = (of: number): boolean => random() < of
  const one = <T>(of: readonly T[]): T | undefined => of[Math.floor(random() * of.length)]
  const text = (): string => `d${device}-${++made}`
  const group = (): number => (chance(swarm.refused) ? 9 : Math.floor(random() * 4))
  const temporary = (type: string): string | number =>
    type === 'thing' ? -1 - Math.floor(random() * 1e9) : `tmp-${device}-${++made}-${Math.floor(random() * 1e6)}`

  async function rowsOf({ store }: UserTab, type: string): Promise<Array<{ id: string; row: Row }>> {
    const found = await store.find(compileQuery({ collection: type, where: {} }, store.specOf(type)))
    return found.map(({ id, row }) => ({ id, row }))
  }

  /** The key of a record as the app may hold it: the one it made, or the one it sees. */
  async function target(tab: UserTab, type: string): Promise<string | number | undefined> {
    const own = handles.filter((handle) => handle.type === type && !handle.gone)
    if (chance(0.4) && own.length > 0) return keyOf(one(own)!)
    const rows = await rowsOf(tab, type)
    const row = chance(swarm.crowd) ? rows[Math.floor(random() * Math.min(3, rows.length))] : one(rows)
    return row === undefined ? one(own.map(keyOf)) : (row.row['id'] as string | number)
  }

  const keyOf = ({ type, key }: Handle): string | number => (type === 'thing' ? Number(key) : key)

  function insert(type: string, thing: string | number | null): WriteOp {
    const named = swarm.profile === 'tidegate' && chance(0.3)
    const key = !named ? temporary(type) : type === 'thing' ? 1000 * (device + 1) + ++made : `own-${device}-${++made}`
    const value: Row = {
      ...(named && { id: key }),
      name: text(),
      note: text(),
      group: group(),
      tag: `t${text()}`,
      ...(type === 'part' && { thing_id: thing }),
    }
    return { op: 'insert', collection: type, key, value, temporary: !named }
  }

  async function patch(tab: UserTab, type: string): Promise<Row> {
    const value: Record<string, unknown> = {}
    if (chance(0.7)) value['name'] = text()
    if (chance(0.3)) value['note'] = text()
    if (chance(0.3)) value['group'] = group()
    if (chance(0.2)) value['extra'] = { [chance(0.5) ? 'a' : 'b']: text() }
    if (type === 'part' && chance(0.3)) value['thing_id'] = (await target(tab, 'thing')) ?? null
    return Object.keys(value).length === 0 ? { name: text() } : value
  }

  async function draw(tab: UserTab): Promise<WriteOp[]> {
    const type = chance(0.65) ? 'thing' : 'part'
    const lot = random()
    if (lot < 0.12) {
      const thing = insert('thing', null)
      return [thing, insert('part', thing.key), ...(chance(0.3) ? [insert('part', thing.key)] : [])]
    }
    if (lot < 0.4) return [insert(type, type === 'part' && chance(0.8) ? ((await target(tab, 'thing')) ?? null) : null)]
    const key = await target(tab, type)
    if (key === undefined) return [insert(type, null)]
    if (lot > 0.9) return [{ op: 'delete', collection: type, key, value: null, temporary: false }]
    const update: WriteOp = { op: 'update', collection: type, key, value: await patch(tab, type), temporary: false }
    if (lot < 0.8) return [update]
    const other = await target(tab, 'thing')
    if (other === undefined || real('thing', other) === real(type, key)) return [update]
    return [
      update,
      { op: 'update', collection: 'thing', key: other, value: await patch(tab, 'thing'), temporary: false },
    ]
  }

  const real = (type: string, key: string | number): string => ledger.aliasOf(type, String(key))

  function leave(type: string, id: string): void {
    for (const handle of handles) if (handle.type === type && real(type, handle.key) === id) handle.gone = true
  }

  async function write(tab: UserTab): Promise<void> {
    const ops = await draw(tab)
    if (!tab.alive) return
    const mine = ++began
    const alone = writing++ === 0
    const ends: Array<() => void> = []
    for (const { op, collection, key } of ops) {
      if (op !== 'delete') continue
      ends.push(ledger.deleting(collection, String(key)))
      leave(collection, real(collection, key))
    }
    let infos: readonly EditInfo[]
    try {
      infos = await tab.store.outbox.write(ops)
    } catch (error) {
      const { code } = toPlain(error)
      if (tab.alive && !LATE.has(code)) fail('write', `a write failed: ${code} ${String(error)}`)
      return
    } finally {
      writing--
      for (const end of ends) end()
    }
    if (!tab.alive) return
    note(
      `device ${device} wrote ${infos.map(({ id, op, collection, key }) => `${op} ${collection} ${key} as ${id}`).join(', ')}`,
    )
    for (const [at, info] of infos.entries()) durable(tab, ops[at]!, info, alone && began === mine)
    tab.engine.edited()
    await look(tab, ops)
  }

  /** The promise has resolved: all of it is on the disk. */
  function durable(tab: UserTab, { op, collection, key, value }: WriteOp, info: EditInfo, alone: boolean): void {
    if (info.state !== 'synced' && !ledger.knew(info.id))
      fail('lost', `device ${device}: a write resolved and edit ${info.id} was never on the disk`)
    for (const field of DATED) {
      const text = value === null ? undefined : own(value, field)
      if (typeof text !== 'string') continue
      if (!ledger.held(text)) fail('lost', `device ${device}: a write resolved and "${text}" was never on the disk`)
      if (alone) {
        tab.sight.wrote(`${collection} ${real(collection, key)}`, field, text)
        tab.sight.wrote(`live ${collection} ${real(collection, key)}`, field, text)
        tab.sight.wrote(`handle ${collection} ${String(key)}`, field, text)
      }
    }
    if (op === 'insert')
      handles.push({
        type: collection,
        key: String(key),
        tag: String(value!['tag']),
        tab,
        at: clock.monotonic(),
        gone: false,
      })
  }

  /** Whether this record must be found under the key the app made, in this tab. */
  function mustBe(tab: UserTab, handle: Handle): boolean {
    if (handle.gone || user.replaced || (handle.tab !== tab && tab.openedAt <= handle.at)) return false
    const at = server.made(handle.tag)
    const own = server.versions(handle.type, at?.id ?? handle.key)
    return own.every(({ data }) => data !== null && typeof data['name'] === 'string')
  }

  async function look(tab: UserTab, ops: readonly WriteOp[] = []): Promise<void> {
    const { store, sight } = tab
    const { clears } = sight
    const over = (): boolean => !tab.alive || sight.clears !== clears
    for (const { op, collection, key } of ops) {
      const [row] = await store.get(collection, [String(key)])
      if (over()) return
      const id = real(collection, key)
      sight.saw(`${collection} ${id}`, collection, id, row)
      const waits = ledger
        .edits()
        .some(
          (edit) =>
            edit.op === 'delete' &&
            edit.type === collection &&
            edit.key === id &&
            (edit.state === 'queued' || edit.state === 'sending'),
        )
      if (op === 'delete' && row !== undefined && waits && swarm.conflict === 'client-wins')
        fail('hidden', `device ${device}: ${collection} ${id} is shown though its deletion waits`)
    }
    for (const type of ['thing', 'part']) {
      const mine = handles.filter((handle) => handle.type === type && !handle.gone)
      if (mine.length > 0) {
        const rows = await store.get(
          type,
          mine.map(({ key }) => key),
        )
        if (over()) return
        for (const [at, handle] of mine.entries()) {
          const row = rows[at]
          if (row === undefined && mustBe(tab, handle))
            fail('alias', `device ${device}: ${type} ${handle.key} is not found under the key the app made`)
          sight.saw(`handle ${type} ${handle.key}`, type, real(type, handle.key), row)
        }
      }
      const rows = await rowsOf(tab, type)
      if (over()) return
      for (const { id, row } of rows) sight.saw(`${type} ${id}`, type, id, row)
    }
  }

  /** The user says something about this edit. */
  async function say(tab: UserTab, { id, collection, key }: EditInfo, how: UserAction, patch: Row = {}): Promise<void> {
    const { outbox } = tab.store
    const edit = ledger.edit(id)
    const forget = (): void => {
      for (const { sight } of tabs()) {
        for (const record of new Set([String(key), real(collection, key)]))
          for (const where of ['', 'live ']) sight.forget(`${where}${collection} ${record}`)
        for (const handle of handles)
          if (handle.type === collection && real(collection, handle.key) === real(collection, key))
            sight.forget(`handle ${collection} ${handle.key}`)
      }
    }
    ledger.touching(id, how)
    if (how === 'discard' && edit?.op === 'insert') leave(collection, real(collection, key))
    forget()
    note(`device ${device} ${how} ${id}`)
    try {
      if (how === 'edit') await outbox.edit(id, patch)
      else if (how === 'arrived') {
        const made = server.made(String(edit?.value['tag']))!
        await outbox.arrived(id, made.key)
      } else await outbox[how](id)
      tab.engine.edited()
    } catch (error) {
      const { code } = toPlain(error)
      if (tab.alive && !LATE.has(code)) fail('write', `${how} failed: ${code} ${String(error)}`)
    }
    forget()
  }

  /** The truth about a create whose answer was lost; null while a request of it may still arrive. */
  function truth({ id }: EditInfo): 'resend' | 'arrived' | null {
    if (underWay(id)) return null
    return server.made(String(ledger.edit(id)?.value['tag'])) === undefined ? 'resend' : 'arrived'
  }

  const refusedAs = ({ problem, op }: EditInfo): 'value' | 'gone' =>
    problem?.code === 'refused' && op !== 'delete' ? 'value' : 'gone'

  /** It names a record that was taken back: as it is it means nothing to the server. */
  const namesNothing = ({ problem, state }: EditInfo): boolean =>
    state === 'failed' && problem?.code === 'missing' && problem.status === null

  async function act(tab: UserTab): Promise<void> {
    const { edits, conflicts } = tab.store.outbox.snapshot()
    const conflict = one(conflicts)
    if (conflict !== undefined && chance(0.3)) return tab.store.outbox.dismiss(conflict.id).catch(() => undefined)
    const failed = edits.filter(({ state }) => state === 'failed' || state === 'unknown')
    const edit = chance(0.8) && failed.length > 0 ? one(failed) : one(edits)
    if (edit === undefined) return
    if (namesNothing(edit)) await say(tab, edit, 'edit', { thing_id: null })
    else if (edit.state === 'unknown') {
      const how =
        chance(0.1) && !underWay(edit.id) && server.made(String(ledger.edit(edit.id)?.value['tag'])) === undefined
          ? 'discard'
          : truth(edit)
      if (how !== null) await say(tab, edit, how)
    } else if (edit.state === 'failed') {
      const how = (['retry', 'edit', 'discard'] as const)[Math.floor(random() * 3)]!
      if (how !== 'edit' || edit.op !== 'delete') await say(tab, edit, how, { group: group(), name: text() })
    } else if (edit.state === 'pending' && chance(0.5)) {
      if (chance(0.5) || edit.op === 'delete') await say(tab, edit, 'discard')
      else await say(tab, edit, 'edit', { name: text() })
    }
  }

  async function tidy(tab: UserTab): Promise<void> {
    for (const edit of tab.store.outbox.snapshot().edits) {
      if (namesNothing(edit)) await say(tab, edit, 'edit', { thing_id: null })
      else if (edit.state === 'unknown') {
        const how = truth(edit)
        if (how !== null) await say(tab, edit, how)
      } else if (edit.state === 'failed') {
        if (refusedAs(edit) === 'value' && chance(0.7)) await say(tab, edit, 'edit', { group: 1 })
        else await say(tab, edit, 'discard')
      }
    }
  }

  const user: User = { write, act, tidy, look: (tab) => look(tab), handles, replaced: false }
  return user
}
