/** A minimal client of the protocol for everything that brings none: the same requests for all, parsed where it runs. */
import type { Row } from '../data.ts'

interface Item {
  readonly data: Row
  readonly meta: { readonly sync: { readonly ack_key: string } }
}

export interface Page {
  readonly rows: readonly Row[]
  readonly ackKeys: readonly string[]
}

// No UUID is needed to be told apart from nobody; the profile is new each time.
const HEADERS = { Accept: 'application/json', Authorization: 'Bearer bench', 'X-Basecrm-Device-UUID': 'bench' }

async function call(method: 'GET' | 'POST', path: string, body?: string): Promise<Response> {
  const headers = body === undefined ? HEADERS : { ...HEADERS, 'Content-Type': 'application/json' }
  const response = await fetch(`/v2/sync/${path}`, {
    method,
    headers,
    cache: 'no-store',
    ...(body !== undefined && { body }),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status}`)
  return response
}

/** Null: nothing waits. */
export async function startSession(): Promise<string | null> {
  const response = await call('POST', 'start')
  return response.status === 204 ? null : ((await response.json()) as { data: { id: string } }).data.id
}

/** Null: the session is drained. */
export async function fetchPage(session: string): Promise<Page | null> {
  const response = await call('GET', `${session}/queues/main`)
  if (response.status === 204) return null
  const { items } = (await response.json()) as { items: readonly Item[] }
  return { rows: items.map(({ data }) => data), ackKeys: items.map(({ meta }) => meta.sync.ack_key) }
}

export async function acknowledge(keys: readonly string[]): Promise<void> {
  await call('POST', 'ack', JSON.stringify({ data: { ack_keys: keys } }))
}

/** All pages that wait, the next one always under way. */
export async function* pages(): AsyncGenerator<Page> {
  const session = await startSession()
  if (session === null) return
  let next = fetchPage(session)
  for (;;) {
    const page = await next
    if (page === null) return
    next = fetchPage(session)
    yield page
  }
}

/** The same in groups of at least `size` records, for stores with a price for each transaction. */
export async function* groups(size: number): AsyncGenerator<readonly Row[]> {
  let gathered: Row[] = []
  for await (const { rows } of pages()) {
    gathered.push(...rows)
    if (gathered.length < size) continue
    yield gathered
    gathered = []
  }
  if (gathered.length > 0) yield gathered
}
