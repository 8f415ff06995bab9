/** The CRM's own worker: the schema, and a `fetch` that obeys the switch of the device it is named after. */
import { startWorker } from '../src/worker/index.ts'
import { schema } from './crm/schema.ts'
import { gatedFetch } from './offline.ts'

startWorker({ schema, fetch: gatedFetch(self.name) })
