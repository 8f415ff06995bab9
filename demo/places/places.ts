/**
 * The list beside the map: a question (name, country, order), the live answer in growing windows, and how
 * many there are. The rows shown stay until the next answer is complete, so nothing blinks.
 */
import type { City } from '../schema.ts'
import type { CollectionApi, QueryBuilder } from '../../src/index.ts'
import { byId, setText } from '../dom.ts'
import { count } from '../format.ts'
import { countryName, listCountries } from './countries.ts'
import { createRows } from './rows.ts'

const WINDOW = 120
const TYPING_MS = 90
const RECOUNT_MS = 700

interface Question {
  readonly prefix: string
  readonly country: string
  readonly order: 'population' | 'name'
}

export interface Places {
  /** The number of all places, which the map knows. */
  readonly setWhole: (count: number) => void
  readonly choose: (id: number | null) => void
}

export function createPlaces(city: CollectionApi<City>, onPick: (city: City) => void): Places {
  const search = byId('search', HTMLInputElement)
  const country = byId('country', HTMLSelectElement)
  const order = byId('order', HTMLSelectElement)
  const found = byId('found', HTMLElement)
  const announcer = byId('found-announcer', HTMLElement)
  const empty = byId('empty', HTMLElement)
  const rows = createRows(byId('list', HTMLElement), onPick, () => widen())

  let question: Question = { prefix: '', country: '', order: 'population' }
  let limit = WINDOW
  let total = 0
  let whole = 0
  let widening = false
  let stop: () => void = () => undefined
  let typing: ReturnType<typeof setTimeout> | undefined
  let recounting: ReturnType<typeof setTimeout> | undefined
  let turn = 0

  const matching = (): QueryBuilder<City> =>
    city.where({
      ...(question.prefix === '' ? {} : { name: { startsWith: question.prefix } }),
      ...(question.country === '' ? {} : { country: question.country }),
    })
  const words = (): string => {
    const where = question.country === '' ? '' : ` in ${countryName(question.country)}`
    const called = question.prefix === '' ? '' : ` called “${question.prefix}…”`
    return `${count(total)} ${total === 1 ? 'place' : 'places'}${called}${where}`
  }

  function follow(fresh: boolean): void {
    const live = matching()
      .orderBy(question.order, question.order === 'population' ? 'desc' : 'asc')
      .limit(limit)
      .live()
    let first = fresh
    const before = stop
    const unsubscribe = live.subscribe(() => {
      const { state, rows: answer, error } = live.getSnapshot()
      if (state === 'loading') return
      widening = false
      rows.show(answer, first)
      empty.hidden = answer.length > 0
      setText(
        empty,
        error?.message ?? (unfiltered() ? 'The first places are on their way.' : 'There is no such place.'),
      )
      first = false
      recountSoon()
    })
    stop = unsubscribe
    before()
  }
  function widen(): void {
    if (widening) return
    widening = true
    // Each window is three times the last, so that reaching far down costs few questions.
    limit *= 3
    follow(false)
  }
  const unfiltered = (): boolean => question.prefix === '' && question.country === ''
  async function recount(aloud: boolean): Promise<void> {
    const mine = ++turn
    const answer = unfiltered() ? whole : await matching().count()
    if (mine !== turn) return
    total = answer
    rows.setTotal(total)
    setText(found, words())
    if (aloud) setText(announcer, words())
  }
  function recountSoon(): void {
    if (recounting !== undefined) return
    recounting = setTimeout(() => {
      recounting = undefined
      recount(false).catch(() => undefined)
    }, RECOUNT_MS)
  }
  function ask(): void {
    const next: Question = {
      prefix: search.value.trim(),
      country: country.value,
      order: order.value === 'name' ? 'name' : 'population',
    }
    if (next.prefix === question.prefix && next.country === question.country && next.order === question.order) return
    question = next
    limit = WINDOW
    follow(true)
    recount(true).catch(() => undefined)
  }

  search.addEventListener('input', () => {
    clearTimeout(typing)
    typing = setTimeout(ask, TYPING_MS)
  })
  byId('filters', HTMLFormElement).addEventListener('submit', (event) => {
    event.preventDefault()
    ask()
  })
  country.addEventListener('change', ask)
  order.addEventListener('change', ask)
  // Naming 247 countries takes a while; the page is shown first.
  setTimeout(() => country.append(...listCountries().map(({ code, name }) => new Option(name, code))))
  follow(true)
  recount(false).catch(() => undefined)
  return {
    choose: rows.choose,
    setWhole: (places) => {
      whole = places
      if (unfiltered()) recount(false).catch(() => undefined)
    },
  }
}
