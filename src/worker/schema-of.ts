/** Which schema a worker opens with: the page's own, or that of its own file, which has to be the same (R29, R30). */
import { SyncError } from '../errors.ts'
import { schemaHash, type Schema } from '../schema.ts'
import type { OpenRequest } from './api.ts'

/** @throws SyncError if the page's schema is not for this worker. */
export type SchemaOf = (request: Pick<OpenRequest, 'schema' | 'ownWorker'>) => Schema

/** Of the packaged worker: the page has checked what it sends. */
export const packagedSchema: SchemaOf = ({ schema, ownWorker }) => {
  if (ownWorker)
    throw new SyncError(
      'schema_needs_worker',
      'This worker is the packaged one: leave `worker` out of createSync, or write a file with startWorker({schema}).',
    )
  return schema as Schema
}

/** Of the app's own worker. */
export function ownSchema(own: Schema): SchemaOf {
  return ({ schema }) => {
    if (own.version !== schema.version || schemaHash(own) !== schemaHash(schema))
      throw new SyncError(
        'version_skew',
        `The worker has another schema (version ${own.version}) than the page (version ${schema.version}); import one module in both and reload.`,
      )
    return own
  }
}
