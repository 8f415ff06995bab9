/** What storage can fail with, as typed errors: each is said here once, whoever meets it first. */
import { SyncError } from '../errors.ts'

export function schemaConflict(version: number): SyncError {
  return new SyncError(
    'schema_conflict',
    `The stored data has another schema of version ${version}; raise the version with every change.`,
  )
}

export function schemaOutdated(cause?: unknown): SyncError {
  return new SyncError(
    'schema_outdated',
    'The stored data was written by a newer build of this app; reload the page.',
    { cause },
  )
}

export function storageClosed(cause?: unknown): SyncError {
  return new SyncError('storage_closed', 'The database was closed or deleted; reload the page.', {
    cause,
  })
}

export function storageUnavailable(cause?: unknown): SyncError {
  return new SyncError(
    'storage_unavailable',
    'The browser gives this page no IndexedDB; allow site data, or leave the private window.',
    { cause },
  )
}

/** Any failure of storage. A quota failure hides inside an abort (Dexie wraps it). */
export function storageError(error: unknown): SyncError {
  const names = new Set<string>()
  let message = ''
  for (let at: unknown = error; typeof at === 'object' && at !== null; at = (at as { inner?: unknown }).inner) {
    if (at instanceof SyncError) return at
    const { name, message: said, inner } = at as { name?: string; message?: string; inner?: unknown }
    names.add(String(name))
    message ||= said ?? ''
    if (inner === at) break
  }
  const has = (...some: string[]): boolean => some.some((name) => names.has(name))
  if (has('QuotaExceededError'))
    return new SyncError('storage_full', 'The browser gives this site no more room; free some.', {
      cause: error,
    })
  if (has('DatabaseClosedError', 'InvalidStateError', 'NotFoundError')) return storageClosed(error)
  if (has('VersionError')) return schemaOutdated(error)
  if (has('MissingAPIError', 'SecurityError')) return storageUnavailable(error)
  return new SyncError(
    'storage_failed',
    `The browser's database failed (${[...names].join(', ') || 'unknown'}): ${message}`,
    { cause: error },
  )
}
