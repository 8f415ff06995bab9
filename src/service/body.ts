/**
 * Request bodies: bounded, JSON, in a `data` envelope. Bodies are read as JSON whatever their content type
 * says, as clients differ in what they send (section 4.1).
 */
import { holdsUnsafeInteger, parseJson } from '../protocol/json.ts'
import { Refusal, type ExchangeRequest } from './answer.ts'
import type { JsonObject } from './store.ts'

/** Room for 5,000 ack keys of 200 characters (ACK-8); also the largest object that can be written. */
export const MAX_BODY_BYTES = 1024 * 1024

/** The `data` member of the body. */
export async function dataOf(request: ExchangeRequest): Promise<JsonObject> {
  const text = typeof request.body === 'function' ? await request.body() : request.body
  if (text !== null && text.length > MAX_BODY_BYTES) throw bodyTooLarge()
  const { value, suspect } = parse(text ?? '')
  const data = isObject(value) && Object.hasOwn(value, 'data') ? value['data'] : undefined
  if (!isObject(data)) {
    throw new Refusal(400, 'invalid_payload', 'The body must be a JSON object with a data member.')
  }
  if (suspect && holdsUnsafeInteger(data)) {
    throw new Refusal(422, 'incorrect_value', 'A whole number beyond 2^53 must be sent as a string.')
  }
  return data
}

export function bodyTooLarge(): Refusal {
  return new Refusal(413, 'invalid_payload', `The body is larger than ${MAX_BODY_BYTES} bytes.`)
}

function parse(text: string): { readonly value: unknown; readonly suspect: boolean } {
  try {
    return parseJson(text)
  } catch {
    throw new Refusal(400, 'invalid_payload', 'The body is not JSON.')
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
