/**
 * `npm start`: the sync service on its embedded store and the built demo page, on one origin, from nothing
 * but Node. `--dev` serves the sources with live reload instead (`npm run dev`).
 */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { createApp, CRM_ACCOUNT } from './server/app.mjs'
import { importCrm } from './server/crm.mjs'
import { listen } from './server/listen.mjs'
import { readOptions, ROOT } from './server/options.mjs'
import { importPlaces, readPlaces } from './server/places.mjs'

/** What the service answers for, beside the page's own files. */
const SERVICE = /^\/(v2\/|demo\/(bootstrap\.json|crm\.json|change)$)/

async function main() {
  const options = readOptions(process.argv.slice(2))
  const server = createServer()
  const vite = options.dev ? await startVite(server) : null
  const service = vite === null ? await builtService() : await vite.ssrLoadModule('/src/service/index.ts')
  const store =
    options.store === 'memory'
      ? service.createMemoryStore()
      : await service.createPgliteStore({ folder: options.store.slice('pglite:'.length) })

  const stop = async () => {
    server.close()
    server.closeAllConnections()
    await vite?.close()
    await store.close()
  }
  // A second signal ends the process at once, as without us.
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void stop().then(() => process.exit(0), fail))

  const places = readPlaces(options.limit)
  await importPlaces(store, places)
  await importCrm(store, CRM_ACCOUNT)
  const app = createApp({ service, store, places, options, site: vite === null ? join(ROOT, 'dist-demo') : null })
  const answer = getRequestListener(app.fetch)
  server.on('request', (request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    if (vite === null || SERVICE.test(path)) void answer(request, response)
    else vite.middlewares(request, response)
  })
  const port = await listen(server, options.port)
  console.log(`World: http://127.0.0.1:${port}/\nCRM:   http://127.0.0.1:${port}/crm/`)
}

async function builtService() {
  const entry = new URL('../dist/service/index.js', import.meta.url)
  if (!existsSync(entry) || !existsSync(join(ROOT, 'dist-demo', 'index.html')))
    throw new Error('The demo is not built yet. Run: npm run build')
  return import(entry.href)
}

/** @param {import('node:http').Server} server */
async function startVite(server) {
  const { createServer: createVite } = await import('vite')
  return createVite({ root: ROOT, appType: 'spa', server: { middlewareMode: true, hmr: { server } } })
}

/** @param {unknown} error */
function fail(error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}

main().catch(fail)
