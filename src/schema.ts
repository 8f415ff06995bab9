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
  /** JSON type of the service's keys, and so of temporary ones (R18). Default `number`. */
  readonly keyType?: 'number' | 'string' | undefined
  /** Its path at the service, where the plural rule misses it: `people` for `person`. */
  readonly path?: string | undefined
  /** Fields that hold keys of other collections. An edit waits for the record it names; a temporary key in them is replaced (R18). */
  readonly references?: { readonly [F in keyof T & string]?: Reference } | undefined
  /** How a create is kept from taking effect twice (R17). Default: by `Idempotency-Key` where the server takes it, else `ask`. */
  readonly create?: { readonly via: CreateVia } | undefined
  /** Who wins a field that was changed on both sides (R19). Default `client-wins`. */
  readonly conflict?: 'client-wins' | 'server-wins' | ConflictPolicy | undefined
  /** Fields that are maps, compared and merged member by member (R19). */
  readonly merge?: { readonly [F in keyof T & string]?: 'deep' } | undefined
}

/** The collection a field refers to, or the field that names it (`resource_type`). */
export type Reference = string | { readonly type: string }

export type CreateVia = 'idempotency-key' | 'ask' | { readonly upsert: string }

/** Pure and synchronous: the value to keep. Needs the app's own worker. */
export type ConflictPolicy = (conflict: {
  readonly collection: string
  readonly key: string
  readonly field: string
  readonly base: unknown
  readonly ours: unknown
  readonly theirs: unknown
}) => unknown

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

/** Wire types, but none of the names that `sync` has or may get as members. */
const NAME =
  /^(?!(ready|status|outbox|quarantine|history|now|pause|resume|restart|close|logout|write|then)$)[a-z][a-z0-9_]{0,63}$/
const FIELD = /^(?!(__proto__|constructor|prototype)$)[A-Za-z_]\w{0,127}$/

/**
 * Checks a schema and returns it.
 * @throws SyncError `schema_invalid`: a bad name, a missing or doubled key, a doubled index. The message names it.
 */
export function defineSchema<const C extends Collections>(schema: Schema<C>): Schema<C> {
  const { version, collections } = schema
  check(Number.isSafeInteger(version) && version > 0, 'version must be a whole number from 1')
  check(Object.keys(collections ?? {}).length > 0, 'name at least one collection')
  for (const [name, { options }] of Object.entries(collections)) {
    const { key = 'id', indexes = [] } = options
    check(
      NAME.test(name),
      `"${name}" cannot be a collection: use the wire type, lower snake case, no name of sync itself`,
    )
    const fields = typeof key === 'function' ? ['id'] : listOf(key)
    check(fields.length > 0 && areNames(fields), `${name}: key must name a field, none twice; leave it out for "id"`)
    for (const to of Object.values(options.references ?? {}))
      if (typeof to === 'string') check(to in collections, `${name}: there is no collection "${to}" to refer to`)
    for (const field of indexes.flatMap(fieldsOf))
      check(FIELD.test(field), `${name}: "${field}" cannot be indexed: letters, digits and _ only`)
    check(areNames(indexes.map(nameOf)), `${name}: an index is declared twice: ${indexes.map(nameOf).join()}`)
  }
  return schema
}

function areNames(names: readonly unknown[]): boolean {
  return names.every((name, at) => typeof name === 'string' && name !== '' && names.indexOf(name) === at)
}

function check(right: boolean, otherwise: string): void {
  if (!right) throw new SyncError('schema_invalid', `Schema: ${otherwise}.`)
}

function fieldsOf(index: IndexOption<string>): readonly string[] {
  return typeof index === 'object' && 'field' in index ? [index.field] : listOf(index)
}

function nameOf(index: IndexOption<string>): string {
  return fieldsOf(index).join('+')
}

function listOf(names: string | readonly string[]): readonly string[] {
  return typeof names === 'string' ? [names] : names
}

/** One index as the store and the planner see it. */
export interface IndexSpec {
  readonly parts: ReadonlyArray<{ readonly field: string; readonly fold: boolean }>
}

/** What store, queries and live queries need of one collection; plain data but for the two functions. */
export interface CollectionSpec {
  readonly name: string
  readonly indexes: readonly IndexSpec[]
  /** Fields compared without case and diacritics, in every condition and order. */
  readonly folded: ReadonlySet<string>
  /** The canonical id of a row (or of a delete's key fields), or null if it has none. */
  readonly idOf: (row: Row) => string | null
  /** Null if the row is valid, else the reason. */
  readonly check: (row: Row) => string | null
  /** The one field that is the key; null if there is none such, so that the collection cannot be written. */
  readonly keyField: string | null
  /** Null: the plural rule. */
  readonly path: string | null
  readonly references: ReadonlyMap<string, Reference>
  readonly create: CreateVia
  readonly conflict: 'client-wins' | 'server-wins' | ConflictPolicy
  /** Fields merged member by member. */
  readonly deep: ReadonlySet<string>
}

