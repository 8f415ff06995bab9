/**
 * A service for tests of writing: the real one over real HTTP, behind a network that a test can spoil, with a count
 * of what took effect. Serves the page of `fixtures/writes`, too.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'vite'
import { createMemoryStore } from '../../src/service/memory.ts'
import { createNodeListener, listen } from '../../src/service/node.ts'
import type { ServiceOptions } from '../../src/service/options.ts'
import { EVERYONE, type ImportRecord, type SyncStore } from '../../src/service/store.ts'
import { createNetwork, type Network } from './line.ts'
import { root } from './serve.ts'

export interface World extends Pick<Network, 'line' | 'writes'> {
  readonly url: string
  /** Tokens that are refused. */
  readonly expired: Set<string>
  /** How many changes writes made: new revisions of records. */
  effects(): number
  /** The server's records of a type. */
  records<T = { readonly id: number; readonly name: string; readonly [field: string]: unknown }>(
    type: string,
  ): Promise<T[]>
  close(): Promise<void>
}

export interface WorldOptions extends Pick<ServiceOptions, 'profile' | 'validate'> {
  readonly records?: readonly ImportRecord[]
  /** False: every request has a connection of its own. */
  readonly reuse?: boolean
  /** Folder of the built page, from `buildPage`. */
  readonly site: string
}

/** Tokens are `user-device`. */
export async function openWorld({ records = [], reuse = true, site, ...options }: WorldOptions): Promise<World> {
  const inner = createMemoryStore()
  await inner.importRecords('acme', records)
  const { store, effects } = counted(inner)
  const expired = new Set<string>()
  const service = createNodeListener({
    ...options,
    store,
    authorize: (token) =>
      expired.has(token)
        ? null
        : { account: 'acme', user: token.replace(/-.*/, ''), scopes: ['sync', 'read', 'write'] },
  })
  const network = createNetwork(service)
  const files = serveFolder(site)
  const server = await listen(
    (request, response) => {
      response.shouldKeepAlive &&= reuse
      const listener = (request.url ?? '').startsWith('/v2/') ? network.listener : files
      listener(request, response)
    },
    { port: 0 },
  )
  return {
    url: server.url,
    line: network.line,
    writes: network.writes,
    expired,
    effects,
    async records(type) {
      const { objects } = await inner.list('acme', [EVERYONE], type, { page: 1, perPage: 100_000 })
      return objects.map(({ data }) => data as never)
    },
    async close() {
      await server.close(0)
      await inner.close()
    },
  }
}

/** Counts revisions that writes made. A repeated write is answered with a revision that is counted already. */
function counted(inner: SyncStore): { store: SyncStore; effects: () => number } {
  const made = new Set<string>()
  const store: SyncStore = {
    ...inner,
    async write(...args) {
      const result = await inner.write(...args)
      if (result.kind === 'written') made.add(`${result.object.type} ${result.object.id} ${result.object.revision}`)
      return result
    },
  }
  return { store, effects: () => made.size }
}

const HTML =
  '<!doctype html><title>writes</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>'

function serveFolder(site: string): RequestListener {
  return ({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://localhost')
    if (pathname === '/') return void response.writeHead(200, { 'Content-Type': 'text/html' }).end(HTML)
    readFile(join(site, pathname)).then(
      (file) => response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(file),
      () => response.writeHead(404).end(),
    )
  }
}

/** Builds the page of `fixtures/writes` on the built package. */
export async function buildPage(): Promise<{ site: string; remove: () => void }> {
  const source = join(root, 'e2e/fixtures/writes')
  const site = mkdtempSync(join(tmpdir(), 'tidegate-writes-'))
  await build({
    configFile: false,
    root: source,
    logLevel: 'error',
    publicDir: false,
    // Typed by the sources, run on what is shipped.
    resolve: { alias: [{ find: /^.*\/src\/(index|schema)\.ts$/, replacement: join(root, 'dist/index.js') }] },
    worker: { format: 'es' },
    build: {
      outDir: site,
      target: 'es2023',
      rolldownOptions: { input: { page: join(source, 'page.ts') }, output: { entryFileNames: '[name].js' } },
    },
  })
  return { site, remove: () => rmSync(site, { recursive: true, force: true }) }
}
