/**
 * The worker's end of the thread boundary, and all of Comlink on this side. Calls answer with data, also
 * when they fail, because an exception loses its code on the way. Everything the page asks arrives here,
 * is checked, and is handed on; there is no logic of its own.
 */
import { expose } from 'comlink'
import { aborted, toHex, type Clock, type Random } from '../clock.ts'
import type { Channel } from '../engine/channel.ts'
import { createEngine, type Engine } from '../engine/engine.ts'
import type { StorageInfo } from '../engine/facts.ts'
import type { Locks } from '../engine/leader.ts'
import { closedHere } from '../engine/proof.ts'
import type { Http, TokenReason } from '../engine/transport.ts'
import { fromPlain, SyncError, toPlain, type PlainError } from '../errors.ts'
import { silentLog, type Log } from '../log.ts'
import { idsOf } from '../query.ts'
import { openStore, type Store } from '../store/store.ts'
import { WIRE_VERSION, type Answer, type OpenRequest, type ToPage, type ToWorker, type WorkerApi } from './api.ts'
import { createOutboxDesk, isOver, type OutboxDesk } from './outbox.ts'
import { createReports } from './reports.ts'
import type { SchemaOf } from './schema-of.ts'
import { openStream, type Stream } from './stream.ts'

export interface HostDeps {
  readonly schemaOf: SchemaOf
  readonly http: Http
  readonly clock: Clock
  readonly random: Random
  readonly locks: Locks
  readonly createChannel: (name: string) => Channel
  readonly storageInfo: () => Promise<StorageInfo>
  readonly indexedDB: IDBFactory | undefined
  readonly IDBKeyRange: typeof IDBKeyRange | undefined
}

/** Database, lock and channel share this name, so two accounts never meet (R22). */
export async function databaseName(
  { name, endpoint, account }: Pick<OpenRequest, 'name' | 'endpoint' | 'account'>,
  subtle: SubtleCrypto | undefined = crypto.subtle,
): Promise<string> {
  const identity = JSON.stringify([name, endpoint, account])
  // Browsers have no `subtle` on plain http (other than localhost); there the text stands for its hash.
  const digest = await subtle?.digest('SHA-256', new TextEncoder().encode(identity))
  return `tidegate-${name}-${digest === undefined ? identity : toHex(new Uint8Array(digest, 0, 16))}`
}

interface Open {
  readonly store: Store
  readonly engine: Engine
  readonly desk: OutboxDesk
  readonly close: () => Promise<void>
}

