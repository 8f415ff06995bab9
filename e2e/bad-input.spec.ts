/**
 * Everything a developer or a machine can get wrong, in a real browser: each is a `SyncError` with a code and a
 * sentence that says what to do, in `status`, in `ready` and in every call, and nothing hangs (R38, I20).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, type Page } from '@playwright/test'
import { build } from 'vite'
import { createMemoryStore } from '../src/service/memory.ts'
import { createNodeListener, listen, type SyncServer } from '../src/service/node.ts'
import type { Attempt, Outcome } from './fixtures/bad-input/page.ts'
import { root } from './support/serve.ts'

const workers = ['good', 'without-indexeddb', 'that-throws', 'that-crashes', 'that-is-silent'].map(
  (name) => `worker-${name}`,
)
let folder: string
let server: SyncServer

test.beforeAll(async () => {
  test.setTimeout(120_000)
  folder = mkdtempSync(join(tmpdir(), 'tidegate-bad-input-'))
  const source = join(root, 'e2e/fixtures/bad-input')
  await build({
    configFile: false,
    root: source,
    logLevel: 'error',
    worker: { format: 'es' },
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: 'es2023',
      rolldownOptions: {
        input: Object.fromEntries(['page', ...workers].map((name) => [name, join(source, `${name}.ts`)])),
        output: { entryFileNames: '[name].js' },
      },
    },
  })
  server = await startServer()
})

test.afterAll(async () => {
  await server?.close(0)
  rmSync(folder, { recursive: true, force: true })
})

/** The app's origin: the built page, the service under `/v2/`, and a page for everything under `/app/`. */
async function startServer(): Promise<SyncServer> {
  const store = createMemoryStore()
  for (const account of ['acme', 'globex'])
    await store.importRecords(account, [{ type: 'contact', data: { id: 1, name: account } }])
  const service = createNodeListener({
    store,
    authorize: (token) => {
      if (token === 'ann') return { account: 'acme', user: 'ann', scopes: ['sync'] }
      if (token === 'bob') return { account: 'globex', user: 'bob', scopes: ['sync'] }
      return token === 'reader' ? { account: 'acme', user: 'rea', scopes: ['read'] } : null
    },
  })
  const html = '<!doctype html><title>bad input</title><script type="module" src="/page.js"></script>'
  return listen(
    (request, response) => {
      const url = new URL(request.url ?? '/', 'http://localhost')
      if (url.pathname.startsWith('/v2/')) return service(request, response)
      if (url.pathname === '/' || url.pathname.startsWith('/app/')) {
        const policy = url.searchParams.get('csp')
        response.writeHead(200, {
          'Content-Type': 'text/html',
          ...(policy !== null && { 'Content-Security-Policy': policy }),
        })
        return void response.end(html)
      }
      readFile(join(folder, url.pathname)).then(
        (file) => response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(file),
        () => response.writeHead(404).end(),
      )
    },
    { port: 0 },
  )
}

/** A fresh page; what it comes to must be known long before any test would time out. */
async function attempt(page: Page, options: Attempt, policy?: string): Promise<Outcome> {
  await page.goto(`${server.url}/${policy === undefined ? '' : `?csp=${encodeURIComponent(policy)}`}`)
  await page.waitForFunction(() => 'attempt' in window)
  return page.evaluate((given) => window.attempt(given), options)
}

test('the same page with nothing wrong works, with both kinds of worker', async ({ page }) => {
  for (const options of [{}, { worker: '/worker-good.js', name: 'own' }]) {
    const { thrown, error, ready, calls } = await attempt(page, options)
    expect({ thrown, error, ready, calls }).toEqual({
      thrown: null,
      error: null,
      ready: null,
      calls: [null, null, null],
    })
  }
})

test.describe('where the service should be', () => {
  for (const endpoint of ['/app/', '/nothing-here/']) {
    test(`something else answers (${endpoint})`, async ({ page }) => {
      const { phase, error, ready, calls } = await attempt(page, { endpoint })
      // It may be a captive portal, so it is asked again.
      expect([phase, error?.code]).toEqual(['waiting', 'endpoint_wrong'])
      expect(error?.message).toContain('endpoint')
      // What is stored can be read all the same; only now() needs the network.
      expect([ready, ...calls]).toEqual([null, null, null, 'timeout'])
    })
  }

  test('nothing answers', async ({ page }) => {
    const gone = await listen(() => undefined, { port: 0 })
    await gone.close(0)
    const { phase, error, ready } = await attempt(page, { endpoint: gone.url })
    expect([phase, error?.code, ready]).toEqual(['waiting', 'endpoint_unreachable', null])
    expect(error?.message).toMatch(/network|CORS|address/i)
  })

  test('another origin does not allow this page (CORS-1)', async ({ page }) => {
    const { phase, error } = await attempt(page, { endpoint: server.url.replace('127.0.0.1', 'localhost') })
    expect([phase, error?.code]).toEqual(['waiting', 'endpoint_unreachable'])
    expect(error?.message).toContain('CORS')
  })
})

