/** What one run of one contestant found. */
export type RunKind =
  /** First sync, all questions, changes, live query, then a second browser process. */
  | 'full'
  /** The first sync only. */
  | 'sync'
  /** First sync, browser closed before anything is settled, then a second browser process. */
  | 'unsettled'
  /** Questions while draining and settling, and many live queries. */
  | 'load'
  /** Local writes while draining, settling and idle, each beside a raw put. */
  | 'writes'

export interface Result {
  /** Key of the block it belongs to. */
  readonly block: string
  readonly contestant: string
  readonly repetition: number
  /** By name; what a contestant does not do is missing. */
  readonly figures: Readonly<Record<string, number>>
  readonly faults: readonly string[]
  readonly browser: string
  /** Running processes a core before the run: how disturbed the machine was. */
  readonly disturbance: number
}
