/** Entry `tidegate/service`: the sync service for any JavaScript server, and in a page. Re-exports only. */
export { createExchange, type Exchange } from './exchange.ts'
export type { ExchangeAnswer, ExchangeRequest } from './answer.ts'
export { createSyncHandler, type SyncHandler } from './handler.ts'
export { createMemoryStore, type MemoryStoreOptions } from './memory.ts'
export type { Access, Scope, ServiceLog, ServiceOptions } from './options.ts'
export * from './store.ts'
