/** A first sync and nothing else. */
import { checkCounts, firstSync, launch, type RunDeps } from './visit.ts'

export async function runSync(deps: RunDeps): Promise<void> {
  const running = await launch(deps)
  try {
    await firstSync(deps, running)
    await checkCounts(deps, running)
  } finally {
    await running.close()
  }
}
