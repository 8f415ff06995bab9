/** A Chromium of its own with a profile on disk, which can be killed as a power button would: SIGKILL to all of it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { chromium, type Browser } from '@playwright/test'
import { findBrowser } from '../../test/support/browser.ts'

export interface KillableBrowser {
  readonly browser: Browser
  /** Also right if it is gone already. */
  kill(): Promise<void>
}

export async function launchKillable(profile: string): Promise<KillableBrowser> {
  const { executablePath, args, env } = findBrowser()
  const flags = [
    '--headless',
    '--no-sandbox',
    '--no-first-run',
    '--disable-background-networking',
    '--remote-debugging-port=0',
    `--user-data-dir=${profile}`,
  ]
  const child = spawn(executablePath, [...flags, ...args, 'about:blank'], {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env,
  })
  const exit = once(child, 'exit')
  const address = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stderr }).on('line', (line) => {
      const found = /DevTools listening on (ws:\S+)/.exec(line)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once('exit', () => reject(new Error('the browser ended before it could be driven')))
    child.once('error', reject)
  })
  const browser = await chromium.connectOverCDP(address)
  return {
    browser,
    kill: async () => {
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGKILL')
      await exit
      await browser.close().catch(() => undefined)
    },
  }
}
