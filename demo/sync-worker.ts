/** The demo's own worker: the schema, and a `fetch` that obeys the Offline switch. */
import { startWorker } from '../src/worker/index.ts'
import { gatedFetch } from './offline.ts'
import { schema } from './schema.ts'

startWorker({ schema, fetch: gatedFetch('world') })
