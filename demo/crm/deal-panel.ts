/** One deal beside the board: its facts, a quick way to another stage, tasks and notes; edited in place. */
import { h, icon, setText } from '../dom.ts'
import { createMark, fillMark, ME, perform, type Deps } from './deps.ts'
import { createFacts } from './facts.ts'
import { createForm, type FieldSpec } from './form.ts'
import type { Mirror } from './mirror.ts'
import { createNotesBlock, createTasksBlock, type Block } from './related.ts'
import type { Deal } from './schema.ts'
import { contactName, day, money, STATE_WORDS } from './words.ts'

export interface DealPanel {
  readonly element: HTMLElement
  readonly shown: () => string | null
  /** A key as text, `new`, or null; and the deals, which the board follows anyway. */
  readonly show: (key: string | null, deals: Mirror<Deal>) => void
}

export function createDealPanel(deps: Deps): DealPanel {
  const { sync, contacts, stages, users, router, notice } = deps
  let shown: string | null = null
  let drawn: Deal | null = null
  let source: Mirror<Deal> | null = null
  let blocks: Block[] = []
  /** Whatever had the focus when the panel opened gets it back. */
  let opener: Element | null = null

  const close = (): void => router.go('deals')
  const title = h('h2', { tabindex: '-1' })
  const mark = createMark()
  const value = h('p', { class: 'panel-value' })
  const stage = h('select', { 'aria-label': 'Stage', class: 'stage-select' })
  const edit = h('button', { type: 'button', class: 'plain' }, 'Edit')
  const remove = h('button', { type: 'button', class: 'plain danger-text' }, 'Delete')
  const trouble = h('a', { class: 'trouble', href: '#/outbox', hidden: true })
  const facts = createFacts()
  const details = h('div', { class: 'panel-details' })
  const more = h('div', { class: 'panel-more' })
  const head = h(
    'header',
    { class: 'panel-head' },
    h('div', { class: 'card-name' }, title, mark),
    value,
    h('div', { class: 'panel-actions' }, stage, edit, remove),
  )
  const element = h(
    'aside',
    { class: 'panel', 'aria-label': 'Deal', hidden: true },
    h(
      'button',
      { type: 'button', class: 'icon-button close-panel', 'aria-label': 'Close', onclick: close },
      icon('m5.5 5.5 9 9m0-9-9 9'),
    ),
    head,
    trouble,
    details,
    more,
  )

  const fields = (): FieldSpec[] => [
    { name: 'name', label: 'Name', wide: true },
    { name: 'value', label: 'Value', kind: 'money' },
    { name: 'stage_id', label: 'Stage', kind: 'select', options: stageOptions() },
    {
      name: 'contact_id',
      label: 'Contact',
      kind: 'contact',
      wide: true,
      among: (contact) => contact.is_organization !== true,
    },
    { name: 'estimated_close_date', label: 'Expected close', kind: 'date' },
    { name: 'tags', label: 'Tags', kind: 'tags' },
    { name: 'hot', label: 'Hot', kind: 'check' },
  ]
  const stageOptions = (): Array<{ value: string; label: string }> =>
    [...stages.rows()]
      .sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
      .map(({ id, name }) => ({ value: String(id), label: name ?? String(id) }))
  const moved = (patch: Record<string, unknown>): Record<string, unknown> =>
    'stage_id' in patch ? { ...patch, last_stage_change_at: new Date().toISOString().replace(/\.\d+Z/, 'Z') } : patch

  edit.addEventListener('click', () => {
    const deal = drawn
    if (deal === null) return
    const form = createForm({
      fields: fields(),
      values: { ...deal },
      contacts: contacts.rows,
      saveWords: 'Save',
      onCancel: stopEditing,
      onSave: (patch) => {
        void perform(deps, sync.deal.update(deal.id, moved(patch)), 'Deal changed')
        stopEditing()
      },
    })
    details.replaceChildren(form.element)
    edit.disabled = true
    form.focus()
  })
  function stopEditing(): void {
    edit.disabled = false
    const hadFocus = details.contains(document.activeElement)
    details.replaceChildren(facts.element)
    if (hadFocus) edit.focus()
  }
  stage.addEventListener('change', () => {
    if (drawn === null) return
    const patch = moved({ stage_id: Number(stage.value) })
    void perform(deps, sync.deal.update(drawn.id, patch), `Moved to ${stages.get(stage.value)?.name ?? ''}`)
  })
  remove.addEventListener('click', () => {
    if (drawn === null) return
    void perform(deps, sync.deal.delete(drawn.id), 'Deal deleted').then((done) => done !== null && close())
  })
  element.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') close()
  })

  function draw(): void {
    if (shown === null || shown.startsWith('new') || source === null) return
    const deal = source.get(shown)
    if (deal === undefined) return lost(shown)
    const fresh = drawn?.id !== deal.id
    const state = source.stateOf(deal.id)
    fillMark(mark, state)
    trouble.hidden = state !== 'failed' && state !== 'conflict'
    setText(trouble, `${STATE_WORDS[state] ?? ''}. Look at it in the outbox`)
    if (fresh) begin(deal)
    drawn = deal
    element.ariaLabel = deal.name ?? 'Deal'
    setText(title, deal.name ?? 'Without a name')
    setText(value, money(deal.value, deal.currency))
    const options = stageOptions()
    if (stage.options.length !== options.length)
      stage.replaceChildren(...options.map((option) => new Option(option.label, option.value)))
    stage.value = String(deal.stage_id)
    stage.dataset['category'] = stages.get(deal.stage_id)?.category ?? ''
    const who = contacts.get(deal.contact_id)
    const at = contacts.get(who?.contact_id)
    facts.show(
      [
        ['Contact', who === undefined ? null : h('a', { href: `#/contacts/${who.id}` }, contactName(who))],
        ['Organization', at === undefined ? null : h('a', { href: `#/contacts/${at.id}` }, contactName(at))],
        ['Expected close', day(deal.estimated_close_date, Date.now())],
        ['Owner', users.get(deal.owner_id)?.name ?? null],
        ['Hot', deal.hot === true ? 'Yes' : null],
        ['Tags', (deal.tags ?? []).join(', ')],
      ],
      fresh,
    )
  }

  /** Named anew by the server (R18), not arrived yet, or gone. */
  function lost(key: string): void {
    if (source?.state() !== 'ready' || router.get().view !== 'deals') return
    sync.deal.get(key).then(
      (found) => {
        if (shown !== key || source?.get(key) !== undefined) return
        if (found !== undefined) return router.go('deals', found.id, 'replace')
        if (drawn !== null) notice.say(`${drawn.name ?? 'The deal'} is gone`)
        router.go('deals', null, 'replace')
      },
      () => undefined,
    )
  }

  function begin(deal: Deal): void {
    end()
    stopEditing()
    head.hidden = false
    const about = { resource_type: 'deal', resource_id: deal.id } as const
    blocks = [createTasksBlock(deps, about), createNotesBlock(deps, about)]
    more.replaceChildren(...blocks.map((block) => block.element))
    element.scrollTop = 0
  }
  function end(): void {
    for (const block of blocks) block.stop()
    blocks = []
    more.replaceChildren()
  }
  function begins(contact_id: number | null): void {
    end()
    drawn = null
    head.hidden = true
    const first = stages.rows().find(({ category }) => category === 'incoming')?.id ?? 1
    trouble.hidden = true
    const form = createForm({
      fields: fields(),
      values: { stage_id: first, contact_id },
      contacts: contacts.rows,
      saveWords: 'Add deal',
      onCancel: close,
      onSave: (patch) => {
        const value = moved({ stage_id: first, contact_id, owner_id: ME, currency: 'EUR', ...patch })
        void perform(deps, sync.deal.insert(value), 'Deal added').then(
          (handle) => handle !== null && router.go('deals', handle.key, 'replace'),
        )
      },
      always: true,
    })
    element.ariaLabel = 'New deal'
    details.replaceChildren(h('h2', {}, 'New deal'), form.element)
    form.focus()
  }

  contacts.subscribe(draw)
  stages.subscribe(draw)
  users.subscribe(draw)

  return {
    element,
    shown: () => shown,
    show: (key, deals) => {
      if (source === null) {
        source = deals
        source.subscribe(draw)
      }
      if (key === shown) return
      if (shown === null) opener = document.activeElement
      shown = key
      element.hidden = key === null
      if (key === null) {
        end()
        drawn = null
        if (opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true })
      } else if (key.startsWith('new')) begins(contacts.get(key.slice('new-'.length))?.id ?? null)
      else {
        draw()
        title.focus({ preventScroll: true })
      }
    },
  }
}
