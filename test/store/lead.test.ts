/** When memory may answer for the disk: only in the tab that leads alone and has read all there is (R2, R23, R24). */
import { IDBFactory } from 'fake-indexeddb'
import { afterEach, describe, expect, it } from 'vitest'
import { closeAll, openTest, page, put, schema, session } from './support.ts'

afterEach(closeAll)

const three = (rev: number): ReturnType<typeof page> =>
  page(put(1, rev, { n: rev }), put(2, rev, { n: rev }), put(3, rev, { n: rev }))

describe('memory answers alone', () => {
  it('not in a tab that took the epoch for a restart and follows: it sees whole pages (R2, R23)', async () => {
    const factory = new IDBFactory()
    const { store: leader } = await openTest(factory)
    const follower = await openTest(factory, schema, false)
    await follower.store.device.takeEpoch()
    const lease = await leader.lead(true)
    await leader.commit(lease, [three(1)], session)
    await leader.settleNext(lease, 1)
    expect(await follower.ids()).toEqual(['1', '2', '3'])
  })

  it('not where no lock keeps others from leading, since a tab does not know that it was fenced (R2, R24)', async () => {
    const factory = new IDBFactory()
    const old = await openTest(factory, schema, false)
    const oldLease = await old.store.lead(false)
    await old.store.commit(oldLease, [three(1)], session)
    while ((await old.store.settleNext(oldLease)) !== null);
    await old.store.commit(oldLease, [page(put(3, 2, { n: 2 }))], session)
    const next = await openTest(factory)
    await next.store.commit(next.lease, [three(3)], session)
    await next.settleAll()
    expect((await old.find()).map(({ n }) => n)).toEqual([3, 3, 3])
  })

  it('not while its data is being replaced: nothing is left of a row that was only in memory (R23)', async () => {
    const { store, lease, ids, settleAll, receive } = await openTest()
    await receive([put(1, 1), put(2, 1)])
    await settleAll()
    await receive([put(3, 1)])
    const wiping = store.wipe(lease)
    let wiped = false
    void wiping.then(() => (wiped = true))
    const answers: string[][] = []
    while (!wiped) {
      answers.push(await ids())
      await new Promise((resolve) => setTimeout(resolve))
    }
    expect(answers.filter((answer) => answer.length !== 0 && answer.length !== 3)).toEqual([])
    expect(await ids()).toEqual([])
  })

  it('not before a new leader has read what the last one stored (R2, R24)', async () => {
    const factory = new IDBFactory()
    const next = await openTest(factory, schema, false)
    const last = await openTest(factory)
    await last.receive([put(1, 1)])
    await last.settleAll()
    await last.receive([put(1, 2, { n: 2 })])
    await next.store.follow()
    await last.store.commit(last.lease, [three(3)], session)
    await last.settleAll()
    const leading = next.store.lead(true)
    const answers = [await next.find(), await next.find()]
    await leading
    for (const answer of [...answers, await next.find()]) expect(answer.map(({ n }) => n)).toEqual([3, 3, 3])
  })

  it('in the tab that leads alone, without a transaction (R2)', async () => {
    const { store, receive, ids } = await openTest()
    await receive([put(1, 1)])
    const asked = ids()
    // Answered within a few turns of the same task, which no request could be.
    let answer: string[] | null = null
    void asked.then((found) => (answer = found))
    for (let turn = 0; turn < 20; turn++) await null
    expect(answer).toEqual(['1'])
    expect(await store.get('thing', ['1', '2'])).toEqual([{ id: 1 }, undefined])
  })
})
