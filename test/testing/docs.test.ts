/** docs/testing.md shows the examples that are run here, word for word, and names all that the entry has. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as kit from '../../src/testing/index.ts'

const page = readFileSync('docs/testing.md', 'utf8')

describe('docs/testing.md', () => {
  it.each(['offline', 'bad-day'])('holds the example %s as it is run', (name) => {
    const code = readFileSync(`test/testing/examples/${name}.test.ts`, 'utf8')
      .replace("'../../../src/index.ts'", "'tidegate'")
      .replace("'../../../src/testing/index.ts'", "'tidegate/testing'")
    expect(page).toContain('```ts\n' + code + '```')
  })

  it('names every export and every fault', () => {
    expect(Object.keys(kit).filter((name) => !page.includes(`${name}(`) && !page.includes(`\`${name}`))).toEqual([])
    expect(Object.keys(kit.fault).filter((name) => !page.includes(`${name}(`))).toEqual([])
  })
})
