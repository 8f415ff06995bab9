/** The error envelope (section 9). A client goes by the status; the body only adds detail (ERR-2). */
import * as z from 'zod/mini'
import { optional } from './optional.ts'

export const problemSchema = z.object({
  errors: z.array(
    z.object({
      error: z.object({
        code: z.string(),
        message: z.string(),
        details: optional(z.string()),
        resource: optional(z.string()),
        /** JSON Pointer to the field at fault. */
        field: optional(z.string()),
      }),
    }),
  ),
})

/** What a refusal says of itself. */
export interface Problem {
  readonly code: string
  readonly message: string
  /** Faults of single fields, by JSON Pointer. */
  readonly fields: ReadonlyArray<{ readonly pointer: string; readonly code: string; readonly message: string }>
}

/** The errors in a body as one problem, or null if the body is no error envelope. */
export function readProblem(body: unknown): Problem | null {
  const parsed = problemSchema.safeParse(body)
  const errors = parsed.success ? parsed.data.errors.map(({ error }) => error) : []
  const [first] = errors
  if (first === undefined) return null
  const fields = errors.flatMap(({ field: pointer, code, message }) =>
    pointer === undefined ? [] : [{ pointer, code, message }],
  )
  return { code: first.code, message: first.message, fields }
}

/** Code of the first error in a body, or null if the body is no error envelope. */
export function problemCode(body: unknown): string | null {
  return readProblem(body)?.code ?? null
}
