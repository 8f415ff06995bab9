/** Entry `tidegate/service`: the sync service for any JavaScript server, and in a page. Re-exports only. */
export { createExchange, type Exchange } from './exchange.ts'
export type { ExchangeAnswer, ExchangeRequest } from './answer.ts'
export { createSyncHandler, type SyncHandler } from './handler.ts'
export { conformance, type ConformanceStoreOptions, type TestRegistrar } from './conformance.ts'
export { importFile, ImportError, type ImportResult } from './import.ts'
export { createMemoryStore, type MemoryStoreOptions } from './memory.ts'
export type { Access, Scope, ServiceLog, ServiceOptions } from './options.ts'
export { createPgliteStore, type PgliteStoreOptions } from './pglite.ts'
export type { Prepare, Validate, WriteChange } from './review.ts'
export { sellTypes, type SellOptions } from './sell.ts'
export {
  defaultTerms,
  EVERYONE,
  StoreClosedError,
  type DeviceRef,
  type Draft,
  type FieldError,
  type HandedItem,
  type ImportRecord,
  type JsonObject,
  type ListPage,
  type Match,
  type OpenedSession,
  type PageLimits,
  type Review,
  type Reviewed,
  type StoredObject,
  type SyncStore,
  type TakenPage,
  type Terms,
  type WorkOff,
  type WriteOp,
  type Writer,
  type WriteResult,
} from './store.ts'
