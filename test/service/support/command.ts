/** The command as it ships: compiled once, run as a process of its own. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import path from 'node:path'

/** Inside the package, so that the compiled modules find their dependencies. */
const CACHE = path.resolve('node_modules/.cache')

export interface Command {
  readonly folder: string
  /** Starts the command and waits for its first line of output. */
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Running>
  /** Runs the command to its end. */
  run(args: readonly string[]): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>
  remove(): Promise<void>
}

export interface Running {
  readonly process: ChildProcess
  readonly lines: readonly string[]
  readonly url: string
  /** The next line of output. */
  nextLine(): Promise<string>
  /** Ends it by a signal; its exit code, null if the signal killed it. */
  stop(signal: NodeJS.Signals): Promise<number | null>
}

export async function compileCommand(): Promise<Command> {
  const { mkdir } = await import('node:fs/promises')
  await mkdir(CACHE, { recursive: true })
  const folder = await mkdtemp(path.join(CACHE, 'tidegate-command-'))
  // Mistakes elsewhere in the sources are the type check's business.
  await new Promise<void>((resolve) => {
    execFile('node', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', folder], () =>
      resolve(),
    )
  })
  const script = path.join(folder, 'service', 'cli.js')

  async function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Running> {
    const child = spawn(process.execPath, [script, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    const exit = once(child, 'exit')
    let err = ''
    child.stderr.on('data', (chunk) => (err += chunk))
    const output = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const lines: string[] = []
    const nextLine = async (): Promise<string> => {
      const { done, value } = await output.next()
      if (done === true) throw new Error(`The command ended: ${err}`)
      lines.push(value)
      return value
    }
    const url = (await nextLine()).replace(/^listening on /, '')
    return {
      process: child,
      lines,
      url,
      nextLine,
      async stop(signal) {
        child.kill(signal)
        const [code] = await exit
        return code
      },
    }
  }

  return {
    folder,
    start,
    run: (args) =>
      new Promise((resolve) => {
        const child = execFile(process.execPath, [script, ...args], (_, out, err) =>
          resolve({ code: child.exitCode, out, err }),
        )
      }),
    remove: () => rm(folder, { recursive: true }),
  }
}
