/**
 * The app's schema: one module, imported by the page and by the app's own worker file.
 * A collection is named by its wire type; it says how a record is keyed, which fields are indexed and,
 * if wanted, how a record is checked. A validator is a check, never a transformation (R29): rows are
 * stored and returned exactly as the server sent them.
 */
import { SyncError } from './errors.ts'
import { canonicalId } from './keys.ts'

/** The part of the Standard Schema interface (standardschema.dev, v1) that is used here. */
export interface StandardSchema<Input = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult | Promise<StandardResult>
    readonly types?: { readonly input: Input; readonly output: unknown } | undefined
  }
}
export interface StandardResult {
  readonly issues?:
    | ReadonlyArray<{ readonly message: string; readonly path?: ReadonlyArray<unknown> | undefined }>
    | undefined
}

/** A JSON object as the server sends it. */
export type Row = Readonly<Record<string, unknown>>

/** One index: a field, a folded field (lower case, no diacritics), or several fields in order. */
export type IndexOption<Field extends string> =
  | Field
  | { readonly field: Field; readonly fold: boolean }
  | readonly [Field, Field, ...Field[]]

export interface CollectionOptions<T> {
  /** Field that identifies a record, several fields, or a function (own worker needed). Default `id`. */
  readonly key?: (keyof T & string) | ReadonlyArray<keyof T & string> | ((row: T) => string | number) | undefined
  readonly indexes?: ReadonlyArray<IndexOption<keyof T & string>> | undefined
  /** Any Standard Schema (zod, valibot, arktype ...), synchronous. Needs the app's own worker. */
  readonly validate?: StandardSchema<T> | undefined
}

/** A collection as `defineSchema` takes it. `T` is the type of its rows. */
export interface Collection<T> {
  readonly options: CollectionOptions<T>
  /** Carries the row type; never present at run time. */
  readonly row?: T
}

// oxlint-disable-next-line typescript/no-explicit-any -- a schema holds collections of any row type
export type Collections = Readonly<Record<string, Collection<any>>>
export type RowOf<C> = C extends Collection<infer T> ? T : never

export interface Schema<C extends Collections = Collections> {
  /** Grows with every change of collections, keys or indexes. */
  readonly version: number
  readonly collections: C
}

/** Declares one collection. Give the row type (`collection<City>({...})`) or let `validate` give it. */
export function collection<T extends object = Row>(options: CollectionOptions<T> = {}): Collection<T> {
  return { options }
}

const NAME = /^[a-z][a-z0-9_]{0,63}$/
const FIELD = /^(?!(__proto__|constructor|prototype)$)[A-Za-z_][A-Za-z0-9_]{0,127}$/

/** Names a collection may not have, because `sync` has members of that name. */
const TAKEN = new Set([
  'ready',
  'status',
  'outbox',
  'quarantine',
  'history',
  'now',
  'pause',
  'resume',
  'restart',
  'close',
  'logout',
  'write',
  'then',
])

/**
 * Checks a schema and returns it.
 * @throws SyncError `schema_invalid`: a bad name, a missing or doubled key, a doubled index. The message names it.
 */
export function defineSchema<const C extends Collections>(schema: Schema<C>): Schema<C> {
  const { version, collections } = schema
  check(Number.isSafeInteger(version) && version > 0, 'version must be a whole number from 1')
  check(Object.keys(collections ?? {}).length > 0, 'collections must name at least one collection')
  for (const [name, { options }] of Object.entries(collections)) {
    check(NAME.test(name), `"${name}" cannot be a collection: use the wire type, lower snake case`)
    check(!TAKEN.has(name), `"${name}" cannot be a collection: sync.${name} has another meaning`)
    const key = keyFieldsOf(options.key ?? 'id') ?? ['id']
    check(
      key.length > 0 && key.every((field) => typeof field === 'string' && field !== ''),
      `${name}: key must name a field; leave it out for "id"`,
    )
    check(new Set(key).size === key.length, `${name}: key names a field twice: ${key.join(', ')}`)
    const seen = new Set<string>()
    for (const index of (options.indexes ?? []).map(indexSpec)) {
      for (const { field } of index.parts)
        check(FIELD.test(field), `${name}: "${field}" cannot be indexed: letters, digits and _ only`)
      check(!seen.has(index.name), `${name}: the index "${index.name}" is declared twice`)
      seen.add(index.name)
    }
  }
  return schema
}

function check(right: boolean, otherwise: string): void {
  if (!right) throw new SyncError('schema_invalid', `The schema cannot be used: ${otherwise}.`)
}

/** One index as the store and the planner see it. */
export interface IndexSpec {
  readonly name: string
  readonly parts: ReadonlyArray<{ readonly field: string; readonly fold: boolean }>
}

