import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lockFolder } from '../../src/service/folder-lock.ts'
import { createPgliteStore } from '../../src/service/pglite.ts'
import type { DeviceRef, HandedItem, SyncStore } from '../../src/service/store.ts'

let root: string

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tidegate-pglite-'))
})

afterAll(() => rm(root, { recursive: true }))

const device: DeviceRef = { account: 'a', user: 'u', device: 'd1' }
const EVERYONE = ['everyone']

async function fetchAll(store: SyncStore, ref = device): Promise<readonly HandedItem[]> {
  const opened = await store.openSession(ref, EVERYONE, 100)
  const items: HandedItem[] = []
  if (opened.kind !== 'opened') return items
  for (;;) {
    const page = await store.takePage(ref, opened.session, { limit: 100, bytes: 1e6, sees: EVERYONE })
    if (page.kind !== 'page') return items
    items.push(...page.items)
  }
}

describe('pglite in a folder', { timeout: 60_000 }, () => {
  it('R37 FAQ-1.3 FAQ-6.0 keeps objects, devices, keys taken in, sessions and answers over a restart', async () => {
    const folder = path.join(root, 'kept', 'deeper')
    const first = await createPgliteStore({ folder })
    await first.importRecords(
      'a',
      [1, 2, 3].map((id) => ({ type: 'city', data: { id } })),
    )
    const items = await fetchAll(first)
    await first.acceptAcks(
      device,
      items.slice(0, 1).map((item) => item.ackKey),
    )
    const opened = await first.openSession({ ...device, device: 'd2' }, EVERYONE, 100)
    const written = await first.write({ account: 'a', user: 'u' }, { kind: 'create', type: 'city', data: {} }, 'key')
    await first.close()
    await expect(first.read('a', EVERYONE, 'city', '1')).rejects.toMatchObject({ name: 'StoreClosedError' })

    const second = await createPgliteStore({ folder })
    expect(second.epoch).toBe(first.epoch)
    await second.workOffAcks()
    const again = await fetchAll(second)
    expect(again.map((item) => item.id)).toEqual(['2', '3', '4'])
    expect(again.slice(0, 2).map((item) => item.ackKey)).toEqual(items.slice(1).map((item) => item.ackKey))
    const session = opened.kind === 'opened' ? opened.session : ''
    const page = await second.takePage({ ...device, device: 'd2' }, session, { limit: 10, bytes: 1e6, sees: EVERYONE })
    expect(page.kind === 'page' && page.items.map((item) => item.id)).toEqual(['1', '2', '3'])
    expect(await second.write({ account: 'a', user: 'u' }, { kind: 'create', type: 'city', data: {} }, 'key')).toEqual(
      written,
    )
    await second.close()
    await second.close()
  })

  it('R37 refuses a folder that this process already holds, and frees it on close', async () => {
    const folder = path.join(root, 'twice')
    const store = await createPgliteStore({ folder })
    await expect(createPgliteStore({ folder })).rejects.toThrow(`in use by process ${process.pid}`)
    await store.close()
    expect(existsSync(path.join(folder, 'tidegate.lock'))).toBe(false)
  })

  it('R37 makes the database anew if it was killed while it was being made', async () => {
    const folder = path.join(root, 'halfway')
    await mkdir(path.join(folder, 'unfinished'), { recursive: true })
    await writeFile(path.join(folder, 'unfinished', 'PG_VERSION'), '18')
    const store = await createPgliteStore({ folder })
    expect(await fetchAll(store)).toEqual([])
    await store.close()
  })

  it('R33 R14 two databases have two epochs, and the keys of one count nothing in the other', async () => {
    const [one, other] = [await createPgliteStore(), await createPgliteStore()]
    for (const store of [one, other]) await store.importRecords('a', [{ type: 'city', data: { id: 1 } }])
    expect(one.epoch).not.toBe(other.epoch)
    const items = await fetchAll(one)
    await fetchAll(other)
    await other.acceptAcks(
      device,
      items.map((item) => item.ackKey),
    )
    await other.workOffAcks()
    expect(await fetchAll(other)).toHaveLength(1)
    await one.close()
    await other.close()
  })
})

describe('folder lock', () => {
  it('R37 takes over the lock of a process that is gone, and of an earlier one with this number', async () => {
    for (const [name, content] of [
      ['gone', '99999999 x\n'],
      ['own', `${process.pid} x\n`],
      ['empty', ''],
    ] as const) {
      const folder = path.join(root, `lock-${name}`)
      await mkdir(folder)
      await writeFile(path.join(folder, 'tidegate.lock'), content)
      const lock = await lockFolder(folder)
      lock.release()
      lock.release()
    }
  })

  it('R37 does not take the lock of a living process', async () => {
    const folder = path.join(root, 'lock-alive')
    await mkdir(folder)
    await writeFile(path.join(folder, 'tidegate.lock'), `${process.ppid} x\n`)
    await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${process.ppid}`)
    await expect(lockFolder(folder)).rejects.toThrow('in use')
  })

  it('R37 of many that ask at once, one gets it', async () => {
    const folder = path.join(root, 'lock-race')
    await mkdir(folder)
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => lockFolder(folder)))
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
  })
})
