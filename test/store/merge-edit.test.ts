/** What an edit makes of a record, and where both sides changed the same (R19). */
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { collection, compileSchema, defineSchema, own, type ConflictPolicy, type Row } from '../../src/schema.ts'
import { fieldsOf, mergeEdit, patched, rebase } from '../../src/store/merge-edit.ts'
import { isSame } from '../../src/store/same.ts'
import { makeEdit } from './edit-support.ts'

function specWith(conflict?: 'client-wins' | 'server-wins' | ConflictPolicy) {
  const schema = defineSchema({
    version: 1,
    collections: { thing: collection<Row>({ conflict, merge: { map: 'deep' } }) },
  })
  return compileSchema(schema).get('thing') as NonNullable<ReturnType<ReturnType<typeof compileSchema>['get']>>
}
const clientWins = specWith()
const serverWins = specWith('server-wins')

const FIELDS = ['a', 'b', 'c', '__proto__', 'constructor']
const valueArb = fc.constantFrom<unknown>(0, 1, 2, null, 'x', [1], { k: 1 })
const rowArb = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...FIELDS), valueArb), { selector: ([field]) => field })
  .map((entries): Row => Object.fromEntries(entries))

describe('an update', () => {
  it('is in conflict in exactly the fields whose base differs from truth and whose truth differs from ours (R19)', () => {
    fc.assert(
      fc.property(rowArb, rowArb, rowArb, fc.boolean(), (value, base, truth, server) => {
        const edit = makeEdit({ value, base })
        const { row, value: send, fields } = mergeEdit(edit, truth, server ? serverWins : clientWins)
        const fighting = Object.keys(value).filter(
          (field) => !isSame(own(base, field), own(truth, field)) && !isSame(own(truth, field), own(value, field)),
        )
        expect(fields.map(({ field }) => field).sort()).toEqual(fighting.sort())
        const expected: Array<[string, unknown]> = Object.entries(truth)
        for (const [field, ours] of Object.entries(value))
          if (!server || !fighting.includes(field)) expected.push([field, ours])
        expect(isSame(row, Object.fromEntries(expected))).toBe(true)
        // What is sent is what makes truth the row that is shown, and nothing that truth says already.
        expect(isSame(Object.fromEntries([...Object.entries(truth), ...Object.entries(send ?? {})]), row)).toBe(true)
        for (const [field, sent] of Object.entries(send ?? {})) expect(isSame(sent, own(truth, field))).toBe(false)
        for (const one of fields) expect(one.kept).toBe(server ? 'theirs' : 'ours')
      }),
    )
  })

  it('keeps what its policy function says, and tells whose that was (R19)', () => {
    const policy: ConflictPolicy = ({ collection: of, key, field, base, ours, theirs }) => {
      expect([of, key, base]).toEqual(['thing', '1', 0])
      return field === 'a' ? ours : field === 'b' ? theirs : Number(ours) + Number(theirs)
    }
    const edit = makeEdit({ value: { a: 1, b: 1, c: 1, d: 1 }, base: { a: 0, b: 0, c: 0, d: 0 } })
    const merged = mergeEdit(edit, { id: 1, a: 5, b: 5, c: 5, d: 0 }, specWith(policy))
    expect(merged.row).toEqual({ id: 1, a: 1, b: 5, c: 6, d: 1 })
    expect(merged.value).toEqual({ a: 1, c: 6, d: 1 })
    expect(merged.fields.map(({ field, kept }) => [field, kept])).toEqual([
      ['a', 'ours'],
      ['b', 'theirs'],
      ['c', 'other'],
    ])
  })

  it('wins where its policy throws, or answers what no JSON can say (R19, F54)', async () => {
    const rejected = vi.fn()
    process.on('unhandledRejection', rejected)
    const policies: ConflictPolicy[] = [
      () => {
        throw new Error('oops')
      },
      () => undefined,
      () => () => 1,
      () => Promise.resolve(7),
      () => Promise.reject(new Error('oops')),
      () => 1n,
    ]
    for (const policy of policies) {
      const merged = mergeEdit(makeEdit({ value: { a: 1 }, base: { a: 0 } }), { a: 5 }, specWith(policy))
      expect(merged.row).toEqual({ a: 1 })
      expect(() => structuredClone(merged)).not.toThrow()
    }
    await new Promise((resolve) => setTimeout(resolve))
    expect(rejected).not.toHaveBeenCalled()
    process.off('unhandledRejection', rejected)
  })

  it('leaves a field out that is not there at the winning side', () => {
    const edit = makeEdit({ value: { a: 1 }, base: { a: 0 } })
    for (const spec of [serverWins, specWith(({ theirs }) => theirs)]) {
      const merged = mergeEdit(edit, { id: 1 }, spec)
      expect(Object.keys(merged.row ?? {})).toEqual(['id'])
      expect(merged.value).toBeNull()
      expect(merged.fields).toEqual([{ field: 'a', base: 0, ours: 1, theirs: undefined, kept: 'theirs' }])
    }
  })

  it('of a map is merged and compared member by member, and claims only its own members (R19)', () => {
    const edit = makeEdit({ value: { map: { x: 1, y: 1 } }, base: { map: { x: 0, y: 0, z: 0 } } })
    const truth = { map: { x: 0, y: 7, z: 9 } }
    const ours = mergeEdit(edit, truth, clientWins)
    expect(ours.row).toEqual({ map: { x: 1, y: 1, z: 9 } })
    expect(ours.value).toEqual({ map: { x: 1, y: 1 } })
    expect(ours.fields).toEqual([{ field: 'map.y', base: 0, ours: 1, theirs: 7, kept: 'ours' }])
    const theirs = mergeEdit(edit, truth, serverWins)
    expect(theirs.row).toEqual({ map: { x: 1, y: 7, z: 9 } })
    expect(mergeEdit(edit, { map: null }, clientWins).row).toEqual({ map: { x: 1, y: 1 } })
  })

  it('of a map whose members include `__proto__` keeps them as data (R37)', () => {
    const map = JSON.parse('{"__proto__": 1}') as Row
    const merged = mergeEdit(makeEdit({ value: { map } }), { map: { z: 0 } }, clientWins)
    expect(JSON.stringify(merged.row)).toBe('{"map":{"z":0,"__proto__":1}}')
    expect(JSON.stringify(merged.value)).toBe('{"map":{"__proto__":1}}')
    expect(Object.getPrototypeOf(merged.row?.['map'])).toBe(Object.prototype)
  })

  it('of a record that was deleted there is kept, or is reported with all it said where the server wins (R19)', () => {
    const edit = makeEdit({ value: { a: 1 }, base: { a: 0 } })
    expect(mergeEdit(edit, null, clientWins)).toEqual({ row: null, value: { a: 1 }, fields: [], deleted: 'there' })
    expect(mergeEdit(edit, null, serverWins)).toEqual({
      row: null,
      value: null,
      fields: [{ field: 'a', base: 0, ours: 1, theirs: undefined, kept: 'theirs' }],
      deleted: 'there',
    })
  })

  it('that was confirmed shows what the server answered, whatever older truth says (R16)', () => {
    const answer = { row: { a: 3 }, revision: 5, run: 1 }
    const edit = makeEdit({ value: { a: 1 }, base: { a: 0 }, state: 'confirmed', answer })
    expect(mergeEdit(edit, { a: 9 }, clientWins)).toMatchObject({ row: { a: 3 }, fields: [] })
    const silent = makeEdit({ ...edit, answer: { ...answer, row: null } })
    expect(mergeEdit(silent, { a: 0, b: 1 }, clientWins).row).toEqual({ a: 1, b: 1 })
  })
})

