/**
 * Rules for the Sell types, as `validate` and `prepare` of the service: `createSyncHandler({...sellTypes(), ...})`.
 * Types that Sell does not have are left alone. Records refer to each other unchecked: references may dangle anyway.
 *
 * An update holds the changed fields; `tags` replaces the whole set, `custom_fields` is merged by member (an
 * explicit null empties one). A field sent back as it is counts as not sent.
 */
import { isObject } from './body.ts'
import { canonicalJson } from './data.ts'
import type { Prepare, Validate, WriteChange } from './review.ts'
import { readOnlyTypes, writableTypes, type SellType } from './sell/types.ts'
import { plainDecimal } from './sell/values.ts'
import type { FieldError, JsonObject } from './store.ts'

export interface SellOptions {
  /** Sell's number of a user of the service, for `creator_id` and `owner_id`. Default: a user's name that is a number. */
  readonly userId?: ((user: string) => number | null) | undefined
  /** Stage of a deal that names none. Default: null. */
  readonly firstStage?: number | undefined
  /** Currency of a deal that names none. Default `USD`. */
  readonly currency?: string | undefined
  readonly now?: (() => number) | undefined
}

export function sellTypes(options: SellOptions = {}): { readonly validate: Validate; readonly prepare: Prepare } {
  const { userId = numberOf, firstStage = null, currency = 'USD', now = () => Date.now() } = options

  function prepare(change: WriteChange): JsonObject | undefined {
    const rules = rulesOf(change.type)
    if (rules === null) return undefined
    const user = userId(change.user)
    const time = new Date(now()).toISOString().replace(/\.\d+Z$/, 'Z')
    const { op, type } = change
    const fresh = {
      ...(rules.readOnly.includes('creator_id') && { creator_id: user }),
      ...('owner_id' in rules.writable && { owner_id: user }),
      ...rules.defaults,
      ...(type === 'deal' && { currency, stage_id: firstStage }),
      ...(type === 'deal' && bothNames(time)),
      ...(type === 'call' && { user_id: user, made_at: time }),
    }
    const given = { ...(op === 'create' ? fresh : {}), ...change.data }
    return {
      ...given,
      ...mergedFields(change),
      ...(type === 'deal' && dealFields(given, change, user, time)),
      ...(type === 'product' && 'cost' in given && { cost: plainDecimal(given['cost']) }),
      ...(type === 'task' && taskFields(given, change, time)),
      ...(type === 'contact' && personName({ ...change.current, ...given })),
      ...(op === 'create' && { created_at: time }),
      updated_at: time,
    }
  }

  return { validate, prepare }
}

function rulesOf(type: string): SellType | null {
  return Object.hasOwn(writableTypes, type) ? (writableTypes[type] ?? null) : null
}

function validate(change: WriteChange): readonly FieldError[] {
  const { op, type, current } = change
  if (readOnlyTypes.has(type))
    return [{ code: 'incorrect_value', message: `Records of type ${type} cannot be written here.` }]
  const rules = rulesOf(type)
  if (rules === null || op === 'delete') return []
  const fields = changedFields(change)
  const errors = fields.flatMap(([field, value]) => fieldErrors(rules, change, field, value))
  const next = { ...current, ...change.data }
  return [...errors, ...requiredErrors(rules, change, next), ...recordErrors(type, change, next)]
}

/** What is different from what is stored; a client may send a record back whole. */
function changedFields({ data, current }: WriteChange): ReadonlyArray<readonly [string, unknown]> {
  return Object.entries(data).filter(
    ([field, value]) =>
      current === null || !Object.hasOwn(current, field) || canonicalJson(current[field]) !== canonicalJson(value),
  )
}

function fieldErrors(rules: SellType, { op, type }: WriteChange, field: string, value: unknown): readonly FieldError[] {
  const kind = Object.hasOwn(rules.writable, field) ? rules.writable[field] : undefined
  const pointer = pointerTo(field)
  if (field === 'id') {
    const fine = typeof value === 'number' && value > 0
    return fine ? [] : [{ code: 'invalid_type', message: 'id must be a whole number from 1.', field: pointer }]
  }
  if (kind === undefined) {
    if (![...rules.readOnly, 'created_at', 'updated_at'].includes(field)) {
      const details = `The ${type} resource has no attribute named ${field}.`
      return [{ code: 'unknown', message: 'unknown attribute', field: pointer, details }]
    }
    return [{ code: 'incorrect_value', message: `${field} cannot be written.`, field: pointer }]
  }
  if (op === 'update' && rules.fixed.includes(field))
    return [{ code: 'incorrect_value', message: `${field} is fixed at creation.`, field: pointer }]
  const wrong = value === null ? null : kind(value)
  return wrong === null ? [] : [{ ...wrong, message: `${field} ${wrong.message}.`, field: pointer }]
}