export function createHost(deps: HostDeps): WorkerApi {
  let opened: Open | null = null
  let closed = false

  async function open(request: OpenRequest, port: MessagePort): Promise<Open> {
    const schema = deps.schemaOf(request)
    const name = await databaseName(request)
    const send = (message: ToPage, transfer: Transferable[] = []): void => port.postMessage(message, transfer)
    const log: Log = request.debug ? (level, event, fields) => send({ kind: 'log', level, event, fields }) : silentLog
    const scanned = new Set<string>()
    const store = await openStore(name, schema, {
      ...deps,
      onSignedOut: () => void engine.leave(),
      onScan: (collection, field) => {
        const key = `${collection}.${field}`
        if (!scanned.has(key)) log('info', 'query.scan', { collection, field })
        scanned.add(key)
      },
    })
    const tokens = createTokenDesk(send)
    const engine: Engine = createEngine(
      {
        ...deps,
        store,
        log,
        token: tokens.ask,
        channel: deps.createChannel(name),
        persist: () => send({ kind: 'persist' }),
      },
      { ...request, lockName: name },
    )
    const reports = createReports({ store, clock: deps.clock, status: engine.status, send })
    const desk = createOutboxDesk({ store, clock: deps.clock, send })
    const streams = new Map<number, Stream>()
    const stopStore = store.subscribe((event) => {
      for (const stream of streams.values()) stream.onEvent(event)
      desk.onEvent(event)
    })

    port.onmessage = ({ data }: MessageEvent<ToWorker>) => {
      switch (data.kind) {
        case 'open-stream':
          try {
            streams.set(data.stream, openStream({ store, clock: deps.clock, send }, data.stream, data.mode, data.query))
          } catch (error) {
            send({ kind: 'failed', stream: data.stream, error: toPlain(error) })
          }
          break
        case 'close-stream':
          streams.get(data.stream)?.close()
          streams.delete(data.stream)
          break
        case 'follow':
          if (data.what === 'outbox') desk.follow(data.on)
          else reports.follow(data.what, data.on)
          break
        case 'token':
        case 'token-failed':
          tokens.answer(data)
          break
        case 'page':
          engine.pageEvent(data.event)
          break
      }
    }

    return {
      store,
      engine,
      desk,
      close: async () => {
        for (const stream of streams.values()) stream.close()
        streams.clear()
        stopStore()
        await engine.close()
        desk.close()
        reports.close()
        port.close()
      },
    }
  }

  function current(): Open {
    if (opened !== null) return opened
    throw closed ? closedHere() : new SyncError('storage_closed', 'Storage is not open yet; await sync.ready.')
  }

  function told(work: (engine: Engine) => Promise<void>): Promise<Answer<null>> {
    return answer(async () => {
      await work(current().engine)
      return null
    })
  }

  return {
    open: (request, port) =>
      answer(async () => {
        if (opened !== null || closed)
          throw new SyncError('invalid_argument', 'This worker has a client; give each createSync its own.')
        if (request.wire !== WIRE_VERSION)
          throw new SyncError(
            'version_skew',
            'Page and worker are of different releases; build and load both from one.',
          )
        port.postMessage({ kind: 'hello' } satisfies ToPage)
        const now = await open(request, port)
        if (closed) {
          await now.close()
          throw closedHere()
        }
        opened = now
        return null
      }),
    get: (collection, keys) => answer(async () => current().store.get(collection, idsOf(keys))),
    count: (query) =>
      answer(async () => {
        const { store } = current()
        return store.count(store.compile(query))
      }),
    now: (timeout) => told((engine) => engine.now(timeout)),
    pause: () => told((engine) => engine.pause()),
    resume: () => told((engine) => engine.resume()),
    restart: () => told((engine) => engine.restart()),
    write: (ops) =>
      answer(async () => {
        const { store, engine, desk } = current()
        const { error } = engine.status.current as { readonly error?: PlainError }
        // What is written now would go with the data.
        if (error?.code === 'signed_out') throw fromPlain(error)
        const edits = await store.outbox.write(ops)
        edits.forEach(desk.watch)
        engine.edited()
        return edits
      }),
    outbox: (...[what, id, more]) =>
      answer(async () => {
        const { store, engine, desk } = current()
        if (what === 'find') {
          const edit = store.outbox.find(id)
          if (edit === null || isOver(edit.state)) return null
          desk.watch(edit)
          return edit
        }
        await store.outbox[what](id, more as never)
        engine.edited()
        return null
      }),
    synced: (id, timeout) => answer(async () => current().desk.synced(id, timeout)),
    logout: (ifUnsent) => told((engine) => engine.logout(ifUnsent)),
    close: () =>
      answer(async () => {
        closed = true
        const last = opened
        opened = null
        await last?.close()
        return null
      }),
  }
}

/** Serves a host to the page behind `endpoint`. */
export function exposeHost(host: WorkerApi, endpoint?: Parameters<typeof expose>[1]): void {
  expose(Object.freeze(Object.assign(Object.create(null) as object, host)), endpoint)
}

async function answer<T>(work: () => Promise<T>): Promise<Answer<T>> {
  try {
    return { ok: true, value: await work() }
  } catch (error) {
    return { ok: false, error: toPlain(error) }
  }
}

interface TokenDesk {
  ask(reason: TokenReason, signal: AbortSignal): Promise<string>
  answer(message: Extract<ToWorker, { kind: 'token' | 'token-failed' }>): void
}

/** Tokens live on the page; the worker asks for one when it needs it and keeps it in memory only. */
function createTokenDesk(send: (message: ToPage) => void): TokenDesk {
  const waiting = new Map<number, TokenDesk['answer']>()
  let last = 0
  return {
    async ask(reason, signal) {
      if (signal.aborted) throw aborted()
      const request = ++last
      const over = new AbortController()
      try {
        return await new Promise<string>((resolve, reject) => {
          waiting.set(request, (message) => {
            if (message.kind === 'token') resolve(message.token)
            else reject(new SyncError('token_failed', `The token callback failed: ${message.message}`))
          })
          const cancel = (): void => {
            send({ kind: 'token-cancel', request })
            reject(aborted())
          }
          signal.addEventListener('abort', cancel, { signal: over.signal })
          send({ kind: 'token', request, reason })
        })
      } finally {
        over.abort()
        waiting.delete(request)
      }
    },
    answer: (message) => waiting.get(message.request)?.(message),
  }
}
