/** As much of PouchDB as is used here; it brings no types. */
declare module 'pouchdb-browser' {
  export interface Doc {
    readonly _id: string
    readonly _rev?: string
    readonly [field: string]: unknown
  }
  export interface Find {
    readonly selector: object
    readonly sort?: readonly string[]
    readonly limit?: number
  }
  class PouchDB {
    static plugin(plugin: object): typeof PouchDB
    constructor(name: string, options?: object)
    info(): Promise<{ readonly doc_count: number }>
    allDocs(options: {
      readonly keys: readonly string[]
    }): Promise<{ readonly rows: ReadonlyArray<{ readonly key: string; readonly value?: { readonly rev: string } }> }>
    bulkDocs(docs: readonly Doc[]): Promise<ReadonlyArray<{ readonly error?: unknown }>>
    get(id: string): Promise<Doc>
    createIndex(index: { readonly index: { readonly fields: readonly string[] } }): Promise<unknown>
    find(query: Find): Promise<{ readonly docs: readonly Doc[] }>
    changes(options: { readonly since: 'now'; readonly live: true }): {
      on(event: 'change', listener: () => void): void
    }
    close(): Promise<void>
  }
  export default PouchDB
}
declare module 'pouchdb-find' {
  const plugin: object
  export default plugin
}
