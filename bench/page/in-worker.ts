/** For contestants in a worker: each call and its answer cross the thread boundary by Comlink. */
import { proxy, wrap } from 'comlink'
import type { Client } from './client.ts'
import type { Contestant } from './contestant.ts'
import type { Hosted } from './worker.ts'

export function connect(): Client {
  const remote = wrap<Hosted>(new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }))
  const contestant: Contestant = {
    open: (setup) => remote.open(setup),
    sync: () => remote.sync(),
    count: () => remote.count(),
    get: (id) => remote.get(id),
    byGroup: (group, limit) => remote.byGroup(group, limit),
    bySort: (limit) => remote.bySort(limit),
    scan: () => remote.scan(),
    live: (group, limit, seen) => remote.live(group, limit, proxy(seen)),
    close: () => remote.close(),
  }
  return { contestant, timeInside: (ask, calls) => remote.timeInside(ask, calls) }
}
