/** A server with contacts and the calls of the protocol in one line each, for tests of the kit itself. */
import { collection, defineSchema } from '../../src/schema.ts'
import { createTestServer, type TestServer, type TestServerOptions } from '../../src/testing/server.ts'

export interface Contact {
  readonly id: number
  readonly name: string
}

export const schema = defineSchema({
  version: 1,
  collections: { contact: collection<Contact>({ indexes: ['name'] }) },
})

export const contacts = (count: number): Contact[] =>
  Array.from({ length: count }, (_, at) => ({ id: at + 1, name: `Contact ${at + 1}` }))

export const createServer = (options: TestServerOptions = {}): Promise<TestServer> =>
  createTestServer({ records: { contact: contacts(3) }, ...options })

export function request(
  { endpoint, token, fetch }: TestServer,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  const headers = {
    Authorization: `Bearer ${token}`,
    Accept: 'application/json',
    'Content-Type': 'application/json',
    'X-Basecrm-Device-UUID': 'device',
    ...(init.headers as Record<string, string> | undefined),
  }
  return fetch(`${endpoint}${path}`, { ...init, headers })
}

export const start = (server: TestServer): Promise<Response> => request(server, '/v2/sync/start', { method: 'POST' })

/** Starts a session and gives the path of its pages. */
export async function sessionPath(server: TestServer): Promise<string> {
  const { data } = (await (await start(server)).json()) as { data: { id: string } }
  return `/v2/sync/${data.id}/queues/main`
}
