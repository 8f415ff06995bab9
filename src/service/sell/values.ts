/** Kinds of values in Sell's records (protocol section 7), each with what is wrong with a value of another kind. */
import { isObject } from '../body.ts'
import type { FieldError } from '../store.ts'

type Wrong = Pick<FieldError, 'code' | 'message'>

/** Null: the value is right. Never asked about null, which every field may hold. */
export type Kind = (value: unknown) => Wrong | null

const wrongType = (wanted: string): Wrong => ({ code: 'invalid_type', message: `must be ${wanted}` })
const wrongValue = (wanted: string): Wrong => ({ code: 'incorrect_value', message: `must be ${wanted}` })

function typed(wanted: string, right: (value: unknown) => boolean): Kind {
  return (value) => (right(value) ? null : wrongType(wanted))
}

/** A text of this form. */
function shaped(wanted: string, right: (text: string) => boolean): Kind {
  return (value) => (typeof value !== 'string' ? wrongType(wanted) : right(value) ? null : wrongValue(wanted))
}

const ADDRESS = new Set(['line1', 'city', 'postal_code', 'state', 'country'])
const DAY = /^\d{4}-\d\d-\d\d$/
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/
const DECIMAL = /^-?\d{1,18}(\.\d{1,2})?$/

export const text = typed('a text', (value) => typeof value === 'string')
export const bool = typed('true or false', (value) => typeof value === 'boolean')
export const texts = typed('a list of texts', (value) => Array.isArray(value) && value.every(isText))
export const map = typed('an object', isObject)
export const list = typed('a list', Array.isArray)

export const address: Kind = (value) => {
  if (!isObject(value)) return wrongType('an address')
  const fine = Object.entries(value).every(([name, part]) => ADDRESS.has(name) && (part === null || isText(part)))
  return fine ? null : wrongValue('an address of line1, city, postal_code, state and country, all texts')
}

export const moment = shaped('a moment in UTC: 2026-02-02T03:04:05Z', (given) => MOMENT.test(given) && isTime(given))
export const day = shaped('a day: 2026-02-02', (given) => DAY.test(given) && isTime(`${given}T00:00:00Z`))

/** Ids of other records. A negative one is a client's temporary id, which must not get this far (WRITE-4). */
export const id = whole(1, Number.MAX_SAFE_INTEGER)
export const ids: Kind = (value) =>
  Array.isArray(value) && value.every((one) => id(one) === null) ? null : wrongType('a list of ids')

export function whole(least: number, most: number): Kind {
  const wanted = `a whole number from ${least} to ${most}`
  return (value) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) return wrongType(wanted)
    return value >= least && value <= most ? null : wrongValue(wanted)
  }
}

export function oneOf(...choices: readonly string[]): Kind {
  return shaped(`one of ${choices.join(', ')}`, (given) => choices.includes(given))
}

/** Money: a number, or a text with at most two decimals. */
export const decimal: Kind = (value) => {
  const wanted = 'an amount with at most two decimals'
  if (typeof value !== 'number' && typeof value !== 'string') return wrongType(wanted)
  return DECIMAL.test(String(value)) ? null : wrongValue(wanted)
}

/** The one form amounts are stored in: `1000`, or `"1000.50"`; never through binary floating point. */
export function plainDecimal(value: unknown): unknown {
  if (decimal(value) !== null) return value
  const [units = '', cents = ''] = String(value).split('.')
  if (Number(cents) !== 0) return `${units}.${cents.padEnd(2, '0')}`
  return Number.isSafeInteger(Number(units)) ? Number(units) : units
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

function isTime(value: string): boolean {
  return !Number.isNaN(Date.parse(value))
}
