/** Where things are. */
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const benchFolder = dirname(fileURLToPath(import.meta.url))
export const root = join(benchFolder, '..')
/** Built pages, profiles and raw results; a real disk, unlike some machines' folder for temporary files. */
export const cache = join(root, 'node_modules/.cache/bench')
