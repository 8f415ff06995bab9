import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { expect, it } from 'vitest'
import { collection, defineSchema } from '../../../src/index.ts'
import { createTestServer, createTestSync, createVirtualClock, fault } from '../../../src/testing/index.ts'

const schema = defineSchema({
  version: 1,
  collections: { order: collection<{ id: number; total: number }>() },
})

it('places an order once, though answers are lost, the page is closed and the server busy for ten minutes', async () => {
  const clock = createVirtualClock()
  const server = await createTestServer({ clock })
  const device = { indexedDB: new IDBFactory(), IDBKeyRange }
  const answersAreLost = server.network.fail({ call: 'write' }, fault.dropAnswer())

  const firstVisit = createTestSync({ schema, server, ...device })
  const order = await firstVisit.order.insert({ total: 40 })
  await clock.until(() => server.network.log.some((entry) => entry.fault === 'drop-answer'))
  await clock.until(firstVisit.close())

  answersAreLost()
  server.network.fail({ call: 'write', times: 1 }, fault.tooManyRequests(600))
  // The app is opened again: the same disk, another worker.
  const secondVisit = createTestSync({ schema, server, ...device })
  const found = await clock.until(secondVisit.outbox.find(order.id))
  expect(found?.state).toBe('sending')
  expect(await clock.until(found!.synced({ timeout: 3_600_000 }))).toBe('synced')
  expect(clock.monotonic()).toBeGreaterThan(600_000)
  expect(await server.records('order')).toMatchObject([{ total: 40 }])
  await clock.until(secondVisit.close())
})
