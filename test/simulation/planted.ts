/**
 * Bugs that the simulation must find, as changes of product code that exist only while they are looked for: a text in
 * a source file and what stands there instead (reliability plan 5.C, "test the tests"). `npm run planted` switches
 * them on one by one; a text that is not found exactly once is an error, so the list follows the code.
 */
export interface PlantedBug {
  readonly name: string
  /** What it breaks. */
  readonly breaks: string
  readonly file: string
  readonly find: string
  readonly replace: string
  /** A schedule that finds it. */
  readonly seed: number
}

/** @public to `test/support/planted.mjs` */
export const PLANTED: readonly PlantedBug[] = [
  {
    name: 'an edit goes at the answer 2xx instead of becoming confirmed',
    breaks: 'R16',
    file: 'src/store/push-log.ts',
    find: 'if (revision !== null && rev >= revision)',
    replace: 'if (rev >= 0)',
    seed: 3,
  },
  {
    name: 'a confirmed edit is not shown any more, while truth is still what was before it',
    breaks: 'R16, I15',
    file: 'src/store/merge-edit.ts',
    find: "(answer.row !== null || op === 'delete')) return plain(answer.row)",
    replace: "(answer.row !== null || op === 'delete')) return plain(truth)",
    seed: 8,
  },
  {
    name: 'an update joins an edit that has left',
    breaks: 'R15, I14',
    file: 'src/store/outbox.ts',
    find: "if (first.state !== 'queued' || first.group",
    replace: "if (first.state === 'refused' || first.group",
    seed: 17,
  },
  {
    name: 'a request is made anew when it is sent again',
    breaks: 'R15',
    file: 'src/store/push-log.ts',
    find: 'if (edit.request !== null) {',
    replace: "if (edit.request !== null && edit.op === 'insert') {",
    seed: 15,
  },
  {
    name: 'a retry has a new Idempotency-Key',
    breaks: 'R17, I12',
    file: 'src/store/push-log.ts',
    find: 'outgoing.push({ id: edit.id, request: edit.request, again: true })',
    replace: `const request = { ...edit.request, idempotencyKey: edit.request.idempotencyKey && random.uuid() }
              draft.put({ ...edit, request, state: 'sending', epoch: lease.epoch, attempt: edit.attempt + 1 })
              outgoing.push({ id: edit.id, request, again: true })`,
    seed: 8,
  },
  {
    name: 'a create whose answer was lost is sent again blindly, though the server cannot tell',
    breaks: 'R17, I12',
    file: 'src/store/push-log.ts',
    find: 'return request.idempotencyKey !== null && keyMemoryMs !== null && clock.now() - (firstSentAt ?? 0) < keyMemoryMs',
    replace: 'return firstSentAt !== 0 && keyMemoryMs !== 0',
    seed: 15,
  },
  {
    name: 'a refused attempt of an edit that may have arrived counts as never sent',
    breaks: 'R15, I12',
    file: 'src/store/push-log.ts',
    find: 'edit.attempt > 1\n',
    replace: 'edit.attempt > 99\n',
    seed: 114,
  },
  {
    name: 'the state `sending` is in memory only',
    breaks: 'R15, I12',
    file: 'src/store/outbox-log.ts',
    find: "for (const row of change.puts) store('outbox').put(row)",
    replace:
      "for (const row of change.puts) if (row.kind !== 'edit' || row.state !== 'sending') store('outbox').put(row)",
    seed: 3,
  },
  {
    name: 'the outbox is written with relaxed durability',
    breaks: 'I11, R15',
    file: 'src/store/outbox-log.ts',
    find: "native.write('strict'",
    replace: "native.write('relaxed'",
    seed: 3,
  },
  {
    name: 'a write resolves before its transaction is complete',
    breaks: 'I11',
    file: 'src/store/native.ts',
    find: '        await end\n',
    replace: '',
    seed: 3,
  },
  {
    name: 'aliases are forgotten at a reload',
    breaks: 'R18',
    file: 'src/store/edits.ts',
    find: "if (row.kind === 'alias') aliasOf.set(row.type, row.from, row)",
    replace: "if (row.kind === 'alias') whole || aliasOf.set(row.type, row.from, row)",
    seed: 8,
  },
  {
    name: 'references keep the temporary key when the server has named the record',
    breaks: 'R18, I13',
    file: 'src/store/outbox-log.ts',
    find: 'const value = renamed(mine.value, spec, { type, key }, jsonKey)',
    replace: 'const value = mine.value',
    seed: 11,
  },
  {
    name: 'an edit does not wait for the record it names',
    breaks: 'I13',
    file: 'src/store/edit-order.ts',
    find: '(inserts.get(type, key)?.n ?? Infinity) < edit.n',
    replace: 'inserts.get(type, key) === edit',
    seed: 15,
  },
  {
    name: 'edits of one record leave side by side',
    breaks: 'I13',
    file: 'src/store/edit-order.ts',
    find: 'waiting.get(type, key) === true ||',
    replace: '',
    seed: 25,
  },
  {
    name: 'a refused edit is dropped',
    breaks: 'I14',
    file: 'src/store/push-log.ts',
    find: "return draft.put({ ...edit, state: 'refused', attempt: 0, request: null, problem: outcome.problem })",
    replace: 'return draft.remove(edit, false)',
    seed: 3,
  },
  {
    name: 'a conflict is not reported',
    breaks: 'R19',
    file: 'src/store/push-log.ts',
    find: 'if (report) draft.put(conflictRow(edit, merged, draft))',
    replace: '',
    seed: 17,
  },
  {
    name: "the server's value is overwritten though the server wins",
    breaks: 'R19',
    file: 'src/store/merge-edit.ts',
    find: "conflict === 'server-wins' ? theirs : ours",
    replace: 'ours',
    seed: 17,
  },
  {
    name: 'starting anew drops the outbox',
    breaks: 'R23, I14',
    file: 'src/store/device.ts',
    find: 'wipe: (lease) => clear(lease, true, false)',
    replace: 'wipe: (lease) => clear(lease, false, false)',
    seed: 15,
  },
  {
    name: 'server truth hides an edit that waits',
    breaks: 'I15',
    file: 'src/store/view.ts',
    find: 'row: edited ? edited.row : entry?.row',
    replace: 'row: entry?.row',
    seed: 17,
  },
]

/**
 * The source with the bug in it.
 * @public to `test/support/planted.mjs`
 * @throws Error where its text is not there, or there twice
 */
export function plant({ name, file, find, replace }: PlantedBug, source: string): string {
  const parts = source.split(find)
  if (parts.length !== 2) throw new Error(`Planted bug "${name}": its text is ${parts.length - 1} times in ${file}.`)
  return parts.join(replace)
}
