/**
 * How many GETs of one session are worth having under way: one, or all the server allows. All of them when even the
 * quickest of the last few took so long that the time must have gone on the way; on loopback, where a GET is work for
 * the processor, one with the next already asked for is as fast. And only for as long as it pays: if GETs take longer
 * in company, the line or the server was full, and the session goes on with one.
 */

export interface Pace {
  readonly lanes: number
  /** A GET was answered that went out when so many lanes were open. */
  took(ms: number, lanes: number): void
  /** Trouble: one lane asks whether it is over, and begins to measure anew. */
  slowDown(): void
}

/** The most lanes a session gets, whatever the server announces (R43). */
const LANES_AT_MOST = 4
/** GETs measured before anything is decided; their minimum, because a busy worker makes any of them look slow. */
const SAMPLE = 4
/** A quicker GET has not waited for the network. */
const WORTH_MS = 15
/** The least that all lanes must bring compared with one. */
const GAIN = 1.33

export function createPace(allowed: number): Pace {
  let most = Math.min(LANES_AT_MOST, Math.max(1, Math.floor(allowed)))
  let lanes = 1
  let quickest = Infinity
  let measured = 0
  /** What a GET took alone, while it is being found out what it takes in company. */
  let alone: number | null = null

  function measureAnew(skipped = 0): void {
    quickest = Infinity
    measured = -skipped
  }

  function decide(): void {
    if (quickest < WORTH_MS) lanes = 1
    else if (lanes === 1) {
      lanes = most
      alone = quickest
    } else if (alone !== null) {
      if (quickest * GAIN > alone * lanes) lanes = most = 1
      alone = null
    }
  }

  return {
    get lanes() {
      return lanes
    },
    took(ms, among) {
      if (among !== lanes || most === 1) return
      if (++measured > 0) quickest = Math.min(quickest, ms)
      if (measured < SAMPLE) return
      decide()
      // The first of newly opened lanes went out together: one of them had the server for itself.
      measureAnew(lanes > among ? lanes : 0)
    },
    slowDown() {
      lanes = 1
      alone = null
      measureAnew()
    },
  }
}
