/** Single resources of the Core API (section 8): the envelope both ways, and paths from types. */
import * as z from 'zod/mini'

export const resourceSchema = z.object({ data: z.record(z.string(), z.unknown()) })

/** `contact` to `contacts`, `city` to `cities`: the path of a type in the Core API. */
export function pluralOf(type: string): string {
  if (/[^aeiou]y$/.test(type)) return `${type.slice(0, -1)}ies`
  return /(s|x|z|ch|sh)$/.test(type) ? `${type}es` : `${type}s`
}
