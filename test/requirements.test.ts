/**
 * Numbers cited by tests must exist in docs/requirements.md, and each protocol requirement must be cited on every
 * side that has an obligation (R42). Engine side: everything that is not a test of the service.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ID =
  /\bpromises? \d+(?:(?:, | and )\d+)*\b|\b(?:FAQ-\d(?:\.\d)?|(?:AUTH|DEV|START|FETCH|ITEM|ACK|ERR|RATE|CORS|COMPAT|TAB|WRITE)-\d+|[RILFS]\d{1,2})\b(?![-\w])/g
const ENFORCED = /^(FAQ|AUTH|DEV|START|FETCH|ITEM|ACK|ERR|RATE|CORS|COMPAT)-/

const requirements = readTable(readFileSync('docs/requirements.md', 'utf8'))
const cited = citations(['test', 'e2e', 'src', 'docs', 'demo', 'bench'])

describe('the list of requirements (R42)', () => {
  it('names each requirement once', () => {
    const ids = requirements.map(({ id }) => id)
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([])
    expect(ids.length).toBeGreaterThan(200)
  })

  it('holds every number that code or a test cites', () => {
    const known = new Set(requirements.map(({ id }) => id))
    expect(cited.filter(({ id }) => !known.has(id)).map(({ id, file }) => `${id} in ${file}`)).toEqual([])
  })

  for (const side of ['client', 'server'] as const) {
    it(`is tested on the ${side}'s side wherever the protocol obliges it`, () => {
      const here = new Set(cited.filter(({ file }) => sideOf(file) === side).map(({ id }) => id))
      const obliged = requirements.filter(({ id, ...sides }) => ENFORCED.test(id) && sides[side])
      expect(obliged.length).toBeGreaterThan(40)
      expect(obliged.map(({ id }) => id).filter((id) => !here.has(id))).toEqual([])
    })
  }
})

interface Requirement {
  readonly id: string
  readonly client: boolean
  readonly server: boolean
}

/** Rows of all tables whose first cell is an id. */
function readTable(markdown: string): Requirement[] {
  return markdown
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (id|---) /.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([, id = '', , client, server]) => ({ id, client: client === 'yes', server: server === 'yes' }))
}

function citations(folders: string[]): { id: string; file: string }[] {
  return folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)))
    .filter(
      (file) =>
        !file.includes('node_modules') && /\.(ts|mjs|md)$/.test(file) && !/requirements\.(test\.ts|md)$/.test(file),
    )
    .flatMap((file) => {
      const ids = readFileSync(file, 'utf8').match(ID) ?? []
      return ids.flatMap(spread).map((id) => ({ id, file: file.replaceAll('\\', '/') }))
    })
}

/** "promises 1, 2 and 5" is three citations. */
function spread(text: string): string[] {
  return text.startsWith('promise') ? (text.match(/\d+/g) ?? []).map((number) => `promise ${number}`) : [text]
}

/** The conformance suite is code of the package; it runs in the service's tests. */
function sideOf(file: string): 'client' | 'server' | 'none' {
  if (file.startsWith('test/service/') || file.startsWith('src/service/conformance')) return 'server'
  return /^(test|e2e)\/(?!support\/)/.test(file) ? 'client' : 'none'
}
