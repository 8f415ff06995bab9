/** A browser closed right after the first sync, before anything could be settled, and what the next one has to do. */
import { memoryOf } from '../memory.ts'
import { coldReopen, firstSync, launch, type RunDeps } from './visit.ts'

export async function runUnsettled(deps: RunDeps): Promise<void> {
  const first = await launch(deps)
  try {
    await firstSync(deps, first)
  } finally {
    await first.close()
  }
  const second = await launch(deps)
  try {
    await coldReopen(deps, second)
    const { workers } = await memoryOf(second.page)
    deps.put({ memoryWorkers: workers })
  } finally {
    await second.close()
  }
}
