/** The page's entry, `tidegate`. Re-exports only. */
export { createSync } from './client/client.ts'
export type {
  CollectionApi,
  ColumnFeed,
  ColumnsChange,
  ColumnsSnapshot,
  LiveChanges,
  LiveQuery,
  LiveSnapshot,
  QueryBuilder,
  RowState,
  Store,
  Sync,
  SyncControl,
  SyncOptions,
  WaitOptions,
} from './client/api.ts'
export { SyncError, type ErrorCode, type PlainError } from './errors.ts'
export { consoleLog, type Log, type LogFields, type LogLevel } from './log.ts'
export type { Condition, Direction, Scalar, Where } from './query.ts'
export {
  collection,
  defineSchema,
  type Collection,
  type CollectionOptions,
  type Collections,
  type RowOf,
  type Schema,
  type StandardSchema,
} from './schema.ts'
export type {
  Capabilities,
  Ceiling,
  QuarantinedItem,
  SessionRecord,
  Status,
  StorageMode,
  Timeouts,
  TokenReason,
} from './worker/api.ts'
