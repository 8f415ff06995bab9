/** The error envelope (section 9). A client goes by the status; the body only adds detail (ERR-2). */
import * as z from 'zod/mini'

export const problemSchema = z.object({
  errors: z.array(
    z.object({
      error: z.object({
        code: z.string(),
        message: z.string(),
        details: z.optional(z.string()),
        resource: z.optional(z.string()),
        /** JSON Pointer to the field at fault. */
        field: z.optional(z.string()),
      }),
    }),
  ),
})

/** Code of the first error in a body, or null if the body is no error envelope. */
export function problemCode(body: unknown): string | null {
  const parsed = problemSchema.safeParse(body)
  return parsed.success ? (parsed.data.errors[0]?.error.code ?? null) : null
}
