/**
 * `npm run planted [-- SEEDS [PART OF A NAME]]`: switches on the bugs of `test/simulation/planted.ts` one by one and looks
 * for a schedule that finds each. Prints a table; ends badly if one is not found within so many seeds (2,000).
 */
import { pathToFileURL } from 'node:url'
import { readFileSync } from 'node:fs'
import { createServer } from 'vite'

const PLANTED = '/test/simulation/planted.ts'
const SIMULATE = '/test/simulation/simulate.ts'

/** Loads the simulation, with a bug in it or without. */
async function load(bug, plant) {
  const plugin = {
    name: 'planted',
    enforce: 'pre',
    transform: (code, id) => (bug !== null && id.split('?')[0].endsWith(`/${bug.file}`) ? plant(bug, code) : null),
  }
  const vite = await createServer({
    configFile: false,
    logLevel: 'silent',
    appType: 'custom',
    plugins: [plugin],
    optimizeDeps: { noDiscovery: true, include: [] },
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
  })
  return { vite, ...(await vite.ssrLoadModule(bug === null ? PLANTED : SIMULATE)) }
}

/**
 * Looks for each bug.
 * @param {(bug: import('../simulation/planted.ts').PlantedBug) => Iterable<number>} seedsOf the schedules to try for a bug
 * @returns what was found of each, as it was found
 */
export async function* hunt(seedsOf, only = '') {
  const { vite: list, PLANTED: bugs, plant } = await load(null)
  try {
    for (const bug of bugs) plant(bug, readFileSync(bug.file, 'utf8'))
    for (const bug of bugs.filter(({ name }) => name.includes(only))) {
      const started = Date.now()
      const { vite, simulate, hasWrites } = await load(bug, plant)
      let found = null
      let tried = 0
      try {
        for (const seed of seedsOf(bug)) {
          if (!hasWrites(seed)) continue
          tried++
          const { violation, kind } = await simulate(seed)
          if (violation === null) continue
          found = { seed, kind, violation }
          break
        }
      } finally {
        await vite.close()
      }
      yield { ...bug, tried, found, seconds: (Date.now() - started) / 1000 }
    }
  } finally {
    await list.close()
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  // Dexie tells of each connection that a killed process left behind.
  console.warn = () => {}
  const [seeds = '2000', only = ''] = process.argv.slice(2)
  let missed = 0
  console.log('| planted bug | breaks | found by | seed | schedules |\n| --- | --- | --- | --- | --- |')
  for await (const { name, breaks, tried, found } of hunt(
    () => Array.from({ length: Number(seeds) }, (_, at) => at + 1),
    only,
  )) {
    if (found === null) missed++
    console.log(`| ${name} | ${breaks} | ${found?.kind ?? 'NOTHING'} | ${found?.seed ?? ''} | ${tried} |`)
    if (process.env.VERBOSE && found !== null) console.log(`  ${found.violation}`)
  }
  console.log(`planted: ${missed} not found`)
  process.exit(missed === 0 ? 0 : 1)
}
