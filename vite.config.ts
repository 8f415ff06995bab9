/**
 * The demo's two pages (`index.html` and `crm/index.html` to `dist-demo`) and the unit tests. The library itself is
 * built by `tsc`, its packaged worker by `vite.worker.config.ts`.
 */
import { defineConfig } from 'vitest/config'

export default defineConfig({
  worker: { format: 'es' },
  // Found late inside a worker, these would make the dev server reload the page.
  optimizeDeps: { include: ['comlink', 'dexie', 'zod/mini'] },
  build: { outDir: 'dist-demo', target: 'es2023', rolldownOptions: { input: ['index.html', 'crm/index.html'] } },
  test: {
    include: ['test/**/*.test.ts'],
    environment: 'node',
    pool: 'forks',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['text', 'html', 'json-summary'] },
  },
})
