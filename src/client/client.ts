/**
 * `createSync`: the app's handle on one synchronised database, wired from the parts of this folder (R38).
 * Synchronous and free of side effects on a server, where there is nothing to start. Every promise it gives
 * settles: each has a deadline and is rejected when the worker ends (I20).
 */
import { sleep, type Sleeper } from '../clock.ts'
import { fromPlain, SyncError, type PlainError } from '../errors.ts'
import { silentLog } from '../log.ts'
import type { Collections } from '../schema.ts'
import { NOTHING_KNOWN, type Facts, type Followed, type Status, type ToPage, type ToWorker } from '../worker/api.ts'
import type { EditHandle, Sync, SyncControl, SyncOptions, Transaction } from './api.ts'
import { createAttendance } from './audience.ts'
import { createCollection } from './collection.ts'
import { spawnPackaged, type Connection } from './connect.ts'
import { createEdits, waiting } from './edits.ts'
import { openRequest } from './options.ts'
import { currentPage, followPage, type Page } from './page.ts'
import { connectLasting } from './restart.ts'
import { createValueStore } from './store.ts'
import { createStreams } from './streams.ts'
import { createTokenDesk } from './token.ts'
import { bad, record } from './write.ts'

/** Where the client runs; tests give their own. */
export interface Surroundings {
  readonly clock: Sleeper
  readonly page: Page | null
  /** Address that relative endpoints are resolved against. */
  readonly base: string
  /** False on a server: the client then starts nothing and refuses every call. */
  readonly canRun: boolean
}

/**
 * Opens the synchronised database and starts to sync, by itself. Returns at once.
 * @throws SyncError `invalid_argument`, `schema_invalid`, `schema_needs_worker`: mistakes in the options.
 */
export function createSync<const C extends Collections>(options: SyncOptions<C>): Sync<C> {
  return createClient(options, {
    clock: { sleep },
    page: currentPage(),
    base: globalThis.document?.baseURI ?? globalThis.location?.href ?? NO_BASE,
    canRun: 'Worker' in globalThis && 'indexedDB' in globalThis,
  })
}

const NO_BASE = 'http://localhost/'

