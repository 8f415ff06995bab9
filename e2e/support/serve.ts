/** Starts a server of ours as its own process and waits for the line that says where it listens. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface Running {
  /** Origin it listens on, without a slash at the end. */
  readonly url: string
  readonly process: ChildProcess
  /** Ends it politely, and for sure after five seconds. */
  stop(): Promise<void>
}

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..')
export const sample = join(root, 'test/support/sample.ndjson')

/** `tidegate serve` from the build, on a free port of the loopback interface. */
export function serve(...args: string[]): Promise<Running> {
  return run(process.execPath, [join(root, 'dist/service/cli.js'), 'serve', '--port', '0', ...args])
}

/** Any command whose output names an address: `http://127.0.0.1:4000` or `http://localhost:4000/`. */
export async function run(command: string, args: string[], cwd: string = root): Promise<Running> {
  const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } })
  const said: string[] = []
  const url = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(failure('said no address within 60 s')), 60_000)
    const failure = (what: string): Error => {
      child.kill('SIGKILL')
      return new Error(`${command} ${args.join(' ')} ${what}:\n${said.join('\n')}`)
    }
    const read = (line: string): void => {
      said.push(line)
      const address = /https?:\/\/(localhost|127\.0\.0\.1|\[::1\]):\d+/.exec(line)?.[0]
      if (address === undefined) return
      clearTimeout(timer)
      resolve(address)
    }
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', read)
    child.once('error', (error) => reject(failure(error.message)))
    child.once('exit', (code, signal) => reject(failure(`ended early (${code ?? signal})`)))
  })
  return { url, process: child, stop: () => end(child) }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
  child.kill('SIGTERM')
  await exit
  clearTimeout(timer)
}