/** What store, queries and live queries need of one collection; plain data but for the two functions. */
export interface CollectionSpec {
  readonly name: string
  readonly indexes: readonly IndexSpec[]
  /** Fields compared without case and diacritics, in every condition and order. */
  readonly folded: ReadonlySet<string>
  readonly keyFields: readonly string[] | null
  /** The canonical id of a row (or of a delete's key fields), or null if it has none. */
  readonly idOf: (row: Row) => string | null
  /** Null if the row is valid, else the reason. */
  readonly check: (row: Row) => string | null
}

function indexSpec(index: IndexOption<string>): IndexSpec {
  if (typeof index === 'string') return { name: index, parts: [{ field: index, fold: false }] }
  if ('field' in index) return { name: index.field, parts: [{ field: index.field, fold: index.fold }] }
  return { name: index.join('+'), parts: index.map((field) => ({ field, fold: false })) }
}

/** The collections of a schema, ready to use, by wire type. */
export function compileSchema(schema: Schema): ReadonlyMap<string, CollectionSpec> {
  return new Map(Object.entries(schema.collections).map(([name, { options }]) => [name, compile(name, options)]))
}

function compile(name: string, options: CollectionOptions<Row>): CollectionSpec {
  const specs = (options.indexes ?? []).map(indexSpec)
  const folded = new Set(specs.flatMap((spec) => spec.parts.filter((part) => part.fold).map((part) => part.field)))
  // A field is folded everywhere or nowhere, so that an index and a scan can never disagree.
  const indexes = specs.map((spec) => ({
    ...spec,
    parts: spec.parts.map(({ field }) => ({ field, fold: folded.has(field) })),
  }))
  const { key = 'id', validate } = options
  return {
    name,
    indexes,
    folded,
    keyFields: keyFieldsOf(key),
    idOf: idReader(key),
    check: validate ? checker(name, validate) : () => null,
  }
}

type Key = NonNullable<CollectionOptions<Row>['key']>

function keyFieldsOf(key: Key): readonly string[] | null {
  return typeof key === 'function' ? null : typeof key === 'string' ? [key] : key
}

/** How a row of such a collection tells its canonical id. */
export function idReader(key: Key): (row: Row) => string | null {
  if (typeof key === 'function') return (row) => canonicalId(key(row))
  if (typeof key === 'string') return (row) => canonicalId(own(row, key))
  return (row) => {
    const ids = key.map((field) => canonicalId(own(row, field)))
    return ids.includes(null) ? null : ids.map(escapePart).join(':')
  }
}

// Without it, 'x:y' with 'z' and 'x' with 'y:z' were one record.
function escapePart(id: string | null): string {
  return (id ?? '').replace(/[\\:]/g, '\\$&')
}

/** A field of server data, never one inherited from a prototype. */
export function own(row: Row, field: string): unknown {
  return Object.hasOwn(row, field) ? row[field] : undefined
}

function checker(name: string, validator: StandardSchema): CollectionSpec['check'] {
  return (row) => {
    const result = validator['~standard'].validate(row)
    if (result instanceof Promise) {
      result.catch(() => undefined)
      throw new SyncError(
        'schema_async',
        `The validator of "${name}" is asynchronous; rows are checked synchronously before they are stored. Use a synchronous schema.`,
      )
    }
    const issue = result.issues?.[0]
    if (issue === undefined) return null
    const path = (issue.path ?? [])
      .map((part) => String(typeof part === 'object' && part !== null && 'key' in part ? part.key : part))
      .join('.')
    return path === '' ? issue.message : `${path}: ${issue.message}`
  }
}

/** A schema without its functions: what the packaged worker gets from the page. */
export interface PlainSchema {
  readonly version: number
  readonly collections: Readonly<
    Record<
      string,
      {
        readonly options: {
          readonly key?: string | readonly string[]
          readonly indexes?: ReadonlyArray<IndexOption<string>>
        }
      }
    >
  >
}

/**
 * The schema as plain data for the packaged worker.
 * @throws SyncError `schema_needs_worker` if it has validators or key functions, which cannot cross threads (R29).
 */
export function toPlainSchema(schema: Schema): PlainSchema {
  const entries = Object.entries(schema.collections).map(([name, { options }]) => {
    const { key = 'id', indexes = [], validate } = options
    if (validate !== undefined || typeof key === 'function')
      throw new SyncError(
        'schema_needs_worker',
        `"${name}" has a validator or a key function, which only the app's own worker can run: a file with startWorker({schema}) of "tidegate/worker", given to createSync({worker}).`,
      )
    return [name, { options: { key, indexes } }] as const
  })
  return { version: schema.version, collections: Object.fromEntries(entries) }
}

/** A stable text of everything that shapes stored rows and indexes (R30): same version, other hash is `schema_conflict`. */
export function schemaHash(schema: Schema): string {
  const parts = Object.entries(schema.collections)
    .map(([name, { options }]) => ({
      name,
      key: keyFieldsOf(options.key ?? 'id'),
      indexes: (options.indexes ?? []).map((index) => indexSpec(index).parts),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  return JSON.stringify(parts)
}
