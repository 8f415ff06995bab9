/** Paths of the Core API (section 8), from types. */

/** `contact` to `contacts`, `city` to `cities`: the path of a type in the Core API. */
export function pluralOf(type: string): string {
  if (/[^aeiou]y$/.test(type)) return `${type.slice(0, -1)}ies`
  return /(s|x|z|ch|sh)$/.test(type) ? `${type}es` : `${type}s`
}
