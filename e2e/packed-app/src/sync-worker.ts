import { startWorker } from 'tidegate/worker'
import { checked } from './schema'

startWorker({ schema: checked })
