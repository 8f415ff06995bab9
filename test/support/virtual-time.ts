/**
 * Virtual time and a seeded scheduler. Everything that waits in the process under test (the engine's clock,
 * and `setImmediate`, on which fake-indexeddb runs) becomes a task here; one ready task runs at a time, drawn
 * by the seed, and all microtasks drain before the next. Equal seed, equal schedule.
 */
import { aborted, type Clock } from '../../src/clock.ts'

export { seeded, seededRandom } from '../../src/testing/random.ts'

const realImmediate = globalThis.setImmediate

export interface Scheduler {
  readonly now: number
  readonly steps: number
  /** Runs `task` after `ms` of virtual time; the answer takes it back. */
  after(ms: number, task: () => void): () => void
  /** Runs tasks until `done` or virtual time `until`. */
  run(done: () => boolean, until: number): Promise<void>
  /** Called between any two steps. */
  onStep: () => void
  /** Text of everything that happened, as a hash: equal seeds must give equal ones. */
  readonly hash: string
  note(event: string): void
  /** Takes over `setImmediate`; the answer gives it back. */
  install(): () => void
}

interface Task {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

export function createScheduler(random: () => number): Scheduler {
  let tasks: Task[] = []
  let order = 0
  let now = 0
  let steps = 0
  let hash = 0x811c9dc5

  const scheduler: Scheduler = {
    get now() {
      return now
    },
    get steps() {
      return steps
    },
    get hash() {
      return (hash >>> 0).toString(16).padStart(8, '0')
    },
    onStep: () => {},
    note(event) {
      for (let at = 0; at < event.length; at++) hash = Math.imul(hash ^ event.charCodeAt(at), 0x01000193)
    },
    after(ms, run) {
      const task = { at: now + Math.max(0, ms), order: order++, run }
      tasks.push(task)
      return () => {
        tasks = tasks.filter((other) => other !== task)
      }
    },
    async run(done, until) {
      while (!done()) {
        await new Promise<void>((resolve) => realImmediate(resolve))
        if (done() || tasks.length === 0) return
        let ready = tasks.filter(({ at }) => at <= now)
        if (ready.length === 0) {
          const next = Math.min(...tasks.map(({ at }) => at))
          if (next > until) return
          now = next
          ready = tasks.filter(({ at }) => at <= now)
        }
        const task = ready[Math.floor(random() * ready.length)]!
        tasks = tasks.filter((other) => other !== task)
        steps++
        scheduler.note(`${now}:${task.order}`)
        task.run()
        scheduler.onStep()
      }
    },
    install() {
      const before = globalThis.setImmediate
      globalThis.setImmediate = ((run: (...args: unknown[]) => void, ...args: unknown[]) => {
        scheduler.after(0, () => run(...args))
      }) as unknown as typeof setImmediate
      return () => {
        globalThis.setImmediate = before
      }
    },
  }
  return scheduler
}

/** The engine's clock on virtual time. `alive` false: nothing of a killed process ever wakes again. */
export function virtualClock(scheduler: Scheduler, alive: () => boolean = () => true): Clock {
  return {
    now: () => 1_700_000_000_000 + scheduler.now,
    monotonic: () => scheduler.now,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(aborted())
        const cancel = scheduler.after(ms, () => {
          signal?.removeEventListener('abort', stop)
          if (alive()) resolve()
        })
        function stop(): void {
          cancel()
          if (alive()) reject(aborted())
        }
        signal?.addEventListener('abort', stop, { once: true })
      }),
  }
}
