/**
 * The page's end of the thread boundary, and all of Comlink on this side. Comlink drops error classes and
 * codes and never settles calls to a dead worker, so here: answers are data, the proxy is pinned (a proxy
 * collected in mid-call would lose the answer), every call races a deadline and the worker's end (I20).
 * A worker is asked to stop before it is terminated, since ending it within a transaction can leave some
 * browsers' databases stuck (F20).
 */
import { releaseProxy, transfer, wrap, type Remote } from 'comlink'
import { aborted, type Sleeper } from '../clock.ts'
import { fromPlain, messageOf, SyncError } from '../errors.ts'
import type { Answer, OpenRequest, ToPage, ToWorker, WorkerApi } from '../worker/api.ts'

const HANDSHAKE_MS = 10_000
const CALL_MS = 60_000
const CLOSE_MS = 2_000

export type Calls = Omit<WorkerApi, 'open' | 'close'>
export type Value<M extends keyof Calls> = Awaited<ReturnType<Calls[M]>> extends Answer<infer T> ? T : never

export interface CallOptions {
  /** Milliseconds; 60,000 unless given. `Infinity`: none. */
  readonly timeout?: number
  readonly signal?: AbortSignal | undefined
}

export interface Connection {
  /** Resolves when the worker has opened storage; rejects with the reason why it could not. */
  readonly opened: Promise<void>
  /** @throws SyncError what the worker answered, `timeout`, `aborted`, or why the worker is gone. */
  call<M extends keyof Calls>(method: M, args: Parameters<Calls[M]>, options?: CallOptions): Promise<Value<M>>
  /** `work` raced against deadline, signal and the worker's end, for answers that come another way. */
  guard<T>(what: string, work: Promise<T>, options?: CallOptions): Promise<T>
  post(message: ToWorker): void
  /** Ends the worker, which is of no use any more, for this reason. */
  lose(error: SyncError): void
  close(): Promise<void>
}

export interface ConnectDeps {
  readonly spawn: () => Worker
  /** Before the worker is started. */
  readonly after?: Promise<void> | undefined
  readonly request: OpenRequest
  readonly clock: Sleeper
  readonly receive: (message: ToPage) => void
  /** Called once, when no call can succeed any more. */
  readonly ended: (error: SyncError) => void
}

/** The packaged worker. Bundlers recognise this expression as it stands; the file is self-contained. */
export function spawnPackaged(): Worker {
  return new Worker(new URL('../worker/bundle.js', import.meta.url), { type: 'module' })
}

const pinned = new Set<Remote<WorkerApi> | undefined>()

export function connect({ spawn, after, request, clock, receive, ended }: ConnectDeps): Connection {
  const waiting = new Set<(error: SyncError) => void>()
  const handshake = new AbortController()
  const { port1: port, port2: theirs } = new MessageChannel()
  let end: SyncError | null = null
  let worker: Worker | undefined
  let api: Remote<WorkerApi> | undefined
  let closing: Promise<void> | undefined

  port.onmessage = ({ data }: MessageEvent<ToPage>) => {
    handshake.abort()
    if (end === null) receive(data)
  }
  const opened = open()
  // Whoever wants to know asks `ready` or `status`; nobody has to.
  opened.catch(() => undefined)

  return {
    opened,
    call: (method, args, options) =>
      guard(
        `sync.${method}()`,
        opened.then(() => ask(method, args)),
        options,
      ),
    guard,
    // What is posted before storage is open waits in the port.
    post(message) {
      if (end === null) port.postMessage(message)
    },
    lose: finish,
    close: () => (closing ??= close()),
  }

  async function open(): Promise<void> {
    if (after !== undefined) await after
    if (end !== null) throw end
    try {
      worker = spawn()
      // A worker that cannot be loaded fires a bare event without a message.
      for (const type of ['error', 'messageerror'] as const)
        worker.addEventListener(type, (event) => fail((event as Partial<ErrorEvent>).message))
      api = wrap<WorkerApi>(worker)
      pinned.add(api)
    } catch (error) {
      // Nothing ends before the caller holds its client.
      await null
      throw fail(messageOf(error))
    }
    later(HANDSHAKE_MS, () => fail(), handshake.signal)
    try {
      // No deadline once the worker has said hello: a schema step takes as long as there are rows, and a worker
      // ended in the middle of it would have to begin again, each time.
      await guard('Opening storage', answer(api.open(request, transfer(theirs, [theirs]))), { timeout: Infinity })
    } catch (error) {
      throw finish(error as SyncError)
    }
    handshake.abort()
  }

  function ask<M extends keyof Calls>(method: M, args: Parameters<Calls[M]>): Promise<Value<M>> {
    // The types of a generic method of a proxy are beyond inference.
    const call = api?.[method] as unknown as (...args: Parameters<Calls[M]>) => Promise<Answer<Value<M>>>
    return answer(call(...args))
  }

  function guard<T>(what: string, work: Promise<T>, { timeout = CALL_MS, signal }: CallOptions = {}): Promise<T> {
    const over = new AbortController()
    let stop: (error: unknown) => void
    return new Promise<T>((resolve, reject) => {
      stop = reject
      work.then(resolve, stop)
      if (end !== null) stop(end)
      if (signal?.aborted === true) stop(aborted())
      waiting.add(stop)
      signal?.addEventListener('abort', () => stop(aborted()), { signal: over.signal })
      const late = (): void => stop(new SyncError('timeout', `${what} got no answer within ${timeout / 1000} s.`))
      if (timeout < Infinity) later(timeout, late, over.signal)
    }).finally(() => {
      waiting.delete(stop)
      over.abort()
    })
  }

  function later(ms: number, run: () => void, signal: AbortSignal): void {
    void clock.sleep(ms, signal).then(run, () => undefined)
  }

  function fail(detail = ''): SyncError {
    return finish(
      handshake.signal.aborted
        ? new SyncError('worker_crashed', `The worker ended; reload the page if it does not come back. ${detail}`)
        : new SyncError(
            'worker_failed',
            `The worker did not start: check its URL, the page's CSP (worker-src 'self') and that its file does not throw. ${detail}`,
          ),
    )
  }

  function finish(error: SyncError): SyncError {
    if (end !== null) return end
    settle(error)
    dispose()
    return error
  }

  /** From here on no call can succeed. */
  function settle(error: SyncError): void {
    end = error
    handshake.abort()
    port.close()
    for (const stop of [...waiting]) stop(error)
    ended(error)
  }

  function dispose(): void {
    api?.[releaseProxy]()
    pinned.delete(api)
    worker?.terminate()
  }

  async function close(): Promise<void> {
    if (end !== null) return
    const timer = new AbortController()
    const stopped = api?.close()
    settle(new SyncError('closed', 'This client was closed.'))
    await Promise.race([stopped, clock.sleep(CLOSE_MS, timer.signal)]).catch(() => undefined)
    timer.abort()
    dispose()
  }
}

/** An answer's value, or its error as the class it was. */
async function answer<T>(asked: Promise<Answer<T>>): Promise<T> {
  const given = await asked.catch((cause: unknown) => {
    const code = cause instanceof Error && cause.name === 'DataCloneError' ? 'invalid_argument' : 'worker_failed'
    throw new SyncError(code, `The worker cannot take this call. ${messageOf(cause)}`, { cause })
  })
  if (given.ok) return given.value
  throw fromPlain(given.error)
}
