/**
 * The deals by stage. A deal is carried to another stage by mouse, by finger (held for a moment), or by keyboard:
 * arrows walk, Space lifts, left and right carry, Space drops, Escape puts it back.
 */
import { h, icon, setText } from '../dom.ts'
import { count } from '../format.ts'
import { createCarry } from './carry.ts'
import { createDealPanel } from './deal-panel.ts'
import { createMark, fillMark, perform, type Deps, type ViewPart } from './deps.ts'
import { createMirror, type Mirror } from './mirror.ts'
import { hashOf } from './route.ts'
import type { Deal, Stage } from './schema.ts'
import { createVirtual, type Virtual } from './virtual.ts'
import { contactName, day, daysUntil, finds, fold, money, sum } from './words.ts'

const CARD = 116

interface Column {
  readonly stage: Stage
  readonly element: HTMLElement
  readonly list: Virtual<Deal>
  readonly counter: HTMLElement
  readonly total: HTMLElement
  deals: readonly Deal[]
}

export function createBoard(deps: Deps): ViewPart {
  const { sync, stages, contacts, router, notice } = deps
  let deals: Mirror<Deal> | null = null
  let columns: Column[] = []
  /** Where the keyboard is: one card of the whole board takes the Tab key. */
  let current: number | null = null
  /** A deal lifted by keyboard, and the stage it would be dropped at. */
  let lifted: { readonly deal: Deal; stage: number } | null = null

  const search = h('input', {
    type: 'search',
    placeholder: 'Search deals',
    'aria-label': 'Search deals',
    autocomplete: 'off',
    spellcheck: 'false',
  })
  const summary = h('p', { class: 'board-sum' }, '\u00a0')
  const hot = h('input', { type: 'checkbox' })
  const box = h('div', {
    class: 'board',
    role: 'group',
    'aria-label': 'Deals by stage',
    'aria-describedby': 'board-help',
  })
  const empty = h('p', { class: 'empty' }, 'The deals are on their way.')
  const panel = createDealPanel(deps)
  const element = h(
    'section',
    { class: 'view deals', 'aria-label': 'Deals' },
    h(
      'div',
      { class: 'toolbar' },
      h('div', { class: 'search' }, icon('M8.8 3.5a5.3 5.3 0 1 0 0 10.6 5.3 5.3 0 0 0 0-10.6M12.8 12.8l4 4'), search),
      h('label', { class: 'toggle' }, hot, 'Hot only'),
      summary,
      h('button', { type: 'button', class: 'primary small', onclick: () => router.go('deals', 'new') }, 'New deal'),
    ),
    h('div', { class: 'board-frame' }, box, empty, panel.element),
    h(
      'p',
      { class: 'unseen', id: 'board-help' },
      'Arrow keys walk from deal to deal. Space lifts one, left and right carry it to another stage, Space drops it, Escape puts it back. Enter opens it.',
    ),
  )

  const newColumn = (stage: Stage): Column => {
    const counter = h('span', { class: 'column-count' })
    const total = h('span', { class: 'column-sum' })
    const list = h('div', { class: 'column-list', role: 'list', 'aria-label': stage.name ?? '' })
    const column = h(
      'section',
      {
        class: 'column',
        'aria-label': stage.name ?? '',
        'data-stage': stage.id,
        'data-category': stage.category ?? '',
      },
      h('header', {}, h('h3', {}, stage.name ?? ''), counter, total),
      list,
    )
    return {
      stage,
      element: column,
      counter,
      total,
      deals: [],
      list: createVirtual<Deal>({ box: list, height: CARD, idOf: ({ id }) => id, create: newCard, fill: fillCard }),
    }
  }

  function newCard(): HTMLElement {
    const foot = h(
      'span',
      { class: 'deal-foot' },
      h('span', { class: 'deal-value' }),
      h('span', { class: 'deal-hot' }, 'Hot'),
      createMark(),
      h('span', { class: 'deal-close' }),
    )
    const [name, who] = [h('span', { class: 'deal-name' }), h('span', { class: 'deal-who' })]
    return h('div', { role: 'listitem' }, h('a', { class: 'deal', draggable: 'false' }, name, who, foot))
  }

  function fillCard(item: HTMLElement, deal: Deal): void {
    const card = item.firstElementChild as HTMLElement
    const [name, who, foot] = card.children as unknown as [HTMLElement, HTMLElement, HTMLElement]
    const [value, isHot, mark, close] = foot.children as unknown as [HTMLElement, HTMLElement, HTMLElement, HTMLElement]
    card.setAttribute('href', hashOf('deals', deal.id))
    card.dataset['key'] = String(deal.id)
    card.tabIndex = deal.id === current ? 0 : -1
    card.classList.toggle('chosen', String(deal.id) === panel.shown())
    card.classList.toggle('raised', lifted?.deal.id === deal.id)
    setText(name, deal.name ?? 'Without a name')
    setText(who, contactName(contacts.get(deal.contact_id)))
    setText(value, money(deal.value, deal.currency))
    isHot.hidden = deal.hot !== true
    fillMark(mark, deals?.stateOf(deal.id) ?? 'synced')
    const now = Date.now()
    setText(close, day(deal.estimated_close_date, now))
    const days = daysUntil(Date.parse(deal.estimated_close_date ?? ''), now)
    close.classList.toggle('overdue', days < 0 && !isClosed(deal))
  }

  const isClosed = (deal: Deal): boolean => {
    const category = stages.get(deal.stage_id)?.category
    return category === 'won' || category === 'lost'
  }

  function draw(fresh = false): void {
    const order = [...stages.rows()].sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
    if (columns.length !== order.length || columns.some(({ stage }, at) => stage !== order[at])) {
      columns = order.map(newColumn)
      box.replaceChildren(...columns.map((column) => column.element))
    }
    if (deals === null) return
    const words = fold(search.value).split(/\s+/).filter(Boolean)
    const byStage = new Map<number, Deal[]>()
    let open = 0
    const openValues: Array<Deal['value']> = []
    for (const deal of deals.rows()) {
      if (hot.checked && deal.hot !== true) continue
      if (words.length > 0 && !finds(fold(`${deal.name} ${contactName(contacts.get(deal.contact_id))}`), words))
        continue
      const stage = lifted?.deal.id === deal.id ? lifted.stage : (deal.stage_id ?? 0)
      const list = byStage.get(stage)
      if (list === undefined) byStage.set(stage, [deal])
      else list.push(deal)
      if (isClosed(deal)) continue
      open++
      openValues.push(deal.value)
    }
    for (const column of columns) {
      column.deals = (byStage.get(column.stage.id) ?? []).sort(
        (a, b) => (b.last_stage_change_at ?? '9').localeCompare(a.last_stage_change_at ?? '9') || a.id - b.id,
      )
      setText(column.counter, count(column.deals.length))
      setText(column.total, column.deals.length === 0 ? '' : sum(column.deals.map(({ value }) => value)))
    }
    if (current === null || deals.get(current) === undefined)
      current = columns.find((column) => column.deals.length > 0)?.deals[0]?.id ?? null
    for (const column of columns) {
      column.list.show(column.deals, fresh)
      column.list.refresh()
    }
    setText(summary, `${count(open)} open, ${sum(openValues)}`)
    empty.hidden = columns.length > 0 && deals.state() === 'ready'
    if (deals.state() === 'error') setText(empty, deals.error())
  }

  const placeOf = (id: number | null): readonly [column: number, row: number] => {
    for (const [at, column] of columns.entries()) {
      const row = column.deals.findIndex((deal) => deal.id === id)
      if (row >= 0) return [at, row]
    }
    return [0, 0]
  }

  function focusOn(deal: Deal | undefined, at: number): void {
    if (deal === undefined) return
    current = deal.id
    for (const column of columns) column.list.refresh()
    const item = columns[at]?.list.reveal(deal.id)
    if (item === undefined) return
    fillCard(item, deal)
    item.querySelector('a')?.focus({ preventScroll: true })
    columns[at]?.element.scrollIntoView({ inline: 'nearest', block: 'nearest' })
  }

  function move(deal: Deal, to: number): void {
    if (deal.stage_id === to) return
    const stage = stages.get(to)?.name ?? ''
    const last_stage_change_at = new Date().toISOString().replace(/\.\d+Z/, 'Z')
    notice.announce(`${deal.name ?? 'The deal'} is in ${stage}`)
    void perform(deps, sync.deal.update(deal.id, { stage_id: to, last_stage_change_at }), `Moved to ${stage}`)
  }

  function lift(deal: Deal): void {
    lifted = { deal, stage: deal.stage_id ?? 0 }
    draw()
    const name = stages.get(lifted.stage)?.name ?? ''
    notice.announce(
      `Lifted ${deal.name ?? 'the deal'}, in ${name}. Left and right carry it, Space drops it, Escape puts it back.`,
    )
  }
  function carry(by: number): void {
    if (lifted === null) return
    const at = columns.findIndex((column) => column.stage.id === lifted?.stage)
    const next = columns[Math.max(0, Math.min(columns.length - 1, at + by))]
    if (next === undefined) return
    lifted.stage = next.stage.id
    draw()
    focusOn(lifted.deal, columns.indexOf(next))
    notice.announce(next.stage.name ?? '')
  }
  function drop(keep: boolean): void {
    if (lifted === null) return
    const { deal, stage } = lifted
    lifted = null
    if (keep) move(deal, stage)
    else notice.announce('Put back')
    // The write shows within a moment; until then the card waits where it was dropped.
    if (!keep || deal.stage_id === stage) {
      draw()
      focusOn(deal, placeOf(deal.id)[0])
    }
  }

  box.addEventListener('focusin', (event) => {
    const key = (event.target as Element).closest<HTMLElement>('.deal')?.dataset['key']
    if (key !== undefined) current = Number(key)
  })
  box.addEventListener('focusout', (event) => {
    if (lifted !== null && event.relatedTarget !== null && !box.contains(event.relatedTarget as Node)) drop(false)
  })
  box.addEventListener('keydown', (event) => {
    const card = (event.target as Element).closest<HTMLElement>('.deal')
    const deal = card === null ? undefined : deals?.get(card.dataset['key'])
    if (deal === undefined || event.altKey || event.ctrlKey || event.metaKey) return
    const [at, row] = placeOf(deal.id)
    const beside = (step: number): void => {
      for (let to = at + step; to >= 0 && to < columns.length; to += step) {
        const list = columns[to]?.deals ?? []
        if (list.length > 0) return focusOn(list[Math.min(row, list.length - 1)], to)
      }
    }
    const list = columns[at]?.deals ?? []
    const free: Readonly<Record<string, () => void>> = {
      ArrowDown: () => focusOn(list[row + 1], at),
      ArrowUp: () => focusOn(list[row - 1], at),
      ArrowRight: () => beside(1),
      ArrowLeft: () => beside(-1),
      Home: () => focusOn(list[0], at),
      End: () => focusOn(list.at(-1), at),
      ' ': () => lift(deal),
    }
    const carried: Readonly<Record<string, () => void>> = {
      ArrowRight: () => carry(1),
      ArrowLeft: () => carry(-1),
      ArrowDown: () => undefined,
      ArrowUp: () => undefined,
      ' ': () => drop(true),
      Enter: () => drop(true),
      Escape: () => drop(false),
    }
    const act = (lifted === null ? free : carried)[event.key]
    if (act === undefined) return
    event.preventDefault()
    act()
  })

  createCarry({
    box,
    dealOf: (key) => deals?.get(key),
    onDrop: (deal, stage) => move(deal, stage),
  })
  search.addEventListener('input', () => draw(true))
  hot.addEventListener('change', () => draw(true))
  stages.subscribe(() => draw())
  contacts.subscribe(() => draw())

  return {
    element,
    show: (key) => {
      if (deals === null) {
        deals = createMirror(sync.deal.live())
        deals.subscribe(() => draw())
      }
      panel.show(key, deals)
      element.classList.toggle('open', key !== null)
      draw()
    },
  }
}
