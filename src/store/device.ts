/**
 * The device and what is known about its syncing: identity (the UUID lives and dies with the data, DEV-5,
 * FAQ-1.3), leader epoch, session, proof of sync. Also the wipe, which replaces all of it at once (R23).
 */
import type { Random } from '../clock.ts'
import type { Database } from './database.ts'
import type { OutboxRow } from './edit.ts'
import { NO_OUTBOX } from './edits.ts'
import type { Identity, SessionRow, SyncRow } from './rows.ts'
import { asLeader, checkSchema, readAsLeader, readIdentity, type Lease } from './guard.ts'
import { result } from './native.ts'

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
  /** Clears all but the outbox in one transaction and starts a new generation; the log's sequence goes on. */
  wipe(lease: Lease): Promise<Lease>
  /** The same, and engines that see it stop (R28). */
  signOut(lease: Lease, keepOutbox: boolean): Promise<Lease>
}

export function createDevice(database: Database, random: Random): Device {
  const { dexie, native, meta } = database

  const freshIdentity = (epoch: number): Identity => ({
    key: 'identity',
    device: random.uuid(),
    epoch,
    schemaVersion: database.schemaVersion,
    schemaHash: database.schemaHash,
    account: null,
    serverEpoch: null,
  })

  async function readSync(): Promise<SyncRow> {
    return ((await meta.get('sync')) as SyncRow | undefined) ?? NOTHING_YET
  }

  return {
    open: () =>
      dexie.transaction('rw', meta, async () => {
        const known = (await meta.get('identity')) as Identity | undefined
        if (known !== undefined) {
          checkSchema(known, database)
          const sync = await readSync()
          // Whoever opens it has signed in again.
          if (sync.signedOut === true) await meta.put({ ...sync, signedOut: false })
          return known
        }
        const identity = freshIdentity(0)
        await meta.bulkPut([identity, { key: 'log', head: 0, mark: 0, seen: 0, base: 0 }])
        return identity
      }),
    identity: () => readIdentity(database),
    takeEpoch: () =>
      dexie.transaction('rw', meta, async () => {
        const identity = await readIdentity(database)
        checkSchema(identity, database)
        const epoch = identity.epoch + 1
        await meta.put({ ...identity, epoch })
        return { device: identity.device, epoch }
      }),
    session: async () => {
      const row = (await meta.get('session')) as SessionRow | undefined
      if (row === undefined) return null
      const { key: _key, ...session } = row
      return session
    },
    setSession: (lease, session) =>
      asLeader(database, lease, [meta], async () => {
        if (session === null) await meta.delete('session')
        else await meta.put({ key: 'session', ...session })
      }),
    sync: readSync,
    updateSync: (lease, change) =>
      asLeader(database, lease, [meta], async () => {
        const next = { ...(await readSync()), ...change }
        await meta.put(next)
        return next
      }),
    setPaused: (paused) =>
      native.write('strict', ['meta'], async (store) => {
        const sync = (await result<SyncRow | undefined>(store('meta').get('sync'))) ?? NOTHING_YET
        store('meta').put({ ...sync, paused })
      }),
    setServer: (lease, { account, serverEpoch, capabilities }) =>
      asLeader(database, lease, [meta], async (identity) => {
        await meta.put({
          ...identity,
          account: account ?? identity.account,
          serverEpoch: serverEpoch ?? identity.serverEpoch,
        })
        if (capabilities !== undefined) await meta.put({ ...(await readSync()), capabilities })
      }),
    wipe: (lease) => clear(lease, true, false),
    signOut: (lease, keepOutbox) => clear(lease, keepOutbox, true),
  }

  function clear(lease: Lease, keepOutbox: boolean, signedOut: boolean): Promise<Lease> {
    const names = dexie.tables.map(({ name }) => name)
    return native.write('strict', names, async (store) => {
      const { identity: last, log, sync = NOTHING_YET, outbox = NO_OUTBOX } = await readAsLeader(store, database, lease)
      const edits = await result<OutboxRow[]>(store('outbox').getAll())
      const meta = store('meta')
      for (const name of names) store(name).clear()
      // Unsent edits stay with their account (R22).
      const kept = keepOutbox && edits.some((row) => row.kind === 'edit' && row.state !== 'confirmed')
      const identity = { ...freshIdentity(lease.epoch), account: kept ? last.account : null }
      // The sequence goes on, so that what other tabs still hold in memory lies at or below the mark and counts for nothing.
      for (const row of [
        identity,
        { key: 'log', head: log.head, mark: log.head, seen: log.head, base: log.head },
        { ...NOTHING_YET, paused: sync.paused, started: sync.started, signedOut },
        {
          ...outbox,
          version: outbox.version + 1,
          discarded: keepOutbox ? outbox.discarded : edits.map(({ id }) => id),
        },
      ])
        meta.put(row)
      // Revisions of before say nothing about what comes now; the next clean session does.
      if (keepOutbox)
        for (const row of edits)
          store('outbox').put(
            row.kind === 'edit' && row.answer !== null ? { ...row, answer: { ...row.answer, revision: null } } : row,
          )
      return { device: identity.device, epoch: lease.epoch }
    })
  }
}
