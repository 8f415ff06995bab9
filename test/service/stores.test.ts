/** The store contract (R32, S20): every store directly, and through the whole service over real HTTP. */
import { afterAll, describe, it } from 'vitest'
import { conformance } from '../../src/service/conformance.ts'
import { createMemoryStore } from '../../src/service/memory.ts'
import { createPgliteStore } from '../../src/service/pglite.ts'
import type { SyncStore } from '../../src/service/store.ts'
import { createRemoteStore } from './support/remote-store.ts'

const open: SyncStore[] = []

afterAll(async () => {
  for (const store of open) await store.close()
})

function kept(store: SyncStore): SyncStore {
  open.push(store)
  return store
}

describe('memory', () => conformance(it, (options) => kept(createMemoryStore(options))))

describe('pglite', { timeout: 60_000 }, () =>
  conformance(it, async (options) => kept(await createPgliteStore(options))),
)

describe('memory over HTTP', () =>
  conformance(it, async (options) => kept(await createRemoteStore(createMemoryStore(options)))))

describe('pglite over HTTP', { timeout: 60_000 }, () =>
  conformance(it, async (options) => kept(await createRemoteStore(await createPgliteStore(options)))),
)
