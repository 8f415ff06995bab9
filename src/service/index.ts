/** Entry `tidegate/service`: the sync service for any JavaScript server, and in a page. Re-exports only. */
export { createExchange, type Exchange } from './exchange.ts'
export type { ExchangeAnswer, ExchangeRequest } from './answer.ts'
export { createSyncHandler, type SyncHandler } from './handler.ts'
export { conformance, type ConformanceStoreOptions, type TestRegistrar } from './conformance.ts'
export { importFile, ImportError, type ImportResult } from './import.ts'
export { createMemoryStore, type MemoryStoreOptions } from './memory.ts'
export type { Access, Scope, ServiceLog, ServiceOptions } from './options.ts'
export { createPgliteStore, type PgliteStoreOptions } from './pglite.ts'
export {
  defaultTerms,
  EVERYONE,
  StoreClosedError,
  type DeviceRef,
  type HandedItem,
  type ImportRecord,
  type JsonObject,
  type ListPage,
  type OpenedSession,
  type PageLimits,
  type StoredObject,
  type SyncStore,
  type TakenPage,
  type Terms,
  type WorkOff,
  type WriteOp,
  type Writer,
  type WriteResult,
} from './store.ts'
