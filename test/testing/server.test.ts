/** The server of the kit: the real service with records, rules, profile and time as the test wants them (R37). */
import { http, HttpResponse } from 'msw'
import { setupServer } from 'msw/node'
import { describe, expect, it } from 'vitest'
import { createVirtualClock } from '../../src/testing/clock.ts'
import { contacts, createServer, request, sessionPath, start } from './support.ts'

describe('a test server', () => {
  it('has the records it was given, shows them as plain copies, and takes changes of somebody else', async () => {
    const server = await createServer({ records: { contact: contacts(2), deal: [{ id: 'd', value: 1 }] } })
    expect(await server.records('contact')).toEqual(contacts(2))
    expect(await server.record('deal', 'd')).toEqual({ id: 'd', value: 1 })
    const made = await server.create('contact', { name: 'Ann' })
    expect(await server.update('contact', Number(made['id']), { name: 'Ann B.' })).toEqual({ ...made, name: 'Ann B.' })
    await server.delete('contact', 1)
    const [first] = await server.records<{ name: string }>('contact')
    first!.name = 'changed in the test only'
    expect(await server.records('contact')).toEqual([contacts(2)[1], { ...made, name: 'Ann B.' }])
    expect(await server.record('contact', 1)).toBeNull()
    await expect(server.update('contact', 1, {})).rejects.toThrow('cannot update this contact: missing')
  })

  it('runs the app’s own rules for writes, and any profile and page size', async () => {
    const server = await createServer({
      profile: 'vendor',
      pageSize: 2,
      validate: ({ data }) => (data['name'] === '' ? [{ code: 'blank', field: '/name', message: 'No name.' }] : []),
      prepare: ({ data, user }) => ({ ...data, by: user }),
    })
    const write = (name: string): Promise<Response> =>
      request(server, '/v2/contacts', { method: 'POST', body: JSON.stringify({ data: { name } }) })
    expect((await write('')).status).toBe(422)
    expect((await write('Ann')).status).toBe(200)
    expect(await server.records('contact')).toMatchObject([...contacts(3), { name: 'Ann', by: 'tester' }])
    const began = await start(server)
    expect(began.headers.get('X-Tidegate')).toBeNull()
    const page = (await (await request(server, await sessionPath(server))).json()) as { items: unknown[] }
    expect(page.items).toHaveLength(2)
  })

  it('refuses other tokens than its own, or those that the test says', async () => {
    const server = await createServer()
    const bearer = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } })
    expect((await request(server, '/v2/contacts', bearer('other'))).status).toBe(401)
    const own = await createServer({
      account: 'acme',
      authorize: (token) => (token === 'ann' ? { account: 'acme', user: 'ann', scopes: ['read'] } : null),
    })
    expect((await request(own, '/v2/contacts')).status).toBe(401)
    expect(await (await request(own, '/v2/contacts', bearer('ann'))).json()).toMatchObject({ items: [{}, {}, {}] })
    expect((await request(own, '/v2/contacts/1', { ...bearer('ann'), method: 'DELETE' })).status).toBe(403)
  })

  it('forgets sessions by its clock, and works off acknowledgements late if told to (F8, F17)', async () => {
    const clock = createVirtualClock()
    const server = await createServer({ clock, ackDelayMs: 60_000 })
    const page = await sessionPath(server)
    const { items } = (await (await request(server, page)).json()) as {
      items: Array<{ meta: { sync: { ack_key: string } } }>
    }
    await clock.advance(24 * 3_600_000)
    expect((await request(server, page)).status).toBe(404)
    const keys = items.map(({ meta }) => meta.sync.ack_key)
    await request(server, '/v2/sync/ack', { method: 'POST', body: JSON.stringify({ data: { ack_keys: keys } }) })
    expect((await start(server)).status).toBe(201)
    await clock.advance(60_000)
    expect((await start(server)).status).toBe(204)
  })

  it('makes up the same ids for the same seed', async () => {
    const sessions = await Promise.all([1, 1, 2].map(async (seed) => sessionPath(await createServer({ seed }))))
    expect(sessions[1]).toBe(sessions[0])
    expect(sessions[2]).not.toBe(sessions[0])
  })

  it('stands behind request interceptors as it is', async () => {
    const server = await createServer()
    const interceptor = setupServer(
      http.all(`${server.endpoint}/*`, async ({ request: asked }) => {
        try {
          return await server.fetch(asked)
        } catch {
          return HttpResponse.error()
        }
      }),
    )
    interceptor.listen({ onUnhandledRequest: 'error' })
    try {
      const headers = { Authorization: `Bearer ${server.token}`, Accept: 'application/json' }
      const answer = await fetch(`${server.endpoint}/v2/contacts/2`, { headers })
      expect(await answer.json()).toMatchObject({ data: { id: 2 } })
      server.network.offline()
      await expect(fetch(`${server.endpoint}/v2/contacts/2`, { headers })).rejects.toThrow(TypeError)
    } finally {
      interceptor.close()
    }
  })
})
