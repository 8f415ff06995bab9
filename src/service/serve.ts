/**
 * The command `tidegate serve`: arguments in, a running service out. Everything wrong with the arguments is a
 * `UsageError`; what fails afterwards says in one sentence what it was.
 */
import { createHash, randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { SingleBar, Presets } from 'cli-progress'
import { importFile } from './import.ts'
import { createMemoryStore } from './memory.ts'
import { createNodeListener, listen, type SyncServer } from './node.ts'
import type { Access, ServiceLog } from './options.ts'
import { createPgliteStore } from './pglite.ts'
import { sellTypes } from './sell.ts'
import type { SyncStore } from './store.ts'

export const USAGE = `Usage: tidegate serve [options]

  --port N             port to listen on; 0: any free one (default 8787)
  --host H             address to bind to (default 127.0.0.1)
  --store S            memory (default), or pglite:DIR to keep data in a folder
  --import FILE        NDJSON, one {"type":"contact","data":{"id":1}} a line, gzip accepted;
                       importing the same again changes nothing
  --token TOKEN        an access token; may be repeated, each is one user of one account
                       who sees all data; also read from TIDEGATE_TOKENS, separated by
                       spaces or commas; without any, one is made and printed
  --page-size N        items on a page, 1 to 1000 (default 100)
  --rate N             requests a second and token; 0: no limit
                       (default: no limit on loopback, 100 elsewhere)
  --origin ORIGIN      web origin that may call; may be repeated, * for any
  --profile P          tidegate (default), or vendor: none of our extensions
  --sell               check and complete writes of the Sell types as Sell does
  --ack-delay MS       let acknowledgements wait before they count, to show repeats
  --help               this text
`

/** Mistakes on the command line: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export interface ServeSettings {
  readonly port: number
  readonly host: string
  /** Null: in memory. */
  readonly folder: string | null
  readonly file: string | null
  readonly tokens: readonly string[]
  readonly pageSize: number
  readonly rate: number | null
  readonly origins: readonly string[]
  readonly ackDelayMs: number
  readonly profile: 'tidegate' | 'vendor'
  readonly sell: boolean
}

export interface Terminal {
  out(line: string): void
  err(line: string): void
  /** Whether a progress bar makes sense. */
  readonly interactive: boolean
}

export interface RunningService {
  readonly server: SyncServer
  stop(): Promise<void>
}

