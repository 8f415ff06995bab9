/**
 * Two tabs that write, a server that loses answers, pages that come late: whatever the order, each edit takes
 * effect once (I12), nobody sees an own word undone (I15) or hears of a conflict with himself (R19), and in the end
 * everybody sees what the server has (I14, promise 6).
 */
import fc from 'fast-check'
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, describe, expect, it } from 'vitest'
import type { Row } from '../../src/schema.ts'
import type { EditOutcome, OutgoingEdit } from '../../src/store/outbox.ts'
import { closeStores, insert, KEYS, openTab, remove, update, type Tab } from './edit-support.ts'
import { item, page, session } from './support.ts'

afterEach(closeStores)

interface Stored {
  readonly type: string
  readonly id: number
  readonly rev: number
  readonly data: Row | null
}

/** A server that remembers idempotency keys, and counts what took effect. */
function createServer() {
  const objects = new Map<number, Stored>()
  const answers = new Map<string, EditOutcome>()
  const effects = new Map<string, number>()
  let rev = 0
  let lastId = 100
  const keep = (type: string, id: number, data: Row | null): Stored => {
    const stored = { type, id, rev: ++rev, data }
    objects.set(id, stored)
    return stored
  }
  return {
    objects,
    effects,
    keep,
    write({ id, request: { method, path, body, idempotencyKey } }: OutgoingEdit): EditOutcome {
      const known = answers.get(String(idempotencyKey))
      if (known !== undefined) return known
      const [, , plural = '', key] = path.split('/')
      const type = plural.slice(0, -1)
      const data = body === null ? null : (JSON.parse(body) as { data: Row }).data
      const name = method === 'POST' ? ++lastId : Number(key)
      const before = objects.get(name)?.data ?? null
      if (method !== 'POST' && before === null)
        return { id, kind: 'refused', problem: { code: 'missing', status: 404, message: '', fields: [] } }
      effects.set(id, (effects.get(id) ?? 0) + 1)
      const stored = keep(type, name, data === null ? null : { ...before, ...data, id: name, seen: rev + 1 })
      const outcome: EditOutcome = { id, kind: 'accepted', row: stored.data, revision: stored.rev }
      answers.set(String(idempotencyKey), outcome)
      return outcome
    },
    /** What is newer than that revision. */
    since: (from: number): unknown[] =>
      [...objects.values()]
        .filter((one) => one.rev > from)
        .sort((a, b) => a.rev - b.rev)
        .map(({ type, id, rev: at, data }) =>
          item({ type, id, rev: at, event: data === null ? 'deleted' : 'updated', data: data ?? { id } }),
        ),
    revision: () => rev,
  }
}

const step = fc.record({
  kind: fc.constantFrom(
    ...(['update', 'update', 'update', 'group', 'insert', 'name', 'remove', 'discard', 'others', 'others'] as const),
    ...(['take', 'take', 'take', 'answer', 'answer', 'fetch', 'page', 'page', 'settle', 'follow', 'crash'] as const),
  ),
  at: fc.nat(1_000),
  tab: fc.boolean(),
})

