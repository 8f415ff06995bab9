/** The composition root of a worker: the browser's parts meet the engine here and nowhere else. */
import * as z from 'zod/mini'
import { systemClock, systemRandom } from '../clock.ts'
import type { Schema } from '../schema.ts'
import { createHost, exposeHost } from './host.ts'
import { createChannel, createHttp, createLocks, storageInfo } from './platform.ts'
import { ownSchema, type SchemaOf } from './schema-of.ts'

export interface WorkerOptions {
  readonly schema: Schema
  /** Wraps every request: proxies, fault switches. The worker's own `fetch` unless given. */
  readonly fetch?: typeof globalThis.fetch | undefined
}

/** Turns this worker into the app's sync worker. Call it once, at the top of the worker file (R29, R40). */
export function startWorker({ schema, fetch }: WorkerOptions): void {
  start(ownSchema(schema), fetch)
}

export function start(schemaOf: SchemaOf, fetch?: typeof globalThis.fetch): void {
  // zod would probe for `eval`, which a strict Content-Security-Policy reports as a violation.
  z.config({ jitless: true })
  const { navigator, indexedDB, IDBKeyRange } = globalThis as Partial<WorkerGlobalScope> & {
    IDBKeyRange?: typeof globalThis.IDBKeyRange
  }
  exposeHost(
    createHost({
      schemaOf,
      http: createHttp(fetch ?? ((input, init) => globalThis.fetch(input, init))),
      clock: systemClock,
      random: systemRandom,
      locks: createLocks(navigator?.locks),
      createChannel,
      storageInfo: () => storageInfo(navigator?.storage),
      indexedDB,
      IDBKeyRange,
    }),
  )
}
