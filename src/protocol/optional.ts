/** A field that a stranger may leave out or fill with nonsense: then it counts as absent. */
import * as z from 'zod/mini'

export const optional = <T extends z.ZodMiniType>(type: T) => z.catch(z.optional(type), undefined)

export const optionalNumber = optional(z.number())