describe('edits of two tabs on their way', () => {
  it('each take effect once, are never seen undone, and end as what the server has (I12, I14, I15, R16, R18, R19)', async () => {
    let effects = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), fc.boolean(), async (steps, discards) => {
        const factory = new IDBFactory()
        const server = createServer()
        for (const id of [1, 2]) server.keep('contact', id, { id, a: 0, b: 0 })
        let leader = await openTab(factory)
        let run = 1
        await leader.store.device.updateSync(leader.lease, { started: run, clean: run })
        await leader.receive(run, ...server.since(0))
        let pulled = server.revision()
        const other = await openTab(factory, { lead: false })
        let counter = 0
        /** Pages fetched and not stored yet. */
        let pages: unknown[][] = []
        /** Answers on their way. */
        let answers: EditOutcome[] = []
        const keys: number[] = [1, 2]
        const pick = <T>(list: readonly T[], at: number): T | undefined => list[at % Math.max(1, list.length)]

        // The other tab may have deleted it, unseen.
        const write: Tab['write'] = (...ops) =>
          current.write(...ops).catch((error: unknown) => {
            if ((error as { code?: unknown }).code === 'record_missing') return []
            throw error
          })
        let current = leader
        const alive = async (tab: Tab, key: number): Promise<boolean> => (await tab.get('contact', key)) !== undefined
        for (const { kind, at, tab: first } of steps) {
          const tab = first ? leader : other
          current = tab
          const key = pick(keys, at) ?? 1
          if (kind === 'update' && (await alive(tab, key))) await write(update('contact', key, { a: ++counter }))
          else if (kind === 'group' && (await alive(tab, key))) {
            const fresh = -1 - counter
            await write(update('contact', key, { a: ++counter }), insert('deal', fresh, { contact_id: key }))
          } else if (kind === 'insert') {
            const fresh = -1_000_000 - counter
            await write(insert('contact', fresh, { a: ++counter, b: 0 }))
            keys.push(fresh)
          } else if (kind === 'name' && (await alive(tab, key)))
            await write(insert('deal', -2_000_000 - ++counter, { contact_id: key }))
          else if (kind === 'remove' && at % 3 === 0 && (await alive(tab, key))) await write(remove('contact', key))
          else if (kind === 'discard' && discards) {
            const edit = pick(tab.store.outbox.snapshot().edits, at)
            await tab.store.outbox.discard(String(edit?.id)).catch(() => undefined)
          } else if (kind === 'others') {
            const object = pick([...server.objects.values()], at)
            if (object !== undefined && object.data !== null)
              server.keep(object.type, object.id, { ...object.data, b: ++counter })
          } else if (kind === 'take') {
            await leader.store.follow()
            if (answers.length > 0) continue
            for (const sent of await leader.take(KEYS, 1 + (at % 4))) {
              const fate = at % 7
              if (fate < 4) answers.push(server.write(sent))
              else if (fate === 4) {
                server.write(sent)
                answers.push({ id: sent.id, kind: 'unknown' })
              } else answers.push({ id: sent.id, kind: fate === 5 ? 'unknown' : 'untouched' })
            }
          } else if (kind === 'answer') await leader.answer(...answers.splice(0))
          else if (kind === 'fetch') {
            pages.push(server.since(pulled))
            if (at % 2 === 0) pulled = server.revision()
          } else if (kind === 'page') {
            const next = pages.splice(at % Math.max(1, pages.length), 1)[0]
            if (next !== undefined) await leader.receive(run, ...next)
          } else if (kind === 'settle') await leader.store.settleNext(leader.lease)
          else if (kind === 'follow') await tab.store.follow()
          else if (kind === 'crash' && at % 4 === 0) {
            leader.store.close()
            // What was fetched and not stored comes again.
            pages = []
            answers = []
            pulled = 0
            leader = await openTab(factory)
          }
        }
        // Everything comes to rest.
        await leader.answer(...answers)
        for (let rounds = 0; rounds < 40; rounds++) {
          await leader.store.follow()
          for (const { id, state } of leader.store.outbox.snapshot().edits)
            if (state === 'failed') await leader.store.outbox.discard(id)
          const sent = await leader.take()
          if (sent.length === 0) break
          await leader.answer(...sent.map((one) => server.write(one)))
        }
        expect(leader.store.outbox.snapshot().edits).toEqual([])
        // The others change `b` alone: only a deletion can be in conflict with that.
        for (const { deleted, fields } of leader.store.outbox.snapshot().conflicts)
          expect([
            deleted,
            fields.filter(({ field }) => field === 'a'),
            fields.some(({ field }) => field === 'b'),
          ]).toEqual(['here', [], true])
        await leader.store.commit(leader.lease, [page(...server.since(0))], { ...session, run: ++run })
        await leader.store.proved(leader.lease, run)
        if (steps.length % 2 === 0) await leader.settleAll()
        await other.store.follow()
        const fresh = await openTab(factory, { lead: false })
        for (const each of [leader, other, fresh])
          for (const type of ['contact', 'deal']) {
            const truth = [...server.objects.values()].filter((one) => one.type === type && one.data !== null)
            const rows = await each.find({ collection: type })
            expect(rows.toSorted((a, b) => Number(a['id']) - Number(b['id']))).toEqual(
              truth.map(({ data }) => data).toSorted((a, b) => Number(a?.['id']) - Number(b?.['id'])),
            )
          }
        for (const count of server.effects.values()) expect(count).toBe(1)
        effects += server.effects.size
        for (const { data } of server.objects.values()) expect(Number(data?.['contact_id'] ?? 1)).toBeGreaterThan(0)
        // What one tab's user wrote, and what others wrote, each only ever grows where nothing is taken back.
        if (!discards)
          for (const each of [leader, other])
            for (const field of ['a', 'b']) {
              const last = new Map<string, number>()
              for (const [type, id, row] of each.seen) {
                if (type !== 'contact' || !row) continue
                const now = Number(row[field] ?? 0)
                expect([field, id, now >= (last.get(id) ?? 0), now]).toEqual([field, id, true, now])
                last.set(id, now)
              }
            }
        closeStores()
      }),
      { numRuns: 60 },
    )
    expect(effects).toBeGreaterThan(100)
  }, 60_000)
})
