/**
 * The service as a fetch handler: Request in, Response out, so that it mounts in Node, Hono, Express,
 * Next, Workers and service workers alike.
 */
import { bodyTooLarge, MAX_BODY_BYTES } from './body.ts'
import { createExchange } from './exchange.ts'
import type { ServiceOptions } from './options.ts'

export type SyncHandler = (request: Request) => Promise<Response>

/**
 * @throws RangeError for an option out of its bounds. The handler itself never throws: what goes wrong is
 * an answer with the error envelope of protocol section 9.
 */
export function createSyncHandler(options: ServiceOptions): SyncHandler {
  const exchange = createExchange(options)

  return async (request) => {
    const { status, headers, body } = await exchange({
      method: request.method,
      url: request.url,
      headers: request.headers,
      body: () => readBody(request),
    })
    return new Response(request.method === 'HEAD' ? null : body, { status, headers })
  }
}

async function readBody(request: Request): Promise<string | null> {
  if (request.body === null) return null
  const reader = request.body.getReader()
  const decoder = new TextDecoder()
  let text = ''
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    size += value.byteLength
    if (size > MAX_BODY_BYTES) {
      await reader.cancel()
      throw bodyTooLarge()
    }
    text += decoder.decode(value, { stream: true })
  }
}
