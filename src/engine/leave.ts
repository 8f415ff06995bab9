/**
 * Signing out (R28): the data goes in one transaction that also fences every other tab, a frozen one too; then all
 * engines stop, and the database is deleted. Unsent edits are never lost by the way: that takes the word `discard`.
 */
import type { Sleeper } from '../clock.ts'
import { SyncError, toPlain } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Lease, Store } from '../store/store.ts'
import type { StatusBoard } from './facts.ts'

export type IfUnsent = 'refuse' | 'keep' | 'discard'

export interface Leaving {
  /** @throws SyncError `unsent_edits` */
  logout(ifUnsent: IfUnsent): Promise<void>
  /** Somebody signed out: nothing is sent any more, and only a new engine begins again. */
  leave(): Promise<void>
  /** Another tab says that somebody signed out. */
  check(): Promise<void>
  /** @throws SyncError `signed_out` */
  stay(): void
  readonly left: boolean
}

interface LeavingDeps {
  readonly store: Store
  readonly clock: Sleeper
  readonly board: StatusBoard
  readonly log: Log
  /** Does something as the leader, whoever leads. */
  readonly asOwner: (work: (lease: Lease) => Promise<unknown>) => Promise<void>
  /** Ends this engine's work, for good. */
  readonly stop: () => Promise<void>
  /** The other tabs should check. */
  readonly tell: () => void
}

/** Before the database goes, so that other tabs can read that the data has gone, and why. */
const FAREWELL_MS = 250

export function createLeaving({ store, clock, board, log, asOwner, stop, tell }: LeavingDeps): Leaving {
  let left: Promise<void> | null = null
  const signedOut = (): SyncError =>
    new SyncError('signed_out', 'Somebody signed out; create a new sync after the login.')

  async function end(): Promise<void> {
    const show = (): void => board.setPhase({ phase: 'stopped', error: toPlain(signedOut()) })
    // At once, so that whoever waits is told why, and once more when nobody else says anything.
    show()
    await stop()
    // Reads show that the data is gone.
    await store.follow().catch(() => undefined)
    if (board.phase.phase !== 'closed') show()
  }

  const leave = (): Promise<void> => (left ??= end())
  const unsent = (): number => store.outbox.snapshot().edits.length

  return {
    get left() {
      return left !== null
    },
    stay() {
      if (left !== null) throw signedOut()
    },
    leave,
    async check() {
      const gone = await store.device.sync().then(
        ({ signedOut: flag }) => flag === true,
        (error: unknown) => toPlain(error).code === 'storage_closed',
      )
      if (gone) await leave()
    },
    async logout(ifUnsent) {
      if (left !== null) return left
      await store.follow()
      if (ifUnsent === 'refuse' && unsent() > 0)
        throw new SyncError('unsent_edits', `Edits not sent yet: ${unsent()}; log out with "keep" or "discard".`)
      // One that another tab makes meanwhile is kept.
      await asOwner((lease) => store.signOut(lease, ifUnsent !== 'discard'))
      tell()
      await leave()
      if (unsent() > 0) return
      await clock.sleep(FAREWELL_MS)
      // Somebody has signed in again meanwhile.
      if ((await store.device.sync()).signedOut !== true) return
      if (!(await store.destroy())) log('info', 'logout.shell')
    },
  }
}
