/**
 * The demo's two pages (`index.html` and `demo/crm/index.html`, at `/crm/`, to `dist-demo`) and the unit tests. The library itself is
 * built by `tsc`, its packaged worker by `vite.worker.config.ts`.
 */
import { defineConfig } from 'vitest/config'

/** While developing; the built page is moved by `demo/build-sw.mjs`. */
const crmAddress = {
  name: 'crm-address',
  configureServer({ middlewares }: { readonly middlewares: { use: (step: Middleware) => void } }) {
    middlewares.use((request, _response, next) => {
      request.url = request.url?.replace(/^\/crm\/(?=\?|$)/, '/demo/crm/index.html')
      next()
    })
  },
}

type Middleware = (request: { url?: string | undefined }, response: unknown, next: () => void) => void

export default defineConfig({
  plugins: [crmAddress],
  worker: { format: 'es' },
  // Found late inside a worker, these would make the dev server reload the page.
  optimizeDeps: { include: ['comlink', 'dexie', 'zod/mini'] },
  build: { outDir: 'dist-demo', target: 'es2023', rolldownOptions: { input: ['index.html', 'demo/crm/index.html'] } },
  test: {
    include: ['test/**/*.test.ts'],
    environment: 'node',
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text', 'html', 'json-summary'] },
  },
})
