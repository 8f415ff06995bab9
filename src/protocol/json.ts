/**
 * JSON text to value, without losing digits: `JSON.parse` rounds whole numbers beyond 2^53 before
 * anybody can look (R8). Such numbers are kept as marked text, so that the item that holds one can be
 * put into quarantine with all its digits.
 */

const MARK = '$unsafeInteger'
const LONG_DIGITS = /\d{16}/
// A run of digits behind a point, an exponent or other digits belongs to a fraction, not to an integer.
const STRING_OR_LONG_INTEGER = /"(?:[^"\\]|\\.)*"|(?<![\d.eE+-])-?\d{16,}(?![\d.eE])/g

/**
 * `suspect` says that some number may have been kept as marked text, so that items are worth a look.
 * @throws SyntaxError as `JSON.parse` does.
 */
export function parseJson(text: string): { readonly value: unknown; readonly suspect: boolean } {
  const suspect = LONG_DIGITS.test(text)
  return { value: JSON.parse(suspect ? text.replace(STRING_OR_LONG_INTEGER, keepDigits) : text), suspect }
}

function keepDigits(token: string): string {
  return token.startsWith('"') || Number.isSafeInteger(Number(token)) ? token : `{"${MARK}":"${token}"}`
}

/** Whether a parsed value holds, at any depth, a whole number that JavaScript cannot represent. */
export function holdsUnsafeInteger(value: unknown): boolean {
  const stack = [value]
  while (stack.length > 0) {
    const next = stack.pop()
    if (typeof next !== 'object' || next === null) continue
    if (Object.hasOwn(next, MARK)) return true
    for (const child of Object.values(next)) if (typeof child === 'object') stack.push(child)
  }
  return false
}
