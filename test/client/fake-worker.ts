/**
 * A scripted worker: the real thread boundary (Comlink and a MessagePort over a MessageChannel) with a host
 * that does what the test says, and the ways in which a worker can die.
 */
import { expose } from 'comlink'
import { vi } from 'vitest'
import type { OpenRequest, ToPage, ToWorker, WorkerApi } from '../../src/worker/api.ts'

export interface FakeWorker {
  readonly worker: Worker
  /** What the page asked, oldest first: method name and arguments. */
  readonly calls: ReadonlyArray<readonly [string, ...unknown[]]>
  /** What came over the port, oldest first. */
  readonly received: readonly ToWorker[]
  readonly request: () => OpenRequest
  readonly send: (...messages: ToPage[]) => void
  /** Resolves when everything sent so far has arrived at the page. */
  readonly delivered: () => Promise<void>
  readonly fire: (type: 'error' | 'messageerror', message?: string) => void
  readonly terminate: ReturnType<typeof vi.fn>
  /** Waits for the next port message that fits. */
  readonly next: <K extends ToWorker['kind']>(kind: K, nth?: number) => Promise<Extract<ToWorker, { kind: K }>>
}

/** A `Worker` as far as the page uses one, over one end of a channel, and the way to let it fail. */
export function createWorkerLike(page: MessagePort, terminate: () => void): Pick<FakeWorker, 'worker' | 'fire'> {
  const listeners = new Map<string, Set<(event: Event) => void>>()
  const worker = {
    postMessage: (message: unknown, transfer: Transferable[]) => page.postMessage(message, transfer),
    addEventListener: (type: string, listener: (event: Event) => void) => {
      if (type === 'message') {
        page.addEventListener('message', listener)
        page.start()
      } else listeners.set(type, (listeners.get(type) ?? new Set()).add(listener))
    },
    removeEventListener: (type: string, listener: (event: Event) => void) => {
      page.removeEventListener(type, listener)
      listeners.get(type)?.delete(listener)
    },
    terminate,
  }
  return {
    worker: worker as unknown as Worker,
    fire: (type, message) => {
      for (const listener of listeners.get(type) ?? []) listener(Object.assign(new Event(type), { message }))
    },
  }
}

const fine = { ok: true, value: null } as const

export function createFakeWorker(script: Partial<WorkerApi> = {}): FakeWorker {
  const { port1: page, port2: inside } = new MessageChannel()
  const calls: Array<readonly [string, ...unknown[]]> = []
  const received: ToWorker[] = []
  let port: MessagePort | null = null
  let request: OpenRequest | null = null

  const api: WorkerApi = {
    open: async () => fine,
    get: async (_collection, ids) => ({ ok: true, value: ids.map(() => undefined) }),
    count: async () => ({ ok: true, value: 0 }),
    now: async () => fine,
    pause: async () => fine,
    resume: async () => fine,
    restart: async () => fine,
    write: async () => ({ ok: true, value: [] }),
    outbox: async () => fine,
    synced: async () => ({ ok: true, value: 'synced' }),
    logout: async () => fine,
    close: async () => fine,
    ...script,
  }
  const recorded = Object.fromEntries(
    Object.entries(api).map(([name, method]) => [
      name,
      (...args: unknown[]) => {
        if (name === 'open') {
          request = args[0] as OpenRequest
          port = args[1] as MessagePort
          port.onmessage = ({ data }: MessageEvent<ToWorker>) => void received.push(data)
        }
        calls.push([name, ...(name === 'open' ? [] : args)])
        return (method as (...args: unknown[]) => unknown)(...args)
      },
    ]),
  )
  expose(recorded, inside)

  const terminate = vi.fn(() => {
    page.close()
    inside.close()
    port?.close()
  })
  const { worker, fire } = createWorkerLike(page, terminate)

  const send = (...messages: ToPage[]): void => {
    for (const message of messages) port?.postMessage(message)
  }
  return {
    worker,
    calls,
    received,
    request: () => request as OpenRequest,
    send,
    delivered: async () => {
      // Messages of one port keep their order; `hello` changes nothing but is the last one.
      send({ kind: 'hello' })
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
    },
    fire,
    terminate,
    next: (kind, nth = 0) =>
      vi.waitFor(() => {
        const found = received.filter((message) => message.kind === kind)[nth]
        if (found === undefined) throw new Error(`no ${kind} message yet`)
        return found as never
      }),
  }
}
