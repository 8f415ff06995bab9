/**
 * Values by type and id. Both come from the server and may hold any character, so they are never joined into one
 * key; a joined key would also have to be made for each look-up.
 */
export interface RecordMap<V> {
  get(type: string, id: string): V | undefined
  set(type: string, id: string, value: V): void
  delete(type: string, id: string): void
  /** What is kept of one type. */
  of(type: string): ReadonlyMap<string, V>
  values(): V[]
  clear(): void
}

const NOTHING = new Map<string, never>()

export function createRecordMap<V>(): RecordMap<V> {
  const types = new Map<string, Map<string, V>>()
  let size = 0
  return {
    get: (type, id) => (size === 0 ? undefined : types.get(type)?.get(id)),
    set(type, id, value) {
      let kept = types.get(type)
      if (kept === undefined) types.set(type, (kept = new Map()))
      size -= kept.size
      kept.set(id, value)
      size += kept.size
    },
    delete(type, id) {
      if (types.get(type)?.delete(id) === true) size--
    },
    of: (type) => types.get(type) ?? NOTHING,
    values: () => [...types.values()].flatMap((kept) => [...kept.values()]),
    clear() {
      types.clear()
      size = 0
    },
  }
}
