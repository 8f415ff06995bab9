/** The card of one place: follows the place as it changes, and says where it ranks, from indexes alone. */
import type { City } from '../schema.ts'
import type { CollectionApi } from '../../src/index.ts'
import { byId, flash, setText } from '../dom.ts'
import { coordinates, count, feature } from '../format.ts'
import { countryName } from './countries.ts'

export interface Card {
  readonly show: (id: number | null) => void
}

/** @param onClose the visitor closed the card */
export function createCard(city: CollectionApi<City>, onClose: () => void): Card {
  const card = byId('card', HTMLElement)
  const value = (id: string): HTMLElement => byId(id, HTMLElement)
  const fields = {
    name: value('card-name'),
    country: value('card-country'),
    population: value('card-population'),
    rank: value('card-rank'),
    kind: value('card-kind'),
    position: value('card-position'),
    region: value('card-region'),
    id: value('card-id'),
    state: value('card-state'),
  }
  let stop: () => void = () => undefined
  let shown: City | null = null

  const put = (element: HTMLElement, text: string, light: boolean): void => {
    if (element.textContent === text) return
    setText(element, text)
    if (light) flash(element)
  }

  const fill = (row: City, state: string): void => {
    const light = shown?.id === row.id
    shown = row
    put(fields.name, row.name, light)
    put(fields.country, countryName(row.country), light)
    put(fields.population, row.population > 0 ? count(row.population) : 'unknown', light)
    put(fields.kind, feature(row.featureCode), light)
    put(fields.position, coordinates(row.lon, row.lat), light)
    put(fields.region, `${row.country} ${row.adminCode}`, light)
    put(fields.id, String(row.id), light)
    put(fields.state, state === 'synced' ? 'as at the server' : 'a newer version could not be read', light)
    rank(row).catch(() => undefined)
  }

  async function rank(row: City): Promise<void> {
    const larger = { population: { gt: row.population } }
    const [world, country] = await Promise.all([
      city.where(larger).count(),
      city.where({ ...larger, country: row.country }).count(),
    ])
    if (shown !== row) return
    put(
      fields.rank,
      `No. ${count(country + 1)} in ${countryName(row.country)}, no. ${count(world + 1)} on Earth`,
      false,
    )
  }

  byId('card-close', HTMLButtonElement).addEventListener('click', onClose)
  card.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') onClose()
  })

  return {
    show: (id) => {
      stop()
      shown = null
      if (id === null) {
        card.hidden = true
        return
      }
      const live = city.where({ id }).live()
      stop = live.subscribe(() => {
        const { state, rows, states } = live.getSnapshot()
        const row = rows[0]
        if (state !== 'ready') return
        if (row === undefined) return onClose()
        if (shown === null) setText(fields.rank, '\u00a0')
        fill(row, states[0] ?? 'synced')
        card.hidden = false
      })
    },
  }
}
