/**
 * The device and what is known about its syncing: identity (the UUID lives and dies with the data, DEV-5,
 * FAQ-1.3), leader epoch, session, proof of sync. Also the wipe, which replaces all of it at once (R23).
 */
import type { Random } from '../clock.ts'
import type { Database } from './database.ts'
import type { Identity, SessionRow, SyncRow } from './rows.ts'
import { checkLease, checkSchema, readIdentity, readLog, type Lease } from './guard.ts'

export type SyncFacts = Omit<SyncRow, 'key'>
export type SessionFacts = Omit<SessionRow, 'key'>

const NOTHING_YET: SyncRow = {
  key: 'sync',
  lastSyncedAt: null,
  started: 0,
  clean: 0,
  stuck: 0,
  unreadable: 0,
  paused: false,
  capabilities: null,
}

export interface Device {
  /** Creates the identity on the first open; refuses data this build cannot write. */
  open(): Promise<Identity>
  identity(): Promise<Identity>
  /** Becomes the leader: raises the epoch, so that every earlier leader's writes fail. */
  takeEpoch(): Promise<Lease>
  session(): Promise<SessionFacts | null>
  /** Null ends the session. */
  setSession(lease: Lease, session: SessionFacts | null): Promise<void>
  sync(): Promise<SyncFacts>
  updateSync(lease: Lease, change: Partial<SyncFacts>): Promise<SyncFacts>
  /** Pausing is the user's word, from any tab: it needs no lease (R26). */
  setPaused(paused: boolean): Promise<void>
  /** What the service said about itself and the account, stored per generation (R13, R22). */
  setServer(
    lease: Lease,
    facts: { account?: string | null; serverEpoch?: string | null; capabilities?: string | null },
  ): Promise<void>
  /** Clears every store in one transaction and starts a new generation; the log's sequence goes on. */
  wipe(lease: Lease): Promise<Lease>
}

export function createDevice(database: Database, random: Random): Device {
  const { strict, relaxed } = database

  const freshIdentity = (epoch: number): Identity => ({
    key: 'identity',
    device: random.uuid(),
    epoch,
    schemaVersion: database.schemaVersion,
    schemaHash: database.schemaHash,
    account: null,
    serverEpoch: null,
  })

  async function readSync(connection: typeof strict): Promise<SyncRow> {
    return ((await connection.meta.get('sync')) as SyncRow | undefined) ?? NOTHING_YET
  }

  return {
    open: () =>
      strict.dexie.transaction('rw', strict.meta, async () => {
        const known = (await strict.meta.get('identity')) as Identity | undefined
        if (known !== undefined) {
          checkSchema(known, database)
          return known
        }
        const identity = freshIdentity(0)
        await strict.meta.bulkPut([identity, { key: 'log', head: 0, mark: 0, seen: 0, base: 0 }])
        return identity
      }),
    identity: () => readIdentity(relaxed),
    takeEpoch: () =>
      strict.dexie.transaction('rw', strict.meta, async () => {
        const identity = await readIdentity(strict)
        checkSchema(identity, database)
        const epoch = identity.epoch + 1
        await strict.meta.put({ ...identity, epoch })
        return { device: identity.device, epoch }
      }),
    session: async () => {
      const row = (await relaxed.meta.get('session')) as SessionRow | undefined
      if (row === undefined) return null
      const { key: _key, ...session } = row
      return session
    },
    setSession: (lease, session) =>
      relaxed.dexie.transaction('rw', relaxed.meta, async () => {
        await checkLease(relaxed, database, lease)
        if (session === null) await relaxed.meta.delete('session')
        else await relaxed.meta.put({ key: 'session', ...session })
      }),
    sync: () => readSync(relaxed),
    updateSync: (lease, change) =>
      relaxed.dexie.transaction('rw', relaxed.meta, async () => {
        await checkLease(relaxed, database, lease)
        const next = { ...(await readSync(relaxed)), ...change }
        await relaxed.meta.put(next)
        return next
      }),
    setPaused: (paused) =>
      strict.dexie.transaction('rw', strict.meta, async () => {
        await strict.meta.put({ ...(await readSync(strict)), paused })
      }),
    setServer: (lease, { account, serverEpoch, capabilities }) =>
      relaxed.dexie.transaction('rw', relaxed.meta, async () => {
        const identity = await checkLease(relaxed, database, lease)
        await relaxed.meta.put({
          ...identity,
          account: account ?? identity.account,
          serverEpoch: serverEpoch ?? identity.serverEpoch,
        })
        if (capabilities !== undefined) await relaxed.meta.put({ ...(await readSync(relaxed)), capabilities })
      }),
    wipe: (lease) =>
      strict.dexie.transaction('rw', strict.dexie.tables, async () => {
        const { epoch } = await checkLease(strict, database, lease)
        const log = await readLog(strict)
        const { paused, started } = await readSync(strict)
        for (const table of strict.dexie.tables) await table.clear()
        const identity = freshIdentity(epoch)
        // The sequence goes on, so that what other tabs still hold in memory lies at or below the mark and counts for nothing.
        await strict.meta.bulkPut([
          identity,
          { key: 'log', head: log.head, mark: log.head, seen: log.head, base: log.head },
          { ...NOTHING_YET, paused, started },
        ])
        return { device: identity.device, epoch }
      }),
  }
}
