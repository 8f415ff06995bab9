/** What a page hears of the outbox: once a frame, only what is news, and the end for whoever waits (R15, R18, R20, I20). */
import { describe, expect, it } from 'vitest'
import type { EditInfo, EditState, OutboxSnapshot } from '../../src/store/edit.ts'
import type { Outbox } from '../../src/store/outbox.ts'
import type { ToPage } from '../../src/worker/api.ts'
import { createOutboxDesk } from '../../src/worker/outbox.ts'
import { createScheduler, seeded, virtualClock } from '../support/virtual-time.ts'

const edit = (id: string, state: EditState, key: string | number = 7): EditInfo => ({
  id,
  collection: 'contact',
  key,
  op: 'update',
  value: {},
  at: 1,
  group: null,
  state,
  problem: null,
})

function setUp() {
  const scheduler = createScheduler(seeded(1))
  const sent: ToPage[] = []
  const edits = new Map<string, EditInfo>()
  const outbox = {
    find: (id: string) => edits.get(id) ?? null,
    snapshot: (): OutboxSnapshot => ({ edits: [...edits.values()], conflicts: [], pending: 0, failed: 0 }),
  } as unknown as Outbox
  const desk = createOutboxDesk({
    store: { outbox },
    clock: virtualClock(scheduler),
    send: (one) => void sent.push(one),
  })
  return {
    desk,
    sent,
    run: (ms: number) => scheduler.run(() => scheduler.now >= ms, ms),
    /** Null: the store knows nothing of it any more. */
    set(id: string, info: EditInfo | null) {
      if (info === null) edits.delete(id)
      else edits.set(id, info)
      desk.onEvent({ kind: 'outbox' })
    },
    words: () => sent.splice(0).flatMap((message) => (message.kind === 'edits' ? [message.edits] : [])),
    lists: () => sent.splice(0).filter(({ kind }) => kind === 'outbox').length,
  }
}

describe('the outbox of one page', () => {
  it('tells the states of edits it was asked to watch, the news of a frame together (R20)', async () => {
    const { desk, set, run, words } = setUp()
    desk.watch(edit('a', 'pending', -5))
    desk.watch(edit('b', 'pending'))
    for (const id of ['a', 'b', 'other']) set(id, edit(id, 'sending', id === 'a' ? -5 : 7))
    expect(words()).toEqual([])
    await run(20)
    expect(words()).toEqual([
      [
        ['a', 'sending', -5],
        ['b', 'sending', 7],
      ],
    ])
    set('a', edit('a', 'synced', 41))
    set('b', edit('b', 'sending'))
    await run(40)
    expect(words()).toEqual([[['a', 'synced', 41]]])
    set('a', null)
    set('b', null)
    await run(60)
    expect(words()).toEqual([[['b', 'synced', 7]]])
  })

  it('tells a key that became real while the edit still waits (R18)', async () => {
    const { desk, set, run, words } = setUp()
    desk.watch(edit('a', 'pending', -5))
    set('a', edit('a', 'pending', 41))
    await run(20)
    expect(words()).toEqual([[['a', 'pending', 41]]])
    expect(words()).toEqual([])
  })

  it('watched anew, leaves no change out', async () => {
    const { desk, set, run, words } = setUp()
    desk.watch(edit('a', 'pending'))
    set('a', edit('a', 'failed'))
    desk.watch(edit('a', 'failed'))
    await run(20)
    expect(words()).toEqual([[['a', 'failed', 7]]])
  })

  it('is listed only while the page looks, soon after a change, and more rarely the longer it is (R39)', async () => {
    const { desk, set, run, lists } = setUp()
    set('a', edit('a', 'pending'))
    await run(20)
    expect(lists()).toBe(0)
    desk.follow(true)
    expect(lists()).toBe(1)
    for (let n = 0; n < 2_000; n++) set(`e${n}`, edit(`e${n}`, 'pending'))
    await run(40)
    expect(lists()).toBe(1)
    set('a', edit('a', 'failed'))
    await run(60)
    expect(lists()).toBe(0)
    await run(200)
    expect(lists()).toBe(1)
    desk.follow(false)
    set('a', null)
    await run(400)
    expect(lists()).toBe(0)
  })

  it('does not look again because rows or counts changed', async () => {
    const { desk, run, lists } = setUp()
    desk.follow(true)
    lists()
    desk.onEvent({ kind: 'changes', changes: [] })
    desk.onEvent({ kind: 'settled' })
    await run(100)
    expect(lists()).toBe(0)
    desk.onEvent({ kind: 'aliases' })
    await run(200)
    expect(lists()).toBe(1)
  })
})

describe('waiting for an edit', () => {
  it.each<EditState>(['failed', 'unknown', 'discarded', 'synced'])('ends where it rests: %s (R20)', async (end) => {
    const { desk, set, run } = setUp()
    set('a', edit('a', 'pending'))
    let outcome: unknown
    void desk.synced('a', 1_000).then((state) => (outcome = state))
    set('a', edit('a', 'sending'))
    await run(100)
    expect(outcome).toBeUndefined()
    set('a', edit('a', end))
    await run(200)
    expect(outcome).toBe(end)
    expect(await desk.synced('a', 0)).toBe(end)
  })

  it('of which nothing is known any more ends at once: the server has it', async () => {
    expect(await setUp().desk.synced('gone', 1_000)).toBe('synced')
  })

  it('ends in time, and with the worker (I20)', async () => {
    const { desk, set, run } = setUp()
    set('a', edit('a', 'pending'))
    const late = expect(desk.synced('a', 500)).rejects.toMatchObject({ code: 'timeout' })
    await run(600)
    await late
    const closed = expect(desk.synced('a', 500)).rejects.toMatchObject({ code: 'closed' })
    desk.close()
    await run(700)
    await closed
  })
})
