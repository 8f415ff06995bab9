import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { compileCommand, type Command, type Running } from './support/command.ts'

let command: Command
let folder: string
const running: Running[] = []

beforeAll(async () => {
  command = await compileCommand()
  folder = await mkdtemp(path.join(tmpdir(), 'tidegate-cli-'))
}, 60_000)

afterEach(async () => {
  for (const { process, stop } of running.splice(0))
    if (process.exitCode === null && process.signalCode === null) await stop('SIGKILL')
})

afterAll(async () => {
  await command.remove()
  await rm(folder, { recursive: true })
})

async function start(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Running> {
  const service = await command.start(['serve', '--port', '0', ...args], env)
  running.push(service)
  return service
}

function call(
  service: Running,
  method: string,
  path: string,
  { token = 'T', body }: { token?: string; body?: unknown } = {},
): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'x-basecrm-device-uuid': 'd1' }
  return fetch(service.url + path, { method, headers, body: body === undefined ? null : JSON.stringify(body) })
}

/** Starts a session and takes all of it; the keys. */
async function takeAll(service: Running): Promise<readonly string[]> {
  const started = await call(service, 'POST', '/v2/sync/start')
  const { id } = ((await started.json()) as { data: { id: string } }).data
  const keys: string[] = []
  for (;;) {
    const page = await call(service, 'GET', `/v2/sync/${id}/queues/main`)
    if (page.status === 204) return keys
    const { items } = (await page.json()) as { items: { meta: { sync: { ack_key: string } } }[] }
    keys.push(...items.map((item) => item.meta.sync.ack_key))
  }
}

const SAMPLE = ['--import', 'test/support/sample.ndjson']