test.describe('the token', () => {
  const cases: Array<[what: string, token: string | null, phase: string, code: string]> = [
    ['is refused', 'wrong', 'needs-auth', 'unauthorized'],
    ['lacks the scope', 'reader', 'stopped', 'forbidden'],
  ]
  for (const [what, token, phase, code] of cases) {
    test(what, async ({ page }) => {
      const outcome = await attempt(page, { token })
      expect([outcome.phase, outcome.error?.code, outcome.ready]).toEqual([phase, code, null])
      expect(outcome.calls).toEqual([null, null, code])
      expect(outcome.error?.message.length).toBeGreaterThan(20)
    })
  }

  test('cannot be had: asked for again by itself', async ({ page }) => {
    const { phase, error } = await attempt(page, { token: null })
    expect([phase, error?.code]).toEqual(['waiting', 'token_failed'])
    expect(error?.message).toContain('token callback')
  })

  test('belongs to another account than the stored data (R22)', async ({ page }) => {
    expect((await attempt(page, { token: 'ann' })).error).toBeNull()
    const { phase, error } = await attempt(page, { token: 'bob' })
    expect([phase, error?.code]).toEqual(['stopped', 'account_mismatch'])
    expect(error?.message).toContain('account')
  })
})

test.describe('the worker', () => {
  const everything = (code: string) => ({
    ready: expect.objectContaining({ code }),
    calls: [code, code, code],
  })

  const cases: Array<[what: string, options: Attempt, named: string, policy?: string]> = [
    ['is forbidden by the policy of the page', {}, "worker-src 'self'", "worker-src 'none'"],
    ['has a wrong address', { worker: '/no-such-worker.js' }, 'URL'],
    ['is a page instead of a script', { worker: '/app/worker.js' }, 'URL'],
    ['is on another origin', { worker: 'http://localhost:9/worker.js' }, 'URL'],
    ['throws while it loads', { worker: '/worker-that-throws.js' }, 'a mistake in the worker file'],
    ['never starts anything', { worker: '/worker-that-is-silent.js', patience: 20_000 }, 'file'],
  ]
  for (const [what, options, named, policy] of cases) {
    test(`${what}: worker_failed`, async ({ page }) => {
      const outcome = await attempt(page, options, policy)
      expect([outcome.phase, outcome.error?.code]).toEqual(['stopped', 'worker_failed'])
      expect(outcome.error?.message).toContain(named)
      expect(outcome).toMatchObject(everything('worker_failed'))
    })
  }

  test("runs where the policy allows only 'self' (R40)", async ({ page }) => {
    const outcome = await attempt(
      page,
      { name: 'policy' },
      "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self'",
    )
    expect([outcome.error, outcome.ready, outcome.calls]).toEqual([null, null, [null, null, null]])
  })

  test('crashes under way: worker_crashed, no call hangs, and another is about to start', async ({ page }) => {
    const { phase, error, calls } = await attempt(page, { worker: '/worker-that-crashes.js' })
    expect([phase, error?.code]).toEqual(['waiting', 'worker_crashed'])
    expect(error?.message).toContain('a crash under way')
    expect(calls).toContain('worker_crashed')
  })

  test('has no IndexedDB: storage_unavailable (R41)', async ({ page }) => {
    const outcome = await attempt(page, { worker: '/worker-without-indexeddb.js' })
    expect([outcome.phase, outcome.error?.code]).toEqual(['storage-problem', 'storage_unavailable'])
    expect(outcome).toMatchObject(everything('storage_unavailable'))
  })

  test('was built with another schema than the page: version_skew', async ({ page }) => {
    const outcome = await attempt(page, { schema: 'other', worker: '/worker-good.js' })
    expect([outcome.phase, outcome.error?.code]).toEqual(['stopped', 'version_skew'])
    expect(outcome.error?.message).toContain('schema')
  })
})

test.describe('the schema', () => {
  const cases: Array<[what: string, schema: string, code: string, named: string]> = [
    ['names its key twice', 'doubled key', 'schema_invalid', 'twice'],
    ['names no key', 'missing key', 'schema_invalid', 'key'],
    ['has a validator, and the packaged worker cannot run it (R29)', 'validated', 'schema_needs_worker', 'startWorker'],
  ]
  for (const [what, schema, code, named] of cases) {
    test(`${what}: ${code}, at once`, async ({ page }) => {
      const { thrown } = await attempt(page, { schema })
      expect(thrown?.code).toBe(code)
      expect(thrown?.message).toContain(named)
    })
  }

  test('was changed without a new version: schema_conflict', async ({ page }) => {
    expect((await attempt(page, { schema: 'plain' })).error).toBeNull()
    const { phase, error, ready } = await attempt(page, { schema: 'other' })
    expect([phase, error?.code, ready?.code]).toEqual(['stopped', 'schema_conflict', 'schema_conflict'])
    expect(error?.message).toContain('version')
  })
})
