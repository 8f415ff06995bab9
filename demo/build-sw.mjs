/**
 * The offline shell: a service worker that keeps the built page, so that a reload without a network shows
 * what IndexedDB holds. It never touches the sync calls or the demo's own endpoints.
 */
import { cpSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { generateSW } from 'workbox-build'

const site = fileURLToPath(new URL('../dist-demo', import.meta.url))

// Vite keeps the folders of the sources.
cpSync(`${site}/demo/crm`, `${site}/crm`, { recursive: true })
rmSync(`${site}/demo`, { recursive: true })

const { count, size, warnings } = await generateSW({
  globDirectory: site,
  globPatterns: ['**/*.{html,js,css,svg,woff2}'],
  // The packaged worker: the demo brings its own.
  globIgnores: ['assets/bundle-*.js'],
  swDest: `${site}/sw.js`,
  mode: 'production',
  sourcemap: false,
  inlineWorkboxRuntime: true,
  // A new version waits for nobody: the page's files carry their content in their names.
  skipWaiting: true,
  clientsClaim: true,
  cleanupOutdatedCaches: true,
  dontCacheBustURLsMatching: /^assets\//,
  // `/crm/?device=2` is the same page.
  ignoreURLParametersMatching: [/^device$/],
  navigateFallback: '/index.html',
  navigateFallbackDenylist: [/^\/v2\//, /^\/demo\//],
})
for (const warning of warnings) console.warn(warning)
console.log(`Offline shell: ${count} files, ${Math.round(size / 1000)} kB`)