describe('tidegate serve', { timeout: 60_000 }, () => {
  it('FAQ-0 FAQ-1.1 says where it listens in its first line, serves the imported data, and stops with exit code 0', async () => {
    const service = await start([...SAMPLE, '--token', 'T', '--page-size', '7'])
    expect(service.lines[0]).toMatch(/^listening on http:\/\/127\.0\.0\.1:\d+$/)
    const started = await call(service, 'POST', '/v2/sync/start')
    const { data } = (await started.json()) as { data: { queues: { data: object }[] } }
    expect(data.queues[0]?.data).toEqual({ name: 'main', pages: 45, total_count: 310 })
    const keys = await takeAll(service)
    expect((await call(service, 'POST', '/v2/sync/ack', { body: { data: { ack_keys: keys } } })).status).toBe(202)
    expect((await call(service, 'POST', '/v2/sync/start')).status).toBe(204)
    expect(await service.stop('SIGTERM')).toBe(0)
  })

  it('AUTH-1 R37 each token is a user of its own who sees all data; they come from options and environment', async () => {
    const service = await start([...SAMPLE, '--token', 'T', '--token', 'U'], { TIDEGATE_TOKENS: 'V, W' })
    for (const token of ['T', 'U', 'V', 'W']) {
      const answer = await call(service, 'POST', '/v2/sync/start', { token })
      expect([answer.status, answer.headers.get('x-tidegate')]).toEqual([
        201,
        expect.stringContaining('"device":"new"'),
      ])
    }
    expect((await call(service, 'POST', '/v2/sync/start', { token: 'X' })).status).toBe(401)
    expect(await service.stop('SIGINT')).toBe(0)
  })

  it('AUTH-1 without any token it makes one that every official client takes, and prints it', async () => {
    const service = await start(SAMPLE, { TIDEGATE_TOKENS: '' })
    const token = (await service.nextLine()).replace(/^token /, '')
    expect(token).toMatch(/^[0-9a-f]{64}$/)
    expect((await call(service, 'POST', '/v2/sync/start', { token })).status).toBe(201)
  })

  it('RATE-1 CORS-1 FAQ-6.1 takes rate, origins and the delay of acknowledgements', async () => {
    const service = await start([
      ...SAMPLE,
      '--token',
      'T',
      '--rate',
      '20',
      '--origin',
      'https://app.example',
      '--ack-delay',
      '600000',
      '--page-size',
      '1000',
    ])
    const keys = await takeAll(service)
    expect((await call(service, 'POST', '/v2/sync/ack', { body: { data: { ack_keys: keys } } })).status).toBe(202)
    const preflight = await fetch(`${service.url}/v2/sync/start`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example' },
    })
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://app.example')
    const starts = await Promise.all(Array.from({ length: 60 }, () => call(service, 'POST', '/v2/sync/start')))
    const statuses = starts.map((answer) => answer.status)
    expect(new Set(statuses)).toEqual(new Set([201, 429]))
    // Keys that wait keep the process from nothing.
    expect(await service.stop('SIGTERM')).toBe(0)
  })

  it('FAQ-6.0 S5 R37 a key answered with 202 counts although the process is killed before it is worked off', async () => {
    const data = path.join(folder, 'killed')
    const args = ['--store', `pglite:${data}`, '--token', 'T']
    const first = await start([...args, ...SAMPLE, '--ack-delay', '600000'])
    const keys = await takeAll(first)
    expect(
      (await call(first, 'POST', '/v2/sync/ack', { body: { data: { ack_keys: keys.slice(0, 300) } } })).status,
    ).toBe(202)
    expect((await call(first, 'PUT', '/v2/contacts/1', { body: { data: { name: 'after' } } })).status).toBe(200)
    await first.stop('SIGKILL')
    const second = await start(args)
    expect(await takeAll(second)).toHaveLength(11)
    expect(await (await call(second, 'GET', '/v2/contacts/1')).json()).toMatchObject({ data: { name: 'after' } })
    expect(await second.stop('SIGTERM')).toBe(0)
  })

  it('R37 a second service on one folder is told who holds it', async () => {
    const store = ['--store', `pglite:${path.join(folder, 'held')}`]
    const first = await start([...store, '--token', 'T'])
    const second = await command.run(['serve', '--port', '0', ...store])
    expect([second.code, second.out]).toEqual([1, ''])
    expect(second.err).toContain(`is in use by process ${first.process.pid}`)
  })

  it('WRITE-1 takes the profile of the vendor, and the rules of the Sell types', async () => {
    const service = await start(['--token', 'T', '--profile', 'vendor', '--sell'])
    const refused = await call(service, 'POST', '/v2/deals', { body: { data: { name: 'Press', colour: 1 } } })
    const { errors } = (await refused.json()) as { errors: { error: { code: string; field: string } }[] }
    expect([refused.status, ...errors.map(({ error }) => `${error.code} ${error.field}`)]).toEqual([
      422,
      'unknown /colour',
      'missing /contact_id',
    ])
    const made = await call(service, 'POST', '/v2/deals', { body: { data: { name: 'Press', contact_id: 1 } } })
    expect([made.status, made.headers.get('x-tidegate-revision')]).toEqual([200, null])
    expect(await made.json()).toMatchObject({ data: { id: 1, hot: false } })
  })

  it.each([
    [[], /A command is needed/],
    [['serve', '--profile', 'other'], /--profile must be tidegate or vendor/],
    [['start'], /Unknown command: start/],
    [['serve', '--nope'], /--nope/],
    [['serve', '--port', 'x'], /--port must be a whole number from 0 to 65535/],
    [['serve', '--port', '65536'], /--port must/],
    [['serve', '--page-size', '1001'], /--page-size must be a whole number from 1 to 1000/],
    [['serve', '--rate', '-1'], /rate/],
    [['serve', '--store', 'disk'], /--store must be memory or pglite:DIR/],
    [['serve', '--origin', 'app.example/x'], /--origin must be like/],
    [['serve', '--token', 'a b'], /token must be/],
  ])('a mistake on the command line is named, exit code 2: %j', async (args, message) => {
    const { code, out, err } = await command.run(args)
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(message)
    expect(err.trim().split('\n')).toHaveLength(2)
  })

  it('R37 a failure is one sentence, exit code 1: bad import, missing file, port in use', async () => {
    const bad = path.join(folder, 'bad.ndjson')
    await writeFile(bad, '{"type":"a","data":{"id":1}}\n{"type":"a"}\n')
    const holder = await start(['--token', 'T'])
    const port = new URL(holder.url).port
    const failures = [
      await command.run(['serve', '--port', '0', '--import', bad]),
      await command.run(['serve', '--port', '0', '--import', path.join(folder, 'none')]),
      await command.run(['serve', '--port', port]),
    ]
    expect(failures.map(({ code, out }) => [code, out])).toEqual([
      [1, ''],
      [1, ''],
      [1, ''],
    ])
    const [line, none, inUse] = failures.map(({ err }) => err.trim())
    expect(line).toBe('tidegate: Nothing was imported. Line 2: data must be an object')
    expect(none).toMatch(/^tidegate: Nothing was imported\. .*cannot be read: ENOENT[^\n]*$/)
    expect(inUse).toBe(`tidegate: Port ${port} is in use; choose another with --port, or 0 for any.`)
  })

  it('tells how it is used', async () => {
    const { code, out } = await command.run(['--help'])
    expect([code, out]).toEqual([0, expect.stringContaining('Usage: tidegate serve')])
  })
})
