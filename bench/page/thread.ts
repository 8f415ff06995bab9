/** Watches the page's thread: long tasks as the browser reports them, and how late a timer of 10 ms comes. */
export interface ThreadReport {
  readonly longTasks: number
  /** Milliseconds of long tasks (over 50 ms) in all, and of the longest. */
  readonly longTotal: number
  readonly longest: number
  /** Milliseconds by which the latest timer was late. */
  readonly gap: number
}

const TICK_MS = 10

export function watchThread(): { report(): ThreadReport } {
  const tasks: number[] = []
  const take = (entries: PerformanceEntryList): void => void tasks.push(...entries.map(({ duration }) => duration))
  const observer = new PerformanceObserver((list) => take(list.getEntries()))
  observer.observe({ entryTypes: ['longtask'] })
  let gap = 0
  let last = performance.now()
  const tick = (): void => {
    const at = performance.now()
    gap = Math.max(gap, at - last - TICK_MS)
    last = at
    timer = setTimeout(tick, TICK_MS)
  }
  let timer = setTimeout(tick, TICK_MS)
  return {
    report() {
      take(observer.takeRecords())
      observer.disconnect()
      clearTimeout(timer)
      const longTotal = tasks.reduce((sum, ms) => sum + ms, 0)
      return { longTasks: tasks.length, longTotal, longest: Math.max(0, ...tasks), gap }
    },
  }
}