/** @throws UsageError */
export function readServeArgs(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ServeSettings | 'help' {
  const { values, positionals } = parsed(args)
  if (values.help === true) return 'help'
  if (positionals.length !== 1 || positionals[0] !== 'serve') {
    throw new UsageError(
      positionals.length === 0 ? 'A command is needed: tidegate serve.' : `Unknown command: ${positionals.join(' ')}.`,
    )
  }
  const host = values.host ?? '127.0.0.1'
  const rate = values.rate === undefined ? (isLoopback(host) ? 0 : 100) : whole('--rate', values.rate, 0, 1_000_000)
  return {
    port: whole('--port', values.port ?? '8787', 0, 65_535),
    host,
    folder: folderOf(values.store ?? 'memory'),
    file: values.import ?? null,
    tokens: tokensOf([...(values.token ?? []), ...(env['TIDEGATE_TOKENS'] ?? '').split(/[\s,]+/)]),
    pageSize: whole('--page-size', values['page-size'] ?? '100', 1, 1000),
    rate: rate === 0 ? null : rate,
    origins: (values.origin ?? []).map(originOf),
    ackDelayMs: whole('--ack-delay', values['ack-delay'] ?? '0', 0, 24 * 3_600_000),
    profile: profileOf(values.profile ?? 'tidegate'),
    sell: values.sell ?? false,
  }
}

/** Prints `listening on URL` as its first line. @throws Error in one sentence. */
export async function startServe(settings: ServeSettings, terminal: Terminal): Promise<RunningService> {
  const store = settings.folder === null ? createMemoryStore() : await createPgliteStore({ folder: settings.folder })
  try {
    if (settings.file !== null) await runImport(store, settings.file, terminal)
    const tokens = settings.tokens.length > 0 ? settings.tokens : [randomBytes(32).toString('hex')]
    const server = await bind(store, { ...settings, tokens }, terminal)
    terminal.out(`listening on ${server.url}`)
    if (settings.tokens.length === 0) terminal.out(`token ${tokens.join()}`)
    return {
      server,
      async stop() {
        await server.close()
        await store.close()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

const ACCOUNT = 'default'

async function bind(store: SyncStore, settings: ServeSettings, terminal: Terminal): Promise<SyncServer> {
  const { port, host, pageSize, rate, origins, ackDelayMs, profile, sell } = settings
  const users = new Map(settings.tokens.map((token) => [token, accessOf(token)]))
  const log: ServiceLog = (level, event, fields) => {
    if (level === 'error') terminal.err(`${event} ${JSON.stringify(fields ?? {})}`)
  }
  const authorize = (token: string): Access | null => users.get(token) ?? null
  const rules = sell ? sellTypes() : {}
  const listener = createNodeListener({
    store,
    authorize,
    pageSize,
    rate,
    origins,
    ackDelayMs,
    profile,
    log,
    ...rules,
  })
  try {
    return await listen(listener, { port, host })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : ''
    if (code === 'EADDRINUSE')
      throw new Error(`Port ${port} is in use; choose another with --port, or 0 for any.`, { cause: error })
    if (code === 'EACCES')
      throw new Error(`Port ${port} is not allowed for this user; choose one above 1023.`, { cause: error })
    throw new Error(`The service cannot listen on ${host}: ${String(code)}.`, { cause: error })
  }
}

// The user's name follows from the token, so that a device is known again whatever order tokens are given in.
function accessOf(token: string): Access {
  const user = createHash('sha256').update(token).digest('hex').slice(0, 16)
  return { account: ACCOUNT, user, scopes: ['sync', 'read', 'write'] }
}

async function runImport(store: SyncStore, file: string, terminal: Terminal): Promise<void> {
  const bar = new SingleBar(
    { format: 'import {bar} {percentage}% {value}/{total}', stream: process.stderr },
    Presets.shades_classic,
  )
  let started = false
  try {
    const { records, changed } = await importFile(store, ACCOUNT, file, (done, total) => {
      if (!terminal.interactive) return
      if (!started) bar.start(total, 0)
      started = true
      bar.update(done)
    })
    if (started) bar.stop()
    terminal.err(`imported ${file}: ${records} records, ${changed} new or changed`)
  } catch (error) {
    if (started) bar.stop()
    throw new Error(`Nothing was imported. ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const
  const list = { type: 'string', multiple: true } as const
  const options = {
    port: text,
    host: text,
    store: text,
    import: text,
    token: list,
    'page-size': text,
    rate: text,
    origin: list,
    'ack-delay': text,
    profile: text,
    sell: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  } as const
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options })
  } catch (error) {
    // Only the first sentence: the others guess what was meant.
    throw new UsageError(error instanceof Error ? (error.message.split(/(?<=\.)\s/)[0] ?? '') : String(error))
  }
}

function whole(name: string, text: string, low: number, high: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= low && value <= high) return value
  throw new UsageError(`${name} must be a whole number from ${low} to ${high}, not ${text}.`)
}

function folderOf(store: string): string | null {
  if (store === 'memory') return null
  const folder = /^pglite:(.+)$/.exec(store)?.[1]
  if (folder === undefined) throw new UsageError(`--store must be memory or pglite:DIR, not ${store}.`)
  return folder
}

function profileOf(text: string): 'tidegate' | 'vendor' {
  if (text === 'tidegate' || text === 'vendor') return text
  throw new UsageError(`--profile must be tidegate or vendor, not ${text}.`)
}

function tokensOf(texts: readonly string[]): readonly string[] {
  const tokens = texts.filter((token) => token !== '')
  const bad = tokens.find((token) => !/^[\x21-\x7e]+$/.test(token))
  if (bad !== undefined) throw new UsageError('A token must be visible ASCII characters without spaces.')
  return tokens
}

function originOf(text: string): string {
  if (text === '*') return text
  const origin = URL.canParse(text) ? new URL(text).origin : 'null'
  if (origin === 'null' || origin !== text)
    throw new UsageError(`--origin must be like https://app.example, not ${text}.`)
  return origin
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}
