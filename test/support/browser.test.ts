/** The browser finder: what it finds on this machine starts. */
import { existsSync } from 'node:fs'
import { chromium } from 'playwright'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { findBrowser } from './browser.ts'

describe('the browser for the tests', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('is found on this machine and runs a page', async () => {
    const { executablePath, args, env, source } = findBrowser()
    const browser = await chromium.launch({ executablePath, args, env })
    try {
      const page = await browser.newPage()
      await page.setContent('<title>It runs</title>')
      expect(await page.title()).toBe('It runs')
      process.stdout.write(`Chromium ${browser.version()} (${source}): ${executablePath}\n`)
    } finally {
      await browser.close()
    }
  })

  it('can be named by TIDEGATE_CHROMIUM', () => {
    const { executablePath } = findBrowser()
    vi.stubEnv('TIDEGATE_CHROMIUM', executablePath)
    expect(findBrowser()).toMatchObject({ executablePath, source: 'environment' })
  })

  it('says so when TIDEGATE_CHROMIUM names nothing', () => {
    vi.stubEnv('TIDEGATE_CHROMIUM', '/no/such/browser')
    expect(existsSync('/no/such/browser')).toBe(false)
    expect(findBrowser).toThrow(/TIDEGATE_CHROMIUM names \/no\/such\/browser/)
  })
})
