/**
 * The test of the store contract, for our stores and for anybody's (R32, S20). Behaviour only: it knows
 * nothing of rows, and of time only what the clock it gives to the store says. Each case works in an
 * account of its own, so one store serves all of them.
 */
import { acks } from './conformance/acks.ts'
import { delivery } from './conformance/delivery.ts'
import type { Case } from './conformance/kit.ts'
import { records } from './conformance/records.ts'
import { sessions } from './conformance/sessions.ts'
import { sight } from './conformance/sight.ts'
import { upserts } from './conformance/upserts.ts'
import { writes } from './conformance/writes.ts'
import type { SyncStore } from './store.ts'

/** Registers one test, as `test` and `it` of most runners do. */
export type TestRegistrar = (name: string, run: () => Promise<void>) => unknown

export interface ConformanceStoreOptions {
  /** The clock the store must live by, milliseconds since 1970. */
  readonly now: () => number
}

const CASES: readonly Case[] = [...delivery, ...sessions, ...acks, ...writes, ...upserts, ...records, ...sight]

/**
 * Registers the contract's tests.
 * @param test for instance `it` of Vitest, or `test` of `node:test`
 * @param createStore makes an empty store; called once, at the first test. Closing it is the caller's.
 */
export function conformance(
  test: TestRegistrar,
  createStore: (options: ConformanceStoreOptions) => Promise<SyncStore> | SyncStore,
): void {
  let time = Date.UTC(2026, 0, 1)
  let made: Promise<SyncStore> | undefined
  CASES.forEach(([name, run], index) => {
    test(name, async () => {
      made ??= Promise.resolve(createStore({ now: () => time }))
      await run({ store: await made, account: `case-${index}`, advance: (ms) => void (time += ms) })
    })
  })
}
