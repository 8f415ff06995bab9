/**
 * The page's end of the thread boundary, and all of Comlink on this side. Comlink drops error classes and
 * codes and never settles calls to a dead worker, so here: answers are data, the proxy is pinned (a proxy
 * collected in mid-call would lose the answer), every call races a deadline and the worker's end (I20).
 * A worker is asked to stop before it is terminated, since ending it within a transaction can leave some
 * browsers' databases stuck (F20).
 */
import { releaseProxy, transfer, wrap, type Remote } from 'comlink'
import { aborted, type Clock } from '../clock.ts'
import { fromPlain, SyncError } from '../errors.ts'
import type { Answer, OpenRequest, ToPage, ToWorker, WorkerApi } from '../worker/api.ts'

const HANDSHAKE_MS = 10_000
const CALL_MS = 60_000
const CLOSE_MS = 2_000

export type Calls = Omit<WorkerApi, 'open' | 'close'>
export type Value<M extends keyof Calls> = Awaited<ReturnType<Calls[M]>> extends Answer<infer T> ? T : never

export interface CallOptions {
  /** Milliseconds; 60,000 unless given. */
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
  close(): Promise<void>
}

export interface ConnectDeps {
  readonly spawn: () => Worker
  readonly request: OpenRequest
  readonly clock: Clock
  readonly receive: (message: ToPage) => void
  /** Called once, when no call can succeed any more. */
  readonly ended: (error: SyncError) => void
}

/** The packaged worker. Bundlers recognise this expression as it stands; the file is self-contained. */
export function spawnPackaged(): Worker {
  return new Worker(new URL('../worker-bundle.js', import.meta.url), { type: 'module' })
}

const pinned = new Set<Remote<WorkerApi>>()

export function connect({ spawn, request, clock, receive, ended }: ConnectDeps): Connection {
  const waiting = new Set<(error: SyncError) => void>()
  const handshake = new AbortController()
  const { port1: port, port2: theirs } = new MessageChannel()
  let unsent: ToWorker[] | null = []
  let end: SyncError | null = null
  let dispose: () => void = () => undefined
  let closing: Promise<void> | null = null

  port.onmessage = ({ data }: MessageEvent<ToPage>) => {
    handshake.abort()
    if (end === null) receive(data)
  }

  let spawnError = ''
  const api = start()
  const opened = open()
  // Whoever wants to know asks `ready` or `status`; nobody has to.
  opened.catch(() => undefined)

  return {
    opened,
    call: (method, args, options) => guard(`sync.${method}`, opened.then(() => ask(method, args)), options),
    guard,
    post(message) {
      if (end !== null) return
      if (unsent === null) port.postMessage(message)
      else unsent.push(message)
    },
    close: () => (closing ??= close()),
  }

  function start(): Remote<WorkerApi> | null {
    try {
      const worker = spawn()
      worker.addEventListener('error', (event) => fail(describe(event)))
      worker.addEventListener('messageerror', () => fail('A message could not be read.'))
      const remote = wrap<WorkerApi>(worker)
      pinned.add(remote)
      dispose = () => {
        pinned.delete(remote)
        remote[releaseProxy]()
        worker.terminate()
      }
      return remote
    } catch (error) {
      spawnError = error instanceof Error ? error.message : String(error)
      return null
    }
  }

  async function open(): Promise<void> {
    if (api === null) {
      // Not before the caller holds its client.
      await null
      fail(spawnError)
      throw end
    }
    clock.sleep(HANDSHAKE_MS, handshake.signal).then(
      () => fail('It did not answer within 10 seconds.'),
      () => undefined,
    )
    try {
      await guard('Opening storage', answer(api.open(request, transfer(theirs, [theirs]))))
    } catch (error) {
      if (end === null) finish(error as SyncError)
      throw error
    }
    handshake.abort()
    for (const message of unsent ?? []) port.postMessage(message)
    unsent = null
  }

  function ask<M extends keyof Calls>(method: M, args: Parameters<Calls[M]>): Promise<Value<M>> {
    const remote = end === null ? api?.[method] : undefined
    return remote === undefined ? Promise.reject(end) : answer((remote as (...args: Parameters<Calls[M]>) => Promise<Answer<Value<M>>>)(...args))
  }

  function guard<T>(what: string, work: Promise<T>, { timeout = CALL_MS, signal }: CallOptions = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = new AbortController()
      const stop = (error: unknown): void => {
        release()
        reject(error)
      }
      const cancel = (): void => stop(aborted())
      const release = (): void => {
        waiting.delete(stop)
        signal?.removeEventListener('abort', cancel)
        timer.abort()
      }
      work.then((value) => {
        release()
        resolve(value)
      }, stop)
      if (end !== null) return stop(end)
      if (signal?.aborted === true) return cancel()
      waiting.add(stop)
      signal?.addEventListener('abort', cancel)
      clock.sleep(timeout, timer.signal).then(
        () => stop(new SyncError('timeout', `${what} got no answer within ${timeout / 1000} seconds.`)),
        () => undefined,
      )
    })
  }

  function fail(detail: string): void {
    finish(handshake.signal.aborted ? crashed(detail) : notStarted(detail))
  }

  function finish(error: SyncError): void {
    if (end !== null) return
    settle(error)
    dispose()
  }

  function settle(error: SyncError): void {
    end = error
    handshake.abort()
    port.close()
    for (const stop of [...waiting]) stop(error)
    ended(error)
  }

  async function close(): Promise<void> {
    if (end !== null) return
    const stopped = api?.close().catch(() => undefined)
    settle(new SyncError('closed', 'This client was closed with sync.close(). Create another with createSync().'))
    const timer = new AbortController()
    const late = clock.sleep(CLOSE_MS, timer.signal).catch(() => undefined)
    await Promise.race([stopped, late])
    timer.abort()
    dispose()
  }
}

/** An answer's value, or its error as the class it was. */
async function answer<T>(asked: Promise<Answer<T>>): Promise<T> {
  let given: Answer<T>
  try {
    given = await asked
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof Error && error.name === 'DataCloneError')
      throw new SyncError('invalid_argument', `A value in this call cannot be sent to the worker; use plain data. ${message}`, { cause: error })
    throw new SyncError('worker_failed', `The worker could not take the call. ${message}`, { cause: error })
  }
  if (given.ok) return given.value
  throw fromPlain(given.error)
}

// A worker that cannot be loaded fires a bare event without any message.
function describe(event: ErrorEvent): string {
  const { message } = event
  return message === undefined || message === '' ? '' : `It said: ${message}`
}

function notStarted(detail: string): SyncError {
  return new SyncError(
    'worker_failed',
    `The worker did not start. Check that its URL answers with JavaScript, that the Content-Security-Policy allows it (worker-src 'self'), and that nothing in the worker file throws while it loads. ${detail}`.trim(),
  )
}

function crashed(detail: string): SyncError {
  return new SyncError('worker_crashed', `The worker ended unexpectedly. What it had stored is safe; reload the page to go on. ${detail}`.trim())
}
