/**
 * Who is calling (AUTH-1, AUTH-2). Nothing else of a request is looked at before this (S1), and nothing in
 * an answer depends on what a caller without access asked for.
 */
import { Refusal, refuseForNow, type ExchangeRequest } from './answer.ts'
import type { Access, Scope, Settings } from './options.ts'
import { EVERYONE } from './store.ts'

export interface Caller extends Access {
  readonly token: string
  readonly sees: readonly string[]
}

export async function callerOf(request: ExchangeRequest, { authorize, log }: Settings): Promise<Caller> {
  const token = /^bearer +([\x21-\x7e]{1,4096}) *$/i.exec(request.headers.get('authorization') ?? '')?.[1]
  if (token === undefined) throw unauthorized('A bearer token is needed in the header Authorization.')
  const access = await ask(token)
  if (access === null) throw unauthorized('The access token is not valid, or no longer.')
  return { ...access, token, sees: access.sees ?? [EVERYONE] }

  async function ask(value: string): Promise<Access | null> {
    try {
      return await authorize(value)
    } catch {
      log('error', 'authorize_failed')
      throw refuseForNow(503, 'Tokens cannot be checked at the moment.', 5)
    }
  }
}

export function requireScope(caller: Caller, scope: Scope): void {
  if (caller.scopes.includes(scope)) return
  throw new Refusal(403, 'insufficient_scope', `The access token lacks the scope ${scope}.`)
}

function unauthorized(message: string): Refusal {
  return new Refusal(401, 'unauthorized', message, { headers: { 'WWW-Authenticate': 'Bearer' } })
}