describe('a deletion', () => {
  const edit = makeEdit({ op: 'delete', base: { id: 1, a: 0 } })

  it('against a change there is a conflict that lists what changed (R19)', () => {
    const truth = { id: 1, a: 5, b: 1 }
    const fields = [
      { field: 'a', base: 0, ours: undefined, theirs: 5, kept: 'ours' },
      { field: 'b', base: undefined, ours: undefined, theirs: 1, kept: 'ours' },
    ]
    expect(mergeEdit(edit, truth, clientWins)).toEqual({ row: null, value: {}, fields, deleted: 'here' })
    expect(mergeEdit(edit, truth, serverWins)).toMatchObject({ row: truth, value: null, deleted: 'here' })
  })

  it('hides the record, asks for nothing if it is gone there, and shows it again once refused', () => {
    const truth = { id: 1, a: 0 }
    expect(mergeEdit(edit, truth, clientWins)).toEqual({ row: null, value: {}, fields: [], deleted: null })
    expect(mergeEdit(edit, null, clientWins)).toMatchObject({ row: null, value: null })
    expect(mergeEdit(makeEdit({ ...edit, state: 'refused' }), truth, clientWins).row).toEqual(truth)
    const answer = { row: null, revision: 3, run: 1 }
    expect(mergeEdit(makeEdit({ ...edit, state: 'confirmed', answer }), truth, clientWins).row).toBeNull()
  })
})

