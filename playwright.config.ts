/**
 * The browser tests. Each spec starts the services it needs on ports of its own (`e2e/support/serve.ts`),
 * so that nothing is shared and several runs can share a machine. They use the built package and demo:
 * `npm run e2e` and `npm test` build first.
 */
import { defineConfig, devices } from '@playwright/test'
import { findBrowser } from './test/support/browser.ts'

const { executablePath, args, env } = findBrowser()

export default defineConfig({
  testDir: 'e2e',
  outputDir: 'test-results/e2e',
  // Some specs measure long tasks and speed: one browser at a time.
  workers: 1,
  retries: 0,
  forbidOnly: process.env['CI'] !== undefined,
  timeout: 60_000,
  reporter: [['list'], ['json', { outputFile: 'test-results/e2e.json' }]],
  use: { ...devices['Desktop Chrome'], launchOptions: { executablePath, args, env }, trace: 'retain-on-failure' },
  projects: [{ name: 'chromium' }],
})
