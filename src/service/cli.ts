#!/usr/bin/env node
/** The package's command. Exit codes: 0 stopped as asked, 1 something failed, 2 the command line is wrong. */
import { readServeArgs, startServe, USAGE, UsageError, type Terminal } from './serve.ts'

const terminal: Terminal = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  interactive: process.stderr.isTTY,
}

async function main(): Promise<void> {
  const settings = readServeArgs(process.argv.slice(2), process.env)
  if (settings === 'help') return terminal.out(USAGE)
  const service = await startServe(settings, terminal)
  let stopping = false
  const stop = (): void => {
    // A second Ctrl-C does not wait.
    if (stopping) process.exit(130)
    stopping = true
    service.stop().catch(fail)
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
}

function fail(error: unknown): void {
  terminal.err(`tidegate: ${error instanceof Error ? error.message : String(error)}`)
  if (error instanceof UsageError) terminal.err('Try: tidegate --help')
  process.exitCode = error instanceof UsageError ? 2 : 1
}

await main().catch(fail)
