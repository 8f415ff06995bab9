/**
 * Memory of the page and of its workers after a garbage collection, by the browser's debugging protocol: the interface for
 * pages (`measureUserAgentSpecificMemory`) is missing in headless builds and does not tell page and workers apart.
 */
import type { Page } from 'playwright'

export interface Memory {
  /** Bytes of the page with its workers, and of the workers alone: objects, and what their buffers hold. */
  readonly total: number
  readonly workers: number
  /** Of the workers only what their JavaScript holds, without the browser's own objects. */
  readonly heap: number
}

interface HeapUsage {
  readonly usedSize: number
  readonly embedderHeapUsedSize?: number
  readonly backingStorageSize?: number
}

export async function memoryOf(page: Page): Promise<Memory> {
  const session = await page.context().newCDPSession(page)
  const workers: string[] = []
  const waiting = new Map<number, (answer: unknown) => void>()
  session.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
    if (targetInfo.type === 'worker') workers.push(sessionId)
  })
  session.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result } = JSON.parse(message) as { id?: number; result?: unknown }
    if (id !== undefined) waiting.get(id)?.(result)
  })

  let last = 0
  const ask = (sessionId: string, method: string): Promise<unknown> => {
    const id = ++last
    return new Promise((resolve, reject) => {
      waiting.set(id, resolve)
      session.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id, method }) }).catch(reject)
    })
  }

  try {
    await session.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false })
    await session.send('HeapProfiler.collectGarbage')
    const own = bytesOf(await session.send('Runtime.getHeapUsage'))
    let theirs = 0
    let heap = 0
    for (const worker of workers) {
      await ask(worker, 'HeapProfiler.collectGarbage')
      const usage = (await ask(worker, 'Runtime.getHeapUsage')) as HeapUsage
      theirs += bytesOf(usage)
      heap += bytesOf({ ...usage, embedderHeapUsedSize: 0 })
    }
    return { total: own + theirs, workers: theirs, heap }
  } finally {
    await session.detach()
  }
}

function bytesOf({ usedSize, embedderHeapUsedSize = 0, backingStorageSize = 0 }: HeapUsage): number {
  return usedSize + embedderHeapUsedSize + backingStorageSize
}
