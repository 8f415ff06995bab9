/** What the page asks of the demo's own server: a token, and changes to look at. The token lives in memory only. */
export interface DemoServer {
  /** A token for the sync service, from the same origin. */
  readonly token: (signal: AbortSignal) => Promise<string>
  /** Changes `many` random places, and these; resolves to how many. */
  readonly changePlaces: (many: number, ids: readonly number[]) => Promise<number>
}

/** @param cut whether the Offline switch is on */
export function createDemoServer(cut: () => boolean): DemoServer {
  let token: string | null = null
  const ask = async (path: string, init: RequestInit): Promise<Record<string, unknown>> => {
    if (cut()) throw new TypeError('The Offline switch is on.')
    const response = await fetch(path, { ...init, cache: 'no-store' })
    if (!response.ok) throw new Error(`The server answered ${response.status}.`)
    return (await response.json()) as Record<string, unknown>
  }
  const fresh = async (signal: AbortSignal): Promise<string> => {
    token = String((await ask('/demo/bootstrap.json', { signal }))['token'])
    return token
  }
  return {
    token: fresh,
    changePlaces: async (many, ids) => {
      const signal = AbortSignal.timeout(20_000)
      const headers = { Authorization: `Bearer ${token ?? (await fresh(signal))}`, 'Content-Type': 'application/json' }
      const answer = await ask('/demo/change', { method: 'POST', headers, body: JSON.stringify({ many, ids }), signal })
      return Number(answer['changed'])
    },
  }
}
