/** Entry `tidegate/worker-bundle`: the packaged worker, built into one self-contained file. */
import { packagedSchema } from './schema-of.ts'
import { start } from './start.ts'

start(packagedSchema)
