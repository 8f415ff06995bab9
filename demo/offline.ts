/**
 * The Offline switch. The page keeps it (localStorage) and tells it on a channel; the worker asks once
 * before its first request and obeys from then on, so that a cut network can be shown without cutting it.
 * Each device (each database of the demo) has a switch of its own; all its tabs share it.
 */
const channelOf = (device: string): string => `${device}-offline`
const keyOf = (device: string): string => `${device}:offline`

type Message = { readonly kind: 'ask' } | { readonly kind: 'tell'; readonly offline: boolean }

export interface OfflineSwitch {
  readonly get: () => boolean
  readonly set: (offline: boolean) => void
  /** Called after a change here or in another tab. */
  readonly subscribe: (listener: () => void) => void
}

/** The page's side. Create it before the worker, which asks for the state. */
export function createOfflineSwitch(device: string): OfflineSwitch {
  let offline = localStorage.getItem(keyOf(device)) === 'true'
  const listeners = new Set<() => void>()
  const channel = new BroadcastChannel(channelOf(device))
  const tell = (): void => channel.postMessage({ kind: 'tell', offline } satisfies Message)
  const take = (value: boolean): void => {
    if (value === offline) return
    offline = value
    for (const listener of listeners) listener()
  }
  channel.addEventListener('message', ({ data }: MessageEvent<Message>) => {
    if (data.kind === 'ask') tell()
    else take(data.offline)
  })
  return {
    get: () => offline,
    set: (value) => {
      localStorage.setItem(keyOf(device), String(value))
      take(value)
      tell()
    },
    subscribe: (listener) => void listeners.add(listener),
  }
}

/** The worker's side: `fetch` as it is, or the failure it has without a network. */
export function gatedFetch(device: string): typeof fetch {
  const channel = new BroadcastChannel(channelOf(device))
  let offline = false
  const told = new Promise<void>((resolve) => {
    channel.addEventListener('message', ({ data }: MessageEvent<Message>) => {
      if (data.kind !== 'tell') return
      offline = data.offline
      resolve()
    })
  })
  channel.postMessage({ kind: 'ask' } satisfies Message)
  return async (input, init) => {
    await told
    if (offline) throw new TypeError('The Offline switch is on.')
    return fetch(input, init)
  }
}
