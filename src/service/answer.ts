/**
 * What goes in and out of the exchange: plain values, no Request or Response, so that the whole service
 * runs under virtual time. Also the refusal, the one error that becomes an answer (ERR-1).
 */
import type { FieldError } from './store.ts'

export interface ExchangeRequest {
  readonly method: string
  /** Absolute, or path and query alone. */
  readonly url: string
  readonly headers: { get(name: string): string | null | undefined }
  /** Text, null if there is none, or a function that reads it: it is called only once the caller is known (S1). */
  readonly body: string | null | (() => Promise<string | null>)
}

export interface ExchangeAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Null: no body, and then no content type either (START-2, ACK-2). */
  readonly body: string | null
}

/** An answer without the headers that every answer has. */
export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly body?: string | undefined
}

export interface RefusalDetails {
  readonly details?: string | undefined
  readonly resource?: string | undefined
  /** JSON Pointer to the field at fault. */
  readonly field?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Further errors of the same kind, after the first. */
  readonly others?: readonly FieldError[] | undefined
}

/** Thrown anywhere in a request; becomes the error envelope of section 9. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly code: string
  readonly more: RefusalDetails

  constructor(status: number, code: string, message: string, more: RefusalDetails = {}) {
    super(message)
    this.status = status
    this.code = code
    this.more = more
  }
}

/** What is wrong with a written resource, all of it in one answer. */
export function refuseFields(resource: string, [first, ...others]: readonly FieldError[]): Refusal {
  const { code, message, field, details } = first ?? { code: 'incorrect_value', message: 'Refused.' }
  return new Refusal(422, code, message, { resource, field, details, others })
}

/** Refusals that pass by themselves say when (ERR-3). */
export function refuseForNow(status: 429 | 503, message: string, seconds: number): Refusal {
  const code = status === 429 ? 'rate_limit_exceeded' : 'temporarily_unavailable'
  return new Refusal(status, code, message, { headers: { 'Retry-After': String(Math.max(1, Math.ceil(seconds))) } })
}

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  413: 'Content Too Large',
  422: 'Unprocessable Entity',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

export function refusalBody({ status, code, message, more }: Refusal, requestId: string): string {
  const { details, resource, others = [] } = more
  const errors = [{ code, message, details, field: more.field }, ...others]
  return JSON.stringify({
    errors: errors.map(({ code: what, message: text, details: detail, field }) => ({
      error: { code: what, message: text, details: detail, resource, field },
      meta: { type: 'error' },
    })),
    meta: { type: 'errors', http_status: `${status} ${STATUS_TEXTS[status] ?? ''}`.trim(), logref: requestId },
  })
}
