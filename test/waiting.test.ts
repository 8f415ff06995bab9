/** Signals that follow signals, and work that is never done twice at once (R25, R39). */
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { linked, oneAtATime } from '../src/waiting.ts'

describe('a linked controller', () => {
  it('aborts with any of its signals, also with one that has aborted already', () => {
    const [one, two] = [new AbortController(), new AbortController()]
    const { signal } = linked(one.signal, undefined, two.signal)
    expect(signal.aborted).toBe(false)
    two.abort()
    expect(signal.aborted).toBe(true)
    expect(linked(two.signal).signal.aborted).toBe(true)
    expect(one.signal.aborted).toBe(false)
  })

  it('lets go of its signals when its own work is over', () => {
    const { signal } = new AbortController()
    const inner = linked(signal)
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    inner.abort()
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })
})

describe('work done one at a time', () => {
  it('is done once more, and only once, for all who ask while it runs (R25)', async () => {
    let runs = 0
    const gates: Array<() => void> = []
    const work = oneAtATime(() => {
      runs++
      return new Promise((resolve) => gates.push(resolve))
    })
    const all = Promise.all([work.run(), work.run(), work.run()])
    expect([runs, work.running]).toEqual([1, true])
    gates[0]!()
    await Promise.resolve()
    await Promise.resolve()
    expect(runs).toBe(2)
    gates[1]!()
    await all
    expect([runs, work.running]).toEqual([2, false])
  })

  it('can be asked for again after it failed', async () => {
    let runs = 0
    const work = oneAtATime(async () => {
      if (++runs === 1) throw new Error('once')
    })
    await expect(work.run()).rejects.toThrow('once')
    await work.run()
    expect(runs).toBe(2)
  })
})
