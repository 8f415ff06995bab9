/**
 * One origin for all: the sync service, the pages' tokens, changes to look at, and the built pages. A page
 * gets its token by a same-origin answer, never in a URL (R40); a foreign page or a rebound host name gets none.
 * World and CRM are two accounts of one service, so neither downloads what is the other's.
 */
import { randomBytes } from 'node:crypto'
import { serveStatic } from '@hono/node-server/serve-static'
import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { ACCOUNT, changePlaces, USER } from './places.mjs'

/** The CRM's account, and who works in it. */
export const CRM_ACCOUNT = 'crm'
const CRM_USER = '1'

const POLICY = [
  "default-src 'self'",
  "worker-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

/**
 * @param {object} given
 * @param {typeof import('../../src/service/index.ts')} given.service
 * @param {import('../../src/service/store.ts').SyncStore} given.store
 * @param {ReadonlyArray<{ id: number }>} given.places
 * @param {import('./options.mjs').Options} given.options
 * @param {string | null} given.site folder of the built page; null while another server serves it
 */
export function createApp({ service, store, places, options, site }) {
  const [token, crmToken] = [newToken(), newToken()]
  const accounts = new Map([
    [token, { account: ACCOUNT, user: USER }],
    [crmToken, { account: CRM_ACCOUNT, user: CRM_USER }],
  ])
  const sell = service.sellTypes({ firstStage: 1, currency: 'EUR' })
  const handler = service.createSyncHandler({
    store,
    authorize: async (given) => {
      const whose = accounts.get(given)
      return whose === undefined ? null : { ...whose, scopes: ['sync', 'read', 'write'] }
    },
    pageSize: options.pageSize,
    ackDelayMs: options.ackDelayMs,
    validate: async (change) => [...((await sell.validate(change)) ?? []), ...ownRules(change)],
    prepare: sell.prepare,
  })

  const app = new Hono()
  app.all('/v2/*', (c) => handler(c.req.raw))

  app.get('/demo/bootstrap.json', ownPageOnly, (c) => c.json({ token }, 200, { 'Cache-Control': 'no-store' }))
  app.get('/demo/crm.json', ownPageOnly, (c) => c.json({ token: crmToken }, 200, { 'Cache-Control': 'no-store' }))
  app.post('/demo/change', ownPageOnly, async (c) => {
    if (c.req.header('Authorization') !== `Bearer ${token}`)
      return c.json({ error: 'The token is missing or wrong.' }, 401)
    const { many = 100, ids = [] } = await c.req.json().catch(() => ({}))
    if (
      !Number.isSafeInteger(many) ||
      many < 0 ||
      many > 10_000 ||
      !Array.isArray(ids) ||
      !ids.every(Number.isSafeInteger)
    )
      return c.json({ error: 'Give {many: 0 to 10,000, ids: [numbers]}.' }, 400)
    return c.json({ changed: await changePlaces(store, places, many, ids) })
  })

  if (site !== null) {
    app.use(async (c, next) => {
      await next()
      c.header('Content-Security-Policy', POLICY)
      c.header('X-Content-Type-Options', 'nosniff')
      c.header('Referrer-Policy', 'no-referrer')
      // Names of assets change with their content; everything else may change at any time.
      c.header(
        'Cache-Control',
        c.req.path.startsWith('/assets/') && c.res.ok ? 'public, max-age=31536000, immutable' : 'no-cache',
      )
    })
    app.get('/crm', (c) => c.redirect(`/crm/${new URL(c.req.url).search}`))
    app.get('*', serveStatic({ root: site }))
  }
  return app
}

/**
 * What this company adds to the rules of the Sell types: something for the outbox to show.
 * @param {import('../../src/service/review.ts').WriteChange} change
 */
function ownRules({ type, data }) {
  if (type !== 'deal' || !(Number(data.value ?? 0) < 0)) return []
  return [{ code: 'incorrect_value', message: 'value cannot be below zero.', field: '/value' }]
}

const newToken = () => randomBytes(24).toString('base64url')

/** Loopback by its own names, asked by its own page. */
const ownPageOnly = createMiddleware(async (c, next) => {
  const host = c.req.header('Host') ?? ''
  const from = c.req.header('Sec-Fetch-Site') ?? 'none'
  const fine = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host) && (from === 'same-origin' || from === 'none')
  if (!fine) return c.json({ error: 'Only for the demo page itself.' }, 403)
  await next()
})
