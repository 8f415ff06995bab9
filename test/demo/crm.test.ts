/** The CRM's words and routes: what a reader sees of records, edits and conflicts. */
import { describe, expect, test } from 'vitest'
import { parseRoute } from '../../demo/crm/route.ts'
import {
  amountOf,
  badgeOf,
  contactName,
  day,
  editFields,
  fieldProblem,
  finds,
  fold,
  initials,
  isHeld,
  money,
  patchFor,
  problemWords,
  sortName,
  sum,
  taskGroup,
} from '../../demo/crm/words.ts'
import type { Conflict, EditInfo } from '../../src/index.ts'

const edit: EditInfo = {
  id: 'e',
  collection: 'contact',
  key: -5,
  op: 'insert',
  value: { first_name: 'Ada', phone: '1' },
  at: 0,
  group: null,
  state: 'pending',
  problem: null,
}

describe('names', () => {
  test('a person is known by the names, not by the one the server makes of them, which is old while an edit waits', () => {
    expect(contactName({ id: 1, first_name: 'Ada', last_name: 'King', name: 'Ada Byron' })).toBe('Ada King')
    expect(contactName({ id: 1, is_organization: true, name: 'Krug GmbH' })).toBe('Krug GmbH')
    expect(contactName({ id: 1 })).toBe('Without a name')
    expect(sortName({ id: 1, first_name: 'Ada', last_name: 'King' })).toBe('King Ada')
  })

  test('initials are two letters of words that have letters', () => {
    expect(initials('Obergföll GmbH & Co. KG')).toBe('OK')
    expect(initials('Åberg')).toBe('Å')
    expect(initials('& Sons')).toBe('S')
    expect(initials('')).toBe('')
  })

  test('a search finds beginnings of words, without case and marks', () => {
    const text = fold('Ali Åberg Johansson, Bergström Gruppen')
    expect(finds(text, ['aberg', 'jo'])).toBe(true)
    expect(finds(text, ['berg'])).toBe(true)
    expect(finds(text, ['erg'])).toBe(false)
    expect(finds(text, [])).toBe(true)
  })
})

describe('amounts', () => {
  test('an amount is a whole number or a text with two decimals, as the server keeps it, and what is no amount stays as typed', () => {
    expect(amountOf('1,200')).toBe(1200)
    expect(amountOf('1200.5')).toBe('1200.50')
    expect(amountOf('-5')).toBe(-5)
    expect(amountOf('')).toBeNull()
    expect(amountOf('much')).toBe('much')
  })

  test('money shows cents only where there are some, and a sum counts texts too', () => {
    const digits = (text: string): string => text.replace(/\D/g, '')
    expect(money(1200, 'EUR')).toContain('€')
    expect(digits(money(1200, 'EUR'))).toBe('1200')
    expect(digits(money('1200.50', 'EUR'))).toBe('120050')
    expect(money(null, 'EUR')).toBe('–')
    expect(money('much', 'EUR')).toBe('much')
    expect(sum([1200, '800.00', null, 'much'])).toMatch(/^€2/)
  })
})

describe('days', () => {
  const noon = new Date(2026, 10, 23, 12).getTime()
  const at = (days: number, hour = 9): string => new Date(2026, 10, 23 + days, hour).toISOString()

  test('near days have names, far ones a year', () => {
    expect([-1, 0, 1].map((days) => day(at(days), noon))).toEqual(['Yesterday', 'Today', 'Tomorrow'])
    expect(day(at(3), noon)).toBe(new Intl.DateTimeFormat(undefined, { weekday: 'long' }).format(Date.parse(at(3))))
    expect(day(at(60), noon)).toContain('22')
    expect(day(at(60), noon)).not.toContain('2027')
    expect(day(at(400), noon)).toContain('2027')
    expect(day(null, noon)).toBe('')
  })

  test('a task is overdue only once its day is over', () => {
    expect(taskGroup(at(0, 1), noon)).toBe('Today')
    expect(taskGroup(at(-1, 23), noon)).toBe('Overdue')
    expect(taskGroup(at(7), noon)).toBe('Next seven days')
    expect(taskGroup(at(8), noon)).toBe('Later')
    expect(taskGroup(null, noon)).toBe('Without a date')
  })
})

