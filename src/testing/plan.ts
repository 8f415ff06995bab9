/**
 * A bad day, drawn from a seed. The fate of the n-th start, page, acknowledgement, read or write depends on the seed
 * and on n alone, not on what happens beside it, so a failing seed fails again.
 */
import { fault, type Fault } from './fault.ts'
import type { Call, FaultPlan } from './network.ts'
import { seeded } from './random.ts'

export interface RandomFaults {
  /** Share of requests that meet a fault, 0 to 1. Default 0.2. */
  readonly share?: number | undefined
  /** Faults to draw from, with equal chance, by requests they make sense for. Default: what passes by itself. */
  readonly faults?: ReadonlyArray<(chance: () => number, call: Call) => Fault> | undefined
}

const BY_DEFAULT: NonNullable<RandomFaults['faults']> = [
  () => fault.dropRequest(),
  () => fault.dropAnswer(),
  (chance) => fault.delay(Math.floor(chance() * 50)),
  (chance) => ({ kind: 'cut', silent: chance() < 0.5, keep: shareOf(chance()) }),
  (chance) => fault.duplicate(Math.floor(chance() * 50)),
  (chance) => fault.status(chance() < 0.5 ? 500 : 503),
  (_, call) => (call === 'page' ? fault.emptyPage() : fault.status(502)),
  (_, call) => (call === 'page' ? fault.expiredSession() : fault.dropAnswer()),
]

/** @returns a plan for `server.network.plan`; equal seed, equal faults */
export function randomFaults(seed: number, { share = 0.2, faults = BY_DEFAULT }: RandomFaults = {}): FaultPlan {
  return ({ call }, nth) => {
    const chance = seeded(mix(seed, call, nth))
    if (chance() >= share) return null
    return faults[Math.floor(chance() * faults.length)]?.(chance, call) ?? null
  }
}

function shareOf(share: number): (length: number) => number {
  return (length) => Math.floor(length * share)
}

function mix(seed: number, call: string, nth: number): number {
  let hash = 0x811c9dc5 ^ seed
  for (const char of `${call} ${nth}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193)
  return hash
}
