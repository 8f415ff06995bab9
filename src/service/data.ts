/**
 * Data as JSON text. A store keeps the text and never an object, so that nothing can be lost or changed
 * between what came in and what is handed out (R37). `JSON.parse` and object spread both make own
 * properties of every key, also of `__proto__`; assignment would not, and is not used here.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js'
import type { JsonObject } from './store.ts'

/** @throws TypeError for what JSON cannot hold. */
export function toJson(data: JsonObject): string {
  return JSON.stringify(data)
}

export function fromJson(json: string): JsonObject {
  return JSON.parse(json)
}

/** Fields of the patch replace the stored ones; others stay as and where they are. */
export function mergeFields(data: JsonObject, patch: JsonObject): JsonObject {
  return { ...data, ...patch }
}

/** Whether two texts hold the same value; the order of keys does not count. */
export function sameJson(one: string, other: string): boolean {
  return one === other || canonicalJson(JSON.parse(one)) === canonicalJson(JSON.parse(other))
}

/** Text of a JSON value that is equal exactly for equal values: keys in order at every depth. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const fields = Object.entries(value).filter(([, child]) => child !== undefined)
  fields.sort(([one], [other]) => (one < other ? -1 : 1))
  return `{${fields.map(([key, child]) => `${JSON.stringify(key)}:${canonicalJson(child)}`).join(',')}}`
}

/** Short name of a JSON value, equal for equal values, for comparing a repeated request with the first. */
export function fingerprint(value: unknown): string {
  return bytesToHex(sha256(utf8ToBytes(canonicalJson(value))))
}
