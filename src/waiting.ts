/** How work waits for other work, without a clock: signals that follow signals, and work that is never done twice at once. */

/** A controller that aborts with any of these signals. Abort it when its work is over: then it lets go of them. */
export function linked(...outer: ReadonlyArray<AbortSignal | undefined>): AbortController {
  const inner = new AbortController()
  for (const signal of outer) {
    if (signal?.aborted) inner.abort()
    signal?.addEventListener('abort', () => inner.abort(), { signal: inner.signal })
  }
  return inner
}

export interface OneAtATime {
  readonly running: boolean
  /** Begins the work, or has it done once more when the run under way has ended. Resolves after the last of them. */
  run(): Promise<void>
}

/** Work that may be asked for at any time. */
export function oneAtATime(work: () => Promise<void>): OneAtATime {
  let under: Promise<void> | null = null
  let again = false

  async function all(): Promise<void> {
    try {
      do {
        again = false
        await work()
      } while (again)
    } finally {
      // At once, not when the promise has settled: whoever calls in between wants a run of its own.
      under = null
    }
  }

  return {
    get running() {
      return under !== null
    },
    run() {
      if (under === null) under = all()
      else again = true
      return under
    },
  }
}