export function createClient<const C extends Collections>(
  options: SyncOptions<C>,
  { clock, page, base, canRun }: Surroundings,
): Sync<C> {
  const request = openRequest(options, base)
  const { token, worker = spawnPackaged, log = silentLog } = options

  const status = createValueStore<Status>({ ...NOTHING_KNOWN, phase: 'starting' }, null)
  const history = createValueStore<Shown<'history'>>({ sessions: [] }, following('history'))
  const quarantine = createValueStore<Shown<'quarantine'>>({ count: 0, items: [] }, following('quarantine'))
  const outbox = createValueStore<Shown<'outbox'>>(
    { edits: [], conflicts: [], pending: 0, failed: 0 },
    following('outbox'),
  )
  const stores = { status, history, quarantine, outbox }

  const post = (message: ToWorker): void => connection.post(message)
  const streams = createStreams(post)
  const desk = createTokenDesk(token, post)
  const followed = new Set<Followed>()
  /** The device before a restart, until the new worker has said which it is now. */
  let before: string | null = null
  const again = typeof worker === 'function'
  const connection: Connection = canRun
    ? connectLasting({ spawn: again ? worker : () => worker, again, request, clock, receive, restarting, ended })
    : nowhere()
  let leavePage = attend()

  const link = { ...connection, openStream: streams.open, clock }
  const edits = createEdits(connection.call, outbox)
  const control: SyncControl = {
    ready: connection.opened,
    ...stores,
    outbox: edits.outbox,
    now: async (options) => {
      const { timeout, wait } = waiting('now', options)
      await connection.call('now', [timeout], wait)
    },
    pause: told('pause'),
    resume: told('resume'),
    restart: told('restart'),
    logout: async ({ ifUnsent = 'refuse' } = {}) => {
      if (!/^(refuse|keep|discard)$/.test(ifUnsent)) bad('logout', 'ifUnsent is refuse, keep or discard')
      await connection.call('logout', [ifUnsent])
      await connection.close()
    },
    close: connection.close,
  }
  const collections = Object.fromEntries(
    Object.keys(options.schema.collections).map((name) => [
      name,
      { ...createCollection(name, link), ...writing(name) },
    ]),
  )
  return { ...collections, ...control, write } as Sync<C>

  async function write(callback: (tx: Transaction<C>) => unknown): Promise<EditHandle[]> {
    const ops = record(options.schema.collections, callback)
    return ops.length === 0 ? [] : (await connection.call('write', [ops])).map(edits.handle)
  }

  /** The calls of one collection that write one edit. */
  function writing(name: keyof C) {
    const calls = ['insert', 'update', 'delete'] as const
    const one =
      (call: (typeof calls)[number]) =>
      async (...args: unknown[]) => {
        const [edit] = await write((tx) => void (tx[name][call] as (...args: unknown[]) => unknown)(...args))
        return edit
      }
    return Object.fromEntries(calls.map((call) => [call, one(call)]))
  }

  function attend() {
    return canRun && page !== null ? followPage(page, post) : null
  }

  function receive(message: ToPage): void {
    const trouble = errorOf(message.kind === 'status' ? message.value : message)
    // After a sign-out a new database is the last thing anybody wants.
    if (trouble?.code === 'storage_closed' && errorOf(status.getSnapshot())?.code !== 'signed_out')
      return connection.lose(fromPlain(trouble))
    switch (message.kind) {
      case 'status':
        status.set(message.value)
        return foundAgain(message.value)
      case 'history':
      case 'quarantine':
      case 'outbox':
        return stores[message.kind].set(message.value as never)
      case 'edits':
        return edits.take(message.edits)
      case 'token':
        return void desk.ask(message.request, message.reason)
      case 'token-cancel':
        return desk.cancel(message.request)
      case 'log':
        return log(message.level, message.event, message.fields)
      case 'hello':
        return
      case 'persist':
        // Only a page may ask. Whatever the answer is, the worker sees it.
        return void page?.persist?.().then(
          () => post({ kind: 'page', event: 'persisted' }),
          () => undefined,
        )
      default:
        return streams.deliver(message)
    }
  }

  function restarting(error: SyncError, ms: number): void {
    const last = status.getSnapshot()
    before ??= last.deviceId
    desk.cancelAll()
    leavePage?.()
    leavePage = attend()
    streams.again()
    for (const what of followed) post({ kind: 'follow', what, on: true })
    status.set({ ...endOf(last, error), phase: 'waiting', retryAt: Date.now() + ms } as Status)
  }

  /** The new worker has opened storage: what was is there, or it is another database (F32). */
  function foundAgain({ deviceId }: Status): void {
    if (before === null || deviceId === null) return
    const rebuilt = deviceId !== before
    before = null
    if (rebuilt) log('error', 'storage.rebuilt', {})
    edits.findAgain(rebuilt)
  }

  function ended(error: SyncError): void {
    leavePage?.()
    desk.cancelAll()
    streams.fail(error)
    status.set(endOf(status.getSnapshot(), error))
  }

  function told(method: 'pause' | 'resume' | 'restart') {
    return async () => void (await connection.call(method, []))
  }

  function following(what: Followed) {
    const follow = (on: boolean) => () => {
      followed[on ? 'add' : 'delete'](what)
      post({ kind: 'follow', what, on })
    }
    return createAttendance(clock, follow(true), follow(false))
  }
}

type Shown<K extends Followed> = ReturnType<SyncControl[K]['getSnapshot']>

function errorOf(from: object): PlainError | undefined {
  return (from as { error?: PlainError }).error
}

/** The last facts, under the phase that fits the end. */
function endOf(last: Status, { code, message }: SyncError): Status {
  const {
    error: _error,
    progress: _progress,
    retryAt: _retryAt,
    ...facts
  } = last as Facts & Partial<Record<'error' | 'progress' | 'retryAt', unknown>>
  if (code === 'closed') return { ...facts, phase: 'closed' }
  return { ...facts, phase: code.startsWith('storage_') ? 'storage-problem' : 'stopped', error: { code, message } }
}

/** The connection on a server: it takes everything and answers nothing but this. */
function nowhere(): Connection {
  const refuse = (): Promise<never> =>
    Promise.reject(new SyncError('storage_unavailable', 'Tidegate runs in browsers only.'))
  const opened = refuse()
  opened.catch(() => undefined)
  return {
    opened,
    call: refuse,
    guard: refuse,
    post: () => undefined,
    lose: () => undefined,
    close: async () => undefined,
  }
}