describe('an insert', () => {
  it('shows its values under the key the app knows it by, until the server has its own', () => {
    const edit = makeEdit({ op: 'insert', key: '-5', jsonKey: -5, value: { a: 1 } })
    expect(mergeEdit(edit, null, clientWins)).toEqual({
      row: { a: 1, id: -5 },
      value: { a: 1 },
      fields: [],
      deleted: null,
    })
    expect(mergeEdit(edit, { id: -5, a: 2 }, clientWins).row).toEqual({ id: -5, a: 2 })
  })
})

describe('an edit made upon another', () => {
  it('shows its own value over whatever the first one became, without a conflict (R19)', () => {
    fc.assert(
      fc.property(rowArb, rowArb, rowArb, rowArb, fc.boolean(), (truth, first, second, answered, known) => {
        const one = makeEdit({ n: 1, value: first, base: fieldsOf(truth, first) })
        const shown = mergeEdit(one, truth, clientWins).row as Row
        const two = makeEdit({ n: 2, value: second, base: fieldsOf(shown, second) })
        // The server took the first and made something of its fields; or the user took it back.
        const after = known ? patched(truth, fieldsOf(answered, first), clientWins) : truth
        const dropped = Object.keys(first).filter((field) => known && !Object.hasOwn(after, field))
        const moved = rebase(two, first, known ? after : one.base, clientWins)
        const merged = mergeEdit(moved, after, clientWins)
        expect(merged.fields).toEqual([])
        expect(dropped.every((field) => !Object.hasOwn(moved.base, field))).toBe(true)
        expect(isSame(merged.row, patched(after, second, clientWins))).toBe(true)
      }),
    )
  })

  it('is moved member by member in maps that merge (R19)', () => {
    const two = makeEdit({ value: { map: { x: 2 } }, base: { map: { x: 1, y: 0 } } })
    const moved = rebase(two, { map: { x: 1 } }, { map: { x: 0, y: 0 } }, clientWins)
    expect(moved.base).toEqual({ map: { x: 0, y: 0 } })
    expect(mergeEdit(moved, { map: { x: 0, y: 5 } }, clientWins)).toMatchObject({
      row: { map: { x: 2, y: 5 } },
      fields: [],
    })
    expect(rebase(two, { map: { x: 1 } }, {}, clientWins).base).toEqual({ map: { y: 0 } })
  })

  it('leaves nothing of a map that the edit before it had made (R19)', () => {
    const gone = makeEdit({ op: 'delete', value: {}, base: { a: 1, map: { x: 1 } } })
    expect(rebase(gone, { map: { x: 1 } }, {}, serverWins).base).toEqual({ a: 1 })
  })

  it('keeps a base that somebody else changed, so that the conflict is seen (R19)', () => {
    const two = makeEdit({ value: { b: 2 }, base: { b: 0 } })
    const moved = rebase(two, { a: 1 }, { a: 1, b: 9 }, clientWins)
    expect(mergeEdit(moved, { a: 1, b: 9 }, clientWins).fields).toMatchObject([{ field: 'b', theirs: 9 }])
  })
})

describe('values over values', () => {
  it('replace whole fields, and members of maps that merge; `__proto__` stays data (R37)', () => {
    const patch = JSON.parse('{"__proto__": {"polluted": 1}, "map": {"y": 2}, "list": {"y": 2}}') as Row
    const after = patched({ map: { x: 1 }, list: { x: 1 } }, patch, clientWins)
    expect(JSON.stringify(after)).toBe('{"map":{"x":1,"y":2},"list":{"y":2},"__proto__":{"polluted":1}}')
    expect((after as { polluted?: unknown }).polluted).toBeUndefined()
    expect(fieldsOf({}, { constructor: 1, toString: 2 })).toEqual({})
  })
})
