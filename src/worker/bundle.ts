/** Entry `tidegate/worker-bundle`: the packaged worker, built into one self-contained file. */
import { start } from './start.ts'

start(null)
