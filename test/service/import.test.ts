import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { importFile, ImportError, parseRecords } from '../../src/service/import.ts'
import { createMemoryStore } from '../../src/service/memory.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tidegate-import-'))
})

afterAll(() => rm(folder, { recursive: true }))

async function file(name: string, content: string | Uint8Array): Promise<string> {
  const target = path.join(folder, name)
  await writeFile(target, content)
  return target
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const SAMPLE = 'test/support/sample.ndjson'

describe('import', () => {
  it('R37 reads one record a line, blank lines and the last line without an end included', () => {
    const text =
      '{"type":"contact","data":{"id":1}}\n\n{"type":"deal","data":{"id":"x"},"scopes":["east"]}\r\n{"type":"note","data":{"id":2}}'
    expect(parseRecords(bytes(text))).toEqual([
      { type: 'contact', data: { id: 1 } },
      { type: 'deal', data: { id: 'x' }, scopes: ['east'] },
      { type: 'note', data: { id: 2 } },
    ])
    expect(parseRecords(bytes(''))).toEqual([])
    expect(parseRecords(bytes('\ufeff{"type":"a","data":{"id":1}}\n'))).toHaveLength(1)
  })

  it.each([
    ['{', /^Line 3: .*JSON/],
    ['[]', /^Line 3: not an object/],
    ['null', /^Line 3: not an object/],
    ['{"data":{"id":1}}', /^Line 3: type must/],
    ['{"type":"Contact","data":{"id":1}}', /^Line 3: type must/],
    ['{"type":"contact"}', /^Line 3: data must/],
    ['{"type":"contact","data":[]}', /^Line 3: data must/],
    ['{"type":"contact","data":{}}', /^Line 3: data.id must/],
    ['{"type":"contact","data":{"id":1.5}}', /^Line 3: data.id must/],
    ['{"type":"contact","data":{"id":null}}', /^Line 3: data.id must/],
    ['{"type":"contact","data":{"id":1,"n":9007199254740993}}', /^Line 3: a whole number beyond/],
    ['{"type":"contact","data":{"id":1},"scopes":"east"}', /^Line 3: scopes must/],
  ])('R37 names a bad line by number and reason: %s', (line, message) => {
    const text = `{"type":"contact","data":{"id":1}}\n{"type":"contact","data":{"id":2}}\n${line}\n{"type":"contact","data":{"id":3}}\n`
    expect(() => parseRecords(bytes(text))).toThrow(message)
  })

  it('R37 names a line that is not UTF-8', () => {
    const text = [
      ...bytes('{"type":"contact","data":{"id":1}}\n{"type":"contact","data":{"id":2,"n":"'),
      0xff,
      ...bytes('"}}\n'),
    ]
    expect(() => parseRecords(Uint8Array.from(text))).toThrow(/^Line 2: /)
  })

  it('R37 stops before anything is stored', async () => {
    const store = createMemoryStore()
    const bad = await file('bad.ndjson', '{"type":"contact","data":{"id":1}}\nnonsense\n')
    await expect(importFile(store, 'a', bad)).rejects.toMatchObject({ name: 'ImportError', line: 2 })
    expect((await store.list('a', ['everyone'], 'contact', { page: 1, perPage: 10 })).count).toBe(0)
  })

  it('R37 the sample, imported plain and then gzipped, changes nothing the second time', async () => {
    const store = createMemoryStore()
    const steps: number[] = []
    const { readFile } = await import('node:fs/promises')
    const first = await importFile(store, 'a', SAMPLE, (done, total) => void steps.push(done / total))
    expect(first.records).toBeGreaterThanOrEqual(300)
    expect(first.changed).toBe(first.records)
    expect(steps.at(-1)).toBe(1)
    const zipped = await file('sample.ndjson.gz', gzipSync(await readFile(SAMPLE)))
    expect(await importFile(store, 'a', zipped)).toEqual({ records: first.records, changed: 0 })
  })

  it('R37 says in a sentence that a file is missing or is no proper gzip', async () => {
    const store = createMemoryStore()
    await expect(importFile(store, 'a', path.join(folder, 'none'))).rejects.toThrow(/cannot be read: ENOENT/)
    const broken = await file('broken.gz', Uint8Array.from([0x1f, 0x8b, 1, 2, 3]))
    await expect(importFile(store, 'a', broken)).rejects.toBeInstanceOf(ImportError)
  })
})
