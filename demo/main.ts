/// <reference types="vite/client" />
/**
 * World: 135,233 places, every one of them in this browser. The demo's composition root: the engine,
 * and the parts of the page that show it.
 */
import { consoleLog, createSync } from '../src/index.ts'
import { byId, nextTask, setText } from './dom.ts'
import { count } from './format.ts'
import { createWorldMap } from './map/map.ts'
import { palettes } from './map/palette.ts'
import { createOfflineSwitch } from './offline.ts'
import { createCard } from './places/card.ts'
import { countryName } from './places/countries.ts'
import { createPlaces } from './places/places.ts'
import { schema, type City } from './schema.ts'
import { createDemoServer } from './server.ts'
import { createControls } from './strip/controls.ts'
import { createStrip } from './strip/strip.ts'
import { createTheme } from './theme.ts'

const CHANGED_AT_ONCE = 100
const LOOK_EVERY_MS = 10_000

const offline = createOfflineSwitch('world')
const server = createDemoServer(offline.get)
const sync = createSync({
  schema,
  name: 'world',
  account: null,
  endpoint: '/',
  token: ({ signal }) => server.token(signal),
  worker: () => new Worker(new URL('./sync-worker.ts', import.meta.url), { type: 'module' }),
  poll: LOOK_EVERY_MS,
  log: consoleLog('error'),
})
sync.ready.catch(() => undefined) // the status shows it
// For the visitor's console: try `await sync.city.where({name: {startsWith: 'sao'}}).all()`.
Object.assign(globalThis, { sync })

let selected: number | null = null
const tip = byId('tip', HTMLElement)
const here = byId('here', HTMLElement)
let pointedAt: number | null = null
const theme = createTheme()

const card = createCard(sync.city, () => select(null))
const places = createPlaces(sync.city, (city) => select(city, true))
// The page is built in several tasks, so that none of them is long.
await nextTask()

const map = createWorldMap({
  stage: byId('stage', HTMLElement),
  globe: byId('globe', HTMLCanvasElement),
  plates: [byId('plate-a', HTMLCanvasElement), byId('plate-b', HTMLCanvasElement)],
  marks: byId('marks', HTMLCanvasElement),
  palette: palettes[theme.get()],
  feed: sync.city.select('id', 'lon', 'lat', 'population').columns(),
  names: async (ids) => (await sync.city.getMany(ids)).map((city) => city?.name),
  onPick: (id) => {
    if (id === null) return select(null)
    sync.city.get(id).then(
      (city) => city && select(city),
      () => undefined,
    )
  },
  onHover: (id, at) => {
    pointedAt = id
    if (id === null) tip.hidden = true
    else
      sync.city.get(id).then(
        (city) => city && pointedAt === id && showTip(city, at),
        () => undefined,
      )
  },
  onCount: (many) => {
    setText(here, many === 0 ? 'No places yet' : `${count(many)} places`)
    places.setWhole(many)
  },
})

function showTip(city: City, at: { readonly x: number; readonly y: number }): void {
  setText(
    tip,
    `${city.name}, ${countryName(city.country)} · ${city.population > 0 ? count(city.population) : 'population unknown'}`,
  )
  tip.style.transform = `translate(${Math.round(at.x)}px, ${Math.round(at.y)}px)`
  tip.hidden = false
}

function select(city: City | null, fly = false): void {
  selected = city?.id ?? null
  card.show(selected)
  places.choose(selected)
  map.select(city, fly)
}

await nextTask()
createStrip(sync.status, offline)
createControls({
  offline,
  now: () => sync.now(),
  restart: () => sync.restart(),
  changePlaces: () => server.changePlaces(CHANGED_AT_ONCE, selected === null ? [] : [selected]),
})

theme.subscribe((next) => map.setPalette(palettes[next]))
byId('theme', HTMLButtonElement).addEventListener('click', theme.toggle)
byId('zoom-in', HTMLButtonElement).addEventListener('click', () => map.zoomBy(1.8))
byId('zoom-out', HTMLButtonElement).addEventListener('click', () => map.zoomBy(1 / 1.8))
byId('zoom-whole', HTMLButtonElement).addEventListener('click', map.whole)

if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  navigator.serviceWorker.register('/sw.js').catch(() => undefined) // the demo works without, but not offline
}
