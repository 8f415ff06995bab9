/** The server in a process of its own, and the runner's orders to it. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { benchFolder } from './paths.ts'
import type { ServerOptions, ServerState } from './server.ts'

export interface BenchServer {
  readonly url: string
  /** Forgets all devices and changes. */
  reset(lanes: number): Promise<void>
  /** Changes these records; every device gets them with its next session. */
  change(indexes: readonly number[]): Promise<void>
  state(): Promise<ServerState>
  stop(): void
}

export async function startServer(options: ServerOptions): Promise<BenchServer> {
  const child = spawn(
    process.execPath,
    [join(benchFolder, 'run.mjs'), '--module', 'server.ts', JSON.stringify(options)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  process.once('exit', () => child.kill())
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve)
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)))
  })
  const order = async (name: string, body: unknown): Promise<ServerState> => {
    const response = await fetch(`${url}/control/${name}`, { method: 'POST', body: JSON.stringify(body) })
    return (await response.json()) as ServerState
  }
  return {
    url,
    reset: async (lanes) => void (await order('reset', { lanes })),
    change: async (indexes) => void (await order('change', { indexes })),
    state: () => order('state', null),
    stop: () => void child.kill(),
  }
}
