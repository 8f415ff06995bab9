/**
 * Import of NDJSON, one `{"type":"contact","data":{"id":1,...}}` a line, gzip accepted. The whole file is
 * read and checked before anything is stored: a bad line is named and stops the import (R37). Needs Node.
 */
import { holdsUnsafeInteger, parseJson } from '../protocol/json.ts'
import { isObject } from './body.ts'
import { idOf, isTypeName } from './identity.ts'
import type { ImportRecord, SyncStore } from './store.ts'

/** A file that cannot be imported; the message names the line and the reason. */
export class ImportError extends Error {
  override readonly name = 'ImportError'
  /** From 1; null if the file as a whole is at fault. */
  readonly line: number | null

  constructor(message: string, line: number | null) {
    super(message)
    this.line = line
  }
}

export interface ImportResult {
  /** Records in the file. */
  readonly records: number
  /** Objects that are new or different now; the others kept their revision. */
  readonly changed: number
}

/**
 * @param progress is told how many of how many records are stored
 * @throws ImportError if the file cannot be read, or holds a bad line
 */
export async function importFile(
  store: SyncStore,
  account: string,
  file: string,
  progress: (done: number, total: number) => void = () => {},
): Promise<ImportResult> {
  const records = parseRecords(await readBytes(file))
  const { changed } = await store.importRecords(account, records, (done) => progress(done, records.length))
  return { records: records.length, changed }
}

async function readBytes(file: string): Promise<Uint8Array> {
  const [{ readFile }, { gunzipSync }] = await Promise.all([import('node:fs/promises'), import('node:zlib')])
  try {
    const bytes = await readFile(file)
    return bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes
  } catch (error) {
    throw new ImportError(`${file} cannot be read: ${reasonOf(error)}`, null)
  }
}

const LINE_FEED = 0x0a

/** @throws ImportError for the first bad line. */
export function parseRecords(bytes: Uint8Array): readonly ImportRecord[] {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const records: ImportRecord[] = []
  let line = 0
  for (let start = 0; start < bytes.length;) {
    const feed = bytes.indexOf(LINE_FEED, start)
    const end = feed === -1 ? bytes.length : feed
    line += 1
    try {
      const text = decoder.decode(bytes.subarray(start, end)).trim()
      if (text !== '') records.push(recordOf(text))
    } catch (error) {
      throw new ImportError(`Line ${line}: ${reasonOf(error)}`, line)
    }
    start = end + 1
  }
  return records
}

/** @throws Error saying what is wrong with the line. */
function recordOf(text: string): ImportRecord {
  const { value, suspect } = parseJson(text)
  if (!isObject(value)) throw new Error('not an object with type and data')
  const { type, data, scopes } = value
  if (!isTypeName(type)) throw new Error('type must be a name in lower snake case, such as contact')
  if (!isObject(data)) throw new Error('data must be an object')
  if (suspect && holdsUnsafeInteger(data)) throw new Error('a whole number beyond 2^53 must be written as a string')
  if (idOf(data['id']) === null) throw new Error('data.id must be a whole number, or a text of 1 to 200 characters')
  if (scopes === undefined) return { type, data }
  if (!isScopeList(scopes)) throw new Error('scopes must be a list of names')
  return { type, data, scopes }
}

function isScopeList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((scope) => typeof scope === 'string' && scope !== '')
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
