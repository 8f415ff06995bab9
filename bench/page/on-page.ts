/** For contestants whose documentation has them on the page, or that bring their own worker. */
import { create } from 'virtual:contestant'
import { timeCalls, type Client } from './client.ts'

export function connect(): Client {
  const contestant = create()
  return { contestant, timeInside: (ask, calls) => timeCalls(contestant, ask, calls) }
}
