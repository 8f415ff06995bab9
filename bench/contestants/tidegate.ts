/** Tidegate as an app uses it: the built package with its packaged worker, on the page, through `createSync`. */
import type { Row } from '../data.ts'
import type { SettlingContestant, WritingContestant } from '../page/contestant.ts'
import { collection, createSync, defineSchema, type Sync } from '../../src/index.ts'

/** Far beyond any measured sync, so that only what is measured starts a session. */
const POLL_MS = 3_600_000
const WAIT_MS = 600_000

export function create(): SettlingContestant & WritingContestant {
  let sync: Sync<{ rows: ReturnType<typeof collection<Row>> }>
  let scanned: { field: string; from: number }
  let sorted: string
  let grouped: string
  let stamped: string
  let first = true
  const rows = () => sync.rows

  /** Resolves once `status` fulfils the test. */
  function when(test: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!test()) return
        stop()
        resolve()
      }
      const stop = sync.status.subscribe(look)
      look()
    })
  }

  return {
    async open({ shape }) {
      scanned = shape.scan
      sorted = shape.sort
      grouped = shape.group
      stamped = shape.stamp
      const schema = defineSchema({
        version: 1,
        collections: { [shape.type]: collection<Row>({ indexes: [shape.group, shape.sort] }) },
      })
      const opened = createSync({
        schema,
        name: 'bench',
        account: null,
        endpoint: '/',
        token: () => 'bench',
        poll: POLL_MS,
      })
      // The collection is named by its wire type, which is only known here.
      sync = { ...opened, rows: opened[shape.type] } as unknown as typeof sync
      await sync.ready
    },
    /** `now` resolves when a session that began after the call is stored and acknowledged; so the first one proves itself. */
    async sync() {
      const started = first
      first = false
      const proven = sync.now({ timeout: WAIT_MS })
      if (started) await Promise.race([proven, when(() => sync.status.getSnapshot().lastSyncedAt !== null)])
      else await proven
    },
    settling() {
      const waiting = sync.status.getSnapshot().inbox.pages
      return when(() => sync.status.getSnapshot().inbox.pages < Math.max(1, waiting))
    },
    settled: () =>
      when(() => {
        const { phase, inbox } = sync.status.getSnapshot()
        return phase === 'idle' && inbox.pages === 0
      }),
    count: () => rows().count(),
    get: (id) => rows().get(id),
    byGroup: (group, limit) =>
      rows()
        .where({ [grouped]: group as string })
        .limit(limit)
        .all(),
    bySort: (limit) => rows().orderBy(sorted).limit(limit).all(),
    scan: () =>
      rows()
        .where({ [scanned.field]: { gte: scanned.from } })
        .all(),
    async live(group, limit, seen) {
      const query = rows().where({ [grouped]: group as string })
      const live = (limit === null ? query : query.limit(limit)).live()
      await new Promise<void>((resolve) => {
        live.subscribe(() => {
          const { state, rows } = live.getSnapshot()
          if (state !== 'ready') return
          seen(rows)
          resolve()
        })
      })
    },
    async write(id, stamp) {
      await rows().update(id, { [stamped]: stamp } as Partial<Row>)
    },
    close: () => sync.close(),
  }
}
