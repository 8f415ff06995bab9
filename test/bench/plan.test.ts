/** What the command line of the benchmark asks for. */
import { describe, expect, it } from 'vitest'
import { readPlan, type Block, type Plan } from '../../bench/plan.ts'

function plan(...args: string[]): Plan {
  const read = readPlan(args)
  if (read === 'help') throw new Error('help was not asked for')
  return read
}

const kinds = ({ blocks }: Plan): string[] =>
  blocks.map(({ kind, size, page, latency }) => `${kind} ${size}/${page}/${latency}`)
const names = (block: Block | undefined): string[] => block?.entries.map(({ name }) => name) ?? []

describe('the plan of the benchmark', () => {
  it('measures every size in full, and other pages and latencies by the first sync', () => {
    expect(kinds(plan())).toEqual([
      'full 10000/100/0',
      'full 50000/100/0',
      'full 100000/100/0',
      'sync 50000/1000/0',
      'sync 10000/100/50',
      'unsettled 100000/100/0',
      'load 100000/100/0',
      'writes 100000/100/0',
    ])
  })

  it('leaves out who would take all day, unless named', () => {
    const [small, large] = plan('--sizes', '10000,50000').blocks
    expect(names(small)).toContain('pouchdb')
    expect(names(large)).not.toContain('pouchdb')
    expect(names(plan('--sizes', '50000', '--contestants', 'pouchdb').blocks[0])).toEqual(['pouchdb'])
  })

  it('compares four GETs at a time where latency makes them count, and nowhere else', () => {
    const withFour = plan().blocks.filter((block) => names(block).includes('tidegate-4'))
    expect(withFour.map(({ latency }) => latency)).toEqual([50])
  })

  it('overwrites no report when it is only quick', () => {
    expect([plan().out, plan('--quick').out, plan('--quick', '--out', 'x.md').out]).toEqual([
      'docs/benchmarks.md',
      null,
      'x.md',
    ])
  })

  it('takes the real places, all of them or the first ones', () => {
    expect(plan('--places').blocks.map(({ data, size }) => [data, size])[0]).toEqual(['city', 135_233])
    expect(plan('--places', '--sizes', '2000').blocks[0]?.size).toBe(2_000)
  })

  it('says what is wrong with an option', () => {
    expect(() => plan('--reps', 'many')).toThrow(/--reps takes whole numbers/)
    expect(() => plan('--contestants', 'nosuch')).toThrow(/floor-a, /)
    expect(() => plan('--unknown')).toThrow(/--unknown/)
  })
})
