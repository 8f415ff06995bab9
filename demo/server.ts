/** What the page asks of the demo's own server: a token, and changes to look at. The token lives in memory only. */
export interface DemoServer {
  /** A token for the sync service, from the same origin. */
  readonly token: (signal: AbortSignal) => Promise<string>
  /** Changes `many` random places, and these; resolves to how many. */
  readonly changePlaces: (many: number, ids: readonly number[]) => Promise<number>
}

async function ask(path: string, cut: () => boolean, init: RequestInit): Promise<Response> {
  if (cut()) throw new TypeError('The Offline switch is on.')
  return fetch(path, { ...init, cache: 'no-store' })
}

async function read(response: Response): Promise<Record<string, unknown>> {
  if (!response.ok) throw new Error(`The server answered ${response.status}.`)
  return (await response.json()) as Record<string, unknown>
}

/** A token for the sync service, from the same origin. */
export async function askToken(path: string, cut: () => boolean, signal: AbortSignal): Promise<string> {
  return String((await read(await ask(path, cut, { signal })))['token'])
}

/** @param cut whether the Offline switch is on */
export function createDemoServer(cut: () => boolean): DemoServer {
  let token: string | null = null
  const fresh = async (signal: AbortSignal): Promise<string> => {
    token = await askToken('/demo/bootstrap.json', cut, signal)
    return token
  }
  return {
    token: fresh,
    changePlaces: async (many, ids) => {
      const signal = AbortSignal.timeout(20_000)
      const change = (bearer: string): Promise<Response> => {
        const headers = { Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json' }
        return ask('/demo/change', cut, { method: 'POST', headers, body: JSON.stringify({ many, ids }), signal })
      }
      const first = await change(token ?? (await fresh(signal)))
      // A restarted server knows none of its old tokens.
      const answer = await read(first.status === 401 ? await change(await fresh(signal)) : first)
      return Number(answer['changed'])
    },
  }
}
