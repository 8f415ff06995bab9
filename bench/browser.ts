/** One browser process after the other on a profile of its own, and what the system tells about it from outside. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, type BrowserContext, type Page } from 'playwright'
import { findBrowser, type Browser } from '../test/support/browser.ts'
import { cache } from './paths.ts'

export interface Running {
  readonly page: Page
  /** Milliseconds of CPU that all processes of the browser have used so far; null where the system does not say. */
  cpu(): number | null
  close(): Promise<void>
}

export interface Profile {
  /** Starts a new browser process on this profile and opens the page. */
  launch(url: string): Promise<Running>
  /** Bytes that the page's storage takes on disk; right only while no browser runs. */
  bytes(): number
  /** Ends what still runs on it and deletes it. */
  remove(): Promise<void>
}

let found: Browser | undefined

/** @param onVersion told which browser it is */
export function createProfile(onVersion: (version: string) => void): Profile {
  found ??= findBrowser()
  const { executablePath, args, env } = found
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'profile-'))
  let context: BrowserContext | undefined

  return {
    async launch(url) {
      const started = await chromium.launchPersistentContext(folder, {
        executablePath,
        env,
        headless: true,
        args,
      })
      context = started
      const page = started.pages()[0] ?? (await started.newPage())
      page.setDefaultTimeout(0)
      page.on('pageerror', (error) => console.error(`  page: ${error.message}`))
      await page.goto(url)
      await page.waitForFunction(() => 'bench' in window)
      const main = browserProcess(folder)
      onVersion(started.browser()?.version() ?? (await page.evaluate(() => navigator.userAgent)))
      return {
        page,
        cpu: () => (main === null ? null : cpuOf(main)),
        close: () => started.close(),
      }
    },
    bytes: () => ['IndexedDB', 'File System'].reduce((sum, part) => sum + bytesIn(join(folder, 'Default', part)), 0),
    async remove() {
      await context?.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function bytesIn(folder: string): number {
  if (!existsSync(folder)) return 0
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile())
  return files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0)
}

interface Process {
  readonly pid: string
  readonly parent: string
  /** Milliseconds. */
  readonly cpu: number
}

/** Linux counts in hundredths of a second, whatever its own clock does. */
const TICK_MS = 10

function processes(): readonly Process[] {
  if (!existsSync('/proc/self/stat')) return []
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    const stat = read(`/proc/${pid}/stat`)
    // The second field is a name in brackets, which may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return stat === ''
      ? []
      : [{ pid, parent: fields[1] as string, cpu: (Number(fields[11]) + Number(fields[12])) * TICK_MS }]
  })
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // The process has ended meanwhile.
    return ''
  }
}

/** The process that was started on this profile; its children carry no such word. */
function browserProcess(folder: string): string | null {
  const all = processes().filter(({ pid }) =>
    read(`/proc/${pid}/cmdline`).split('\0').includes(`--user-data-dir=${folder}`),
  )
  const pids = new Set(all.map(({ pid }) => pid))
  return all.find(({ parent }) => !pids.has(parent))?.pid ?? null
}

function cpuOf(main: string): number {
  const all = processes()
  const family = new Set([main])
  for (let grown = -1; grown !== family.size;) {
    grown = family.size
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid)
  }
  return all.filter(({ pid }) => family.has(pid)).reduce((sum, { cpu }) => sum + cpu, 0)
}