describe('edits', () => {
  const refusal = { code: 'refused', status: 422, message: 'No.', fields: [] } as const

  test('the badge is silent when nothing waits, and alarmed only by what wants a decision (R21)', () => {
    expect(badgeOf({ pending: 0, failed: 0, conflicts: 0 })).toBeNull()
    expect(badgeOf({ pending: 2, failed: 0, conflicts: 0 })).toEqual({ count: 2, alarm: false, words: '2 not sent' })
    expect(badgeOf({ pending: 1, failed: 1, conflicts: 1 })).toMatchObject({ count: 3, alarm: true })
  })

  test('a new record lists what its name does not say already, and whatever the server complained of', () => {
    expect(editFields(edit)).toEqual([['phone', '1']])
    const pointer = { pointer: '/first_name', code: 'blank', message: 'first_name is needed.' }
    const refused = { ...edit, problem: { ...refusal, fields: [pointer] } }
    expect(editFields(refused).map(([field]) => field)).toEqual(['first_name', 'phone'])
    expect(editFields({ ...edit, op: 'delete' })).toEqual([])
  })

  test('the server speaks of fields by the names people know', () => {
    expect(fieldProblem({ pointer: '/last_name', message: 'last_name is needed.' }, 'contact')).toBe(
      'Last name is needed.',
    )
    expect(fieldProblem({ pointer: '', message: 'Too late.' }, 'contact')).toBe('Too late.')
  })

  test('an edit is held while what it builds on is refused or lost, and by nothing else (R20)', () => {
    const deal: EditInfo = { ...edit, id: 'd', collection: 'deal', key: -6, value: { contact_id: -5 } }
    expect(isHeld(deal, [{ ...edit, state: 'failed' }, deal])).toBe(true)
    expect(isHeld(deal, [{ ...edit, state: 'unknown' }, deal])).toBe(true)
    expect(isHeld(deal, [edit, deal])).toBe(false)
    expect(isHeld({ ...deal, value: {} }, [{ ...edit, state: 'failed' }, deal])).toBe(false)
    expect(isHeld({ ...edit, state: 'failed' }, [{ ...edit, state: 'failed' }])).toBe(false)
  })

  test('a deletion that met a change is told apart from a change that met a deletion (R19)', () => {
    const problem = { ...refusal, code: 'conflict' } as const
    expect(problemWords({ ...edit, op: 'update', problem })).toContain('deleted this contact')
    expect(problemWords({ ...edit, op: 'delete', problem })).toContain('changed this contact')
  })

  test('taking a side writes exactly the fields in which the other was kept (R19)', () => {
    const conflict: Conflict = {
      id: 'c',
      edit: 'e',
      collection: 'contact',
      key: 1,
      at: 0,
      deleted: null,
      fields: [
        { field: 'phone', base: '0', ours: '1', theirs: '2', kept: 'ours' },
        { field: 'title', base: 'a', ours: 'b', theirs: undefined, kept: 'theirs' },
        { field: 'tags', base: [], ours: ['x'], theirs: ['y'], kept: 'other' },
      ],
    }
    expect(patchFor(conflict, 'theirs')).toEqual({ phone: '2', tags: ['y'] })
    expect(patchFor(conflict, 'ours')).toEqual({ title: 'b', tags: ['x'] })
  })
})

test('an address names a view and a record; anything else is the contacts', () => {
  expect(parseRoute('#/deals/7')).toEqual({ view: 'deals', key: '7' })
  expect(parseRoute('#/contacts/-90071')).toEqual({ view: 'contacts', key: '-90071' })
  expect(parseRoute('#/deals/new-7')).toEqual({ view: 'deals', key: 'new-7' })
  expect(parseRoute('#/tasks')).toEqual({ view: 'tasks', key: null })
  expect(parseRoute('#/deals/<b>')).toEqual({ view: 'deals', key: null })
  expect(parseRoute('#main')).toEqual({ view: 'contacts', key: null })
  expect(parseRoute('')).toEqual({ view: 'contacts', key: null })
})