/** The collections of a schema, ready to use, by wire type. */
export function compileSchema(schema: Schema): ReadonlyMap<string, CollectionSpec> {
  return new Map(Object.entries(schema.collections).map(([name, { options }]) => [name, compile(name, options)]))
}

function compile(name: string, options: CollectionOptions<Row>): CollectionSpec {
  const { key = 'id', indexes = [], validate } = options
  // A field is folded everywhere or nowhere, so that an index and a scan can never disagree.
  const folded = new Set(indexes.filter(isFolded).flatMap(fieldsOf))
  return {
    name,
    indexes: indexes.map((index) => ({
      parts: fieldsOf(index).map((field) => ({ field, fold: folded.has(field) })),
    })),
    folded,
    idOf: idReader(key),
    check: validate ? checker(name, validate) : () => null,
    keyField: typeof key === 'string' ? key : null,
    path: options.path ?? null,
    references: new Map(Object.entries(options.references ?? {}) as Array<[string, Reference]>),
    create: options.create?.via ?? 'idempotency-key',
    conflict: options.conflict ?? 'client-wins',
    deep: new Set(Object.keys(options.merge ?? {})),
  }
}

function isFolded(index: IndexOption<string>): boolean {
  return typeof index === 'object' && 'field' in index && index.fold
}

type Key = NonNullable<CollectionOptions<Row>['key']>

/** How a row of such a collection tells its canonical id. */
function idReader(key: Key): (row: Row) => string | null {
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
      throw new SyncError('schema_async', `The validator of "${name}" is asynchronous; give a synchronous one.`)
    }
    const issue = result.issues?.[0]
    if (issue === undefined) return null
    const path = (issue.path ?? [])
      .map((part) => String(typeof part === 'object' && part !== null && 'key' in part ? part.key : part))
      .join('.')
    return path === '' ? issue.message : `${path}: ${issue.message}`
  }
}

/** A schema without its functions, as it crosses to the worker. */
export interface PlainSchema {
  readonly version: number
  readonly collections: Readonly<Record<string, { readonly options: PlainOptions }>>
}

interface PlainOptions {
  /** Null: a function of the app's own worker. */
  readonly key: string | readonly string[] | null
  readonly indexes: ReadonlyArray<IndexOption<string>>
  /** What else there is of options that are plain values. */
  readonly keyType?: 'number' | 'string' | undefined
  readonly path?: string | undefined
  readonly references?: { readonly [field: string]: Reference | undefined } | undefined
  readonly create?: { readonly via: CreateVia } | undefined
  readonly conflict?: 'client-wins' | 'server-wins' | undefined
  readonly merge?: { readonly [field: string]: 'deep' | undefined } | undefined
}

/**
 * The schema as plain data for the worker.
 * @throws SyncError `schema_needs_worker` if it is for the packaged one and has validators or key functions,
 * which cannot cross threads (R29).
 */
export function toPlainSchema({ version, collections }: Schema, packaged: boolean): PlainSchema {
  const entries = Object.entries(collections).map(([name, { options }]) => {
    const { key = 'id', indexes = [], validate, conflict, ...rest } = options
    if (packaged && (validate !== undefined || typeof key === 'function' || typeof conflict === 'function'))
      throw new SyncError(
        'schema_needs_worker',
        `"${name}" has a validator, key or conflict function: it needs your own worker, with startWorker({schema}) of "tidegate/worker".`,
      )
    const plain: PlainOptions = {
      ...rest,
      key: typeof key === 'function' ? null : key,
      indexes,
      conflict: typeof conflict === 'function' ? undefined : conflict,
    }
    return [name, { options: plain }] as const
  })
  return { version, collections: Object.fromEntries(entries) }
}

/** A stable text of everything that shapes stored rows and indexes (R30): same version, other hash is `schema_conflict`. */
export function schemaHash({ collections }: Schema | PlainSchema): string {
  const parts = Object.entries(collections)
    .map(([name, { options }]: readonly [string, { readonly options: CollectionOptions<Row> | PlainOptions }]) => {
      const { key = 'id', indexes = [] } = options
      return {
        name,
        key: key === null || typeof key === 'function' ? null : listOf(key),
        indexes: indexes.map((index) => fieldsOf(index).map((field) => ({ field, fold: isFolded(index) }))),
      }
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  return JSON.stringify(parts)
}