function requiredErrors(rules: SellType, { op, data, type }: WriteChange, next: JsonObject): readonly FieldError[] {
  const touched = (field: string): boolean => op === 'create' || Object.hasOwn(data, field)
  const names = nameFields(type, next)
  const required = [...rules.required.filter(touched), ...(NAMES.some(touched) ? names : [])]
  return required
    .filter((field) => isBlank(next[field]))
    .map((field) => ({
      code: Object.hasOwn(data, field) ? 'blank' : 'missing',
      message: `${field} is needed.`,
      field: pointerTo(field),
    }))
}

const NAMES = ['last_name', 'organization_name', 'name']

/** A lead or a person is known by the last name, an organization by its name. */
function nameFields(type: string, next: JsonObject): readonly string[] {
  if (type === 'lead') return isBlank(next['organization_name']) ? ['last_name'] : []
  if (type !== 'contact') return []
  return next['is_organization'] === true ? ['name'] : ['last_name']
}

/** Rules between fields. */
function recordErrors(type: string, { data, current }: WriteChange, next: JsonObject): readonly FieldError[] {
  const touched = (...fields: readonly string[]): boolean => fields.some((field) => Object.hasOwn(data, field))
  const wrong = (field: string, message: string): readonly FieldError[] => [
    { code: 'incorrect_value', message, field: pointerTo(field) },
  ]
  if (type === 'deal' && touched('added_at') && touched('added_on') && data['added_at'] !== data['added_on'])
    return wrong('added_at', 'added_at and added_on are one value.')
  if (type === 'task' && touched('resource_type', 'resource_id'))
    return isBlank(next['resource_type']) === isBlank(next['resource_id'])
      ? []
      : wrong('resource_id', 'resource_type and resource_id go together.')
  if (type !== 'contact') return []
  if (touched('parent_organization_id') && next['parent_organization_id'] !== null && next['is_organization'] !== true)
    return wrong('parent_organization_id', 'Only an organization has a parent organization.')
  const { name } = personName(next)
  return touched('name') && data['name'] !== current?.['name'] && name !== undefined && name !== data['name']
    ? wrong('name', 'The name of a person follows from first_name and last_name.')
    : []
}

function mergedFields({ data, current }: WriteChange): JsonObject {
  const [given, stored] = [data['custom_fields'], current?.['custom_fields']]
  return isObject(given) && isObject(stored) ? { custom_fields: { ...stored, ...given } } : {}
}

function dealFields(
  given: JsonObject,
  { op, data, current }: WriteChange,
  user: number | null,
  time: string,
): JsonObject {
  const moved = op === 'create' || (Object.hasOwn(data, 'stage_id') && data['stage_id'] !== current?.['stage_id'])
  return {
    ...('value' in given && { value: plainDecimal(given['value']) }),
    ...(Object.hasOwn(data, 'added_at') && bothNames(data['added_at'])),
    ...(Object.hasOwn(data, 'added_on') && bothNames(data['added_on'])),
    ...(moved && { last_stage_change_at: data['last_stage_change_at'] ?? time, last_stage_change_by_id: user }),
  }
}

/** One value under two names (O-14). */
function bothNames(added: unknown): JsonObject {
  return { added_at: added, added_on: added }
}

function taskFields(given: JsonObject, { data, current }: WriteChange, time: string): JsonObject {
  const next = { ...current, ...given }
  const done = next['completed'] === true
  const turned = current === null || (Object.hasOwn(data, 'completed') && current['completed'] !== data['completed'])
  return {
    ...(turned && { completed_at: done ? time : null }),
    overdue: !done && typeof next['due_date'] === 'string' && Date.parse(next['due_date']) < Date.parse(time),
  }
}

function personName({ is_organization, first_name, last_name }: JsonObject): { readonly name?: string } {
  if (is_organization === true) return {}
  const name = [first_name, last_name].filter((part) => !isBlank(part)).join(' ')
  return name === '' ? {} : { name }
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === 'string' && value.trim() === '')
}

function pointerTo(field: string): string {
  return `/${field.replaceAll('~', '~0').replaceAll('/', '~1')}`
}

function numberOf(user: string): number | null {
  return /^[1-9]\d{0,14}$/.test(user) ? Number(user) : null
}
