import { expect, it } from 'vitest'
import { systemClock, systemRandom } from '../../src/clock.ts'
import { collection, defineSchema } from '../../src/schema.ts'
import { createExchange } from '../../src/service/exchange.ts'
import { createMemoryStore } from '../../src/service/memory.ts'
import { compileQuery } from '../../src/query.ts'
import { createMachine, startProcess } from '../support/device.ts'
import { createNetwork } from '../support/network.ts'

const schema = defineSchema({ version: 1, collections: { contact: collection<{ id: number; name: string; n: number }>({ indexes: ['n'] }) } })

it('drains', async () => {
  const store = createMemoryStore()
  await store.importRecords('acme', Array.from({ length: 250 }, (_, n) => ({ type: 'contact', data: { id: n + 1, name: `c${n}`, n: n % 7 } })))
  const exchange = createExchange({ store, authorize: () => ({ account: 'acme', user: 'ann', scopes: ['sync', 'read', 'write'] }) })
  const network = createNetwork({ exchange, clock: systemClock })
  const machine = createMachine()
  const started = startProcess({ machine, schema, http: network.http, clock: systemClock, random: systemRandom })
  const process = await started.ready
  await process.engine.now(5000)
  console.log(network.log, process.engine.status.current)
  const q = compileQuery({ collection: 'contact', where: { n: 3 } }, process.store.specOf('contact'))
  expect((await process.store.find(q)).length).toBe(36)
  await new Promise((r) => setTimeout(r, 3500))
  console.log(process.engine.status.current)
  expect((await process.store.find(q)).length).toBe(36)
  await process.engine.now(5000)
  console.log(network.log)
  await process.engine.close()
})
