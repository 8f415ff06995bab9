/**
 * One page for each contestant, built by Vite as an app would be, and the gzip size of what that contestant adds to it.
 * Tidegate is taken from `dist/`, the code that is published.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build, type Plugin } from 'vite'
import { benchFolder, cache, root } from './paths.ts'
import type { Entry } from './registry.ts'

export const site = join(cache, 'site')

export interface Sizes {
  /** Bytes of JavaScript after gzip, without the harness. */
  readonly script: number
  /** Bytes of WebAssembly after gzip. */
  readonly wasm: number
}

/** @returns sizes by name of the contestant; the page is at `/NAME/`. */
export async function buildPages(entries: readonly Entry[]): Promise<Record<string, Sizes>> {
  rmSync(site, { recursive: true, force: true })
  mkdirSync(site, { recursive: true })
  const sizes: Record<string, Sizes> = {}
  for (const entry of entries) sizes[entry.name] = await buildPage(entry)
  return sizes
}

async function buildPage({ name, file, thread }: Entry): Promise<Sizes> {
  const outDir = join(site, name)
  const places: Record<string, string> = {
    'virtual:contestant': join(benchFolder, file),
    'virtual:client': join(benchFolder, 'page', thread === 'worker' ? 'in-worker.ts' : 'on-page.ts'),
    [join(root, 'src/index.ts')]: join(root, 'dist/index.js'),
  }
  const redirect = (): Plugin => ({
    name: 'bench-contestant',
    enforce: 'pre',
    async resolveId(id, importer, options) {
      const place = places[id]
      if (place !== undefined) return place
      const found = await this.resolve(id, importer, { ...options, skipSelf: true })
      return found === null ? null : (places[found.id] ?? found)
    },
  })
  await build({
    configFile: false,
    root: join(benchFolder, 'page'),
    base: `/${name}/`,
    publicDir: false,
    logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [redirect()],
    worker: { format: 'es', plugins: () => [redirect()] },
    build: { outDir, emptyOutDir: true, target: 'es2023', modulePreload: false, chunkSizeWarningLimit: 10_000 },
  })
  return measure(outDir)
}

function measure(folder: string): Sizes {
  const files = readdirSync(join(folder, 'assets')).map((file) => join(folder, 'assets', file))
  const bytes = (ending: RegExp): number =>
    files.filter((file) => ending.test(file)).reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0)
  const harness = /src="\/[^"]*\/(assets\/index-[^"]+\.js)"/.exec(readFileSync(join(folder, 'index.html'), 'utf8'))?.[1]
  if (harness === undefined) throw new Error(`The page in ${folder} names no script.`)
  return { script: bytes(/\.js$/) - gzipSync(readFileSync(join(folder, harness))).length, wasm: bytes(/\.wasm$/) }
}

/** Builds the package if a source is newer than what was built. */
export function buildPackage(): void {
  const built = join(root, 'dist/worker/bundle.js')
  const newest = Math.max(
    ...readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).map(
      (file) => statSync(join(root, 'src', file)).mtimeMs,
    ),
  )
  if (existsSync(built) && statSync(built).mtimeMs > newest) return
  console.log('Building the package ...')
  execFileSync('npm', ['run', '-s', 'build:lib'], { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' })
}
