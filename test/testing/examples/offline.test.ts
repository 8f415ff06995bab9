import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { expect, it } from 'vitest'
import { collection, defineSchema } from '../../../src/index.ts'
import { createTestServer, createTestSync } from '../../../src/testing/index.ts'

const schema = defineSchema({
  version: 1,
  collections: { contact: collection<{ id: number; name: string }>({ indexes: ['name'] }) },
})

it('keeps what was written offline and sends it when the network is back', async () => {
  const server = await createTestServer({ records: { contact: [{ id: 1, name: 'Ann' }] } })
  const sync = createTestSync({ schema, server, indexedDB: new IDBFactory(), IDBKeyRange })
  await sync.now()

  server.network.offline()
  const edit = await sync.contact.update(1, { name: 'Ann B.' })
  expect(await sync.contact.get(1)).toEqual({ id: 1, name: 'Ann B.' })
  expect(await server.record('contact', 1)).toEqual({ id: 1, name: 'Ann' })

  server.network.online()
  expect(await edit.synced()).toBe('synced')
  expect(await server.records('contact')).toEqual([{ id: 1, name: 'Ann B.' }])
  await sync.close()
})
