/** The page's entry, `tidegate`. Re-exports only. */
export { createSync } from './client/client.ts'
export type {
  CollectionApi,
  ColumnFeed,
  ColumnsChange,
  ColumnsSnapshot,
  EditHandle,
  Fields,
  KeyOf,
  LiveChanges,
  LiveQuery,
  LiveSnapshot,
  Outbox,
  QueryBuilder,
  Store,
  Sync,
  SyncControl,
  SyncOptions,
  Transaction,
  TransactionCollection,
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
  type ConflictPolicy,
  type CreateVia,
  type Reference,
  type RowOf,
  type Schema,
  type StandardSchema,
} from './schema.ts'
export type {
  Capabilities,
  Ceiling,
  Conflict,
  EditInfo,
  EditOp,
  EditProblem,
  EditState,
  FieldConflict,
  IfUnsent,
  OutboxSnapshot,
  QuarantinedItem,
  RowState,
  SessionRecord,
  Status,
  StorageMode,
  Timeouts,
  TokenReason,
} from './worker/api.ts'
