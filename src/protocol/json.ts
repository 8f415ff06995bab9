/**
 * JSON text to value, without losing digits: `JSON.parse` rounds whole numbers beyond 2^53 before
 * anybody can look (R8). Such numbers are kept as marked text, so that the item that holds one can be
 * put into quarantine with all its digits.
 */

const MARK = '$unsafeInteger'
/** Digits of the smallest whole number that could be rounded. */
const LONG = 16

/** Levels of nesting up to which a text is not worth a closer look. */
const ORDINARY_DEPTH = 100

/**
 * `suspect` says that the value is worth a closer look: some number may have been kept as marked text, or it is nested
 * unusually deep. @throws SyntaxError as `JSON.parse` does.
 */
export function parseJson(text: string): { readonly value: unknown; readonly suspect: boolean } {
  // First the text as it is: what was cut is refused at once, and what follows may rely on whole tokens.
  const value: unknown = JSON.parse(text)
  const { marked, deep } = scan(text)
  return marked === null ? { value, suspect: deep } : { value: JSON.parse(marked), suspect: true }
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

/**
 * Looks through the text once, by hand: a regular expression for strings runs out of stack in a long one, and looking
 * through the values of every record would take as long as parsing them did.
 */
function scan(json: string): { readonly marked: string | null; readonly deep: boolean } {
  let marked = ''
  let copied = 0
  let depth = 0
  let deep = false
  for (let at = 0; at < json.length;) {
    const code = json.charCodeAt(at)
    if (code === QUOTE) at = afterString(json, at)
    else if (code === MINUS || (code >= ZERO && code <= NINE)) {
      const end = afterNumber(json, at)
      if (end - at >= LONG) {
        const token = json.slice(at, end)
        if (/^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token))) {
          marked += `${json.slice(copied, at)}{"${MARK}":"${token}"}`
          copied = end
        }
      }
      at = end
    } else {
      if (code === OPEN_BRACE || code === OPEN_BRACKET) deep ||= ++depth > ORDINARY_DEPTH
      else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth--
      at++
    }
  }
  return { marked: copied === 0 ? null : marked + json.slice(copied), deep }
}

/** A number ends at a comma, a closing bracket, a space or with the text. */
function afterNumber(json: string, start: number): number {
  let at = start
  for (let code = MINUS; code > 0x20 && code !== COMMA && code !== CLOSE_BRACKET && code !== CLOSE_BRACE;)
    code = json.charCodeAt(++at)
  return at
}

function afterString(json: string, start: number): number {
  for (let end = start; ;) {
    end = json.indexOf('"', end + 1)
    let before = end
    while (json.charCodeAt(before - 1) === BACKSLASH) before--
    // An even number of backslashes escape each other, not the quote.
    if ((end - before) % 2 === 0) return end + 1
  }
}

export interface Inspection {
  /** It holds, at some depth looked at, a whole number that JavaScript cannot represent. */
  readonly unsafeInteger: boolean
  /** Objects and lists are nested deeper than the limit; nothing below it was looked at. */
  readonly tooDeep: boolean
}

/** Looks once through a parsed value, level by level, so that no depth can exhaust the stack. */
export function inspect(value: unknown, maxDepth = Infinity): Inspection {
  let unsafeInteger = false
  let level = isNested(value) ? [value] : []
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > maxDepth) return { unsafeInteger, tooDeep: true }
    const next: object[] = []
    for (const parent of level) {
      if (Object.hasOwn(parent, MARK)) unsafeInteger = true
      for (const child of Array.isArray(parent) ? (parent as unknown[]) : Object.values(parent))
        if (isNested(child)) next.push(child)
    }
    level = next
  }
  return { unsafeInteger, tooDeep: false }
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** Whether a parsed value holds, at any depth, a whole number that JavaScript cannot represent. */
export function holdsUnsafeInteger(value: unknown): boolean {
  return inspect(value).unsafeInteger
}
