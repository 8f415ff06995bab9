/**
 * What tabs tell each other. A message is a hint to look, never data (R25): whatever arrives is checked for
 * its shape, and a lost message only costs time.
 */
import * as z from 'zod/mini'

export const hintSchema = z.object({
  /**
   * `log`: one of the logs moved. `sync`: facts changed. `wake`: somebody wants a session. `edited`: there are edits to
   * send. `control`: paused, resumed or wiped. `left`: signed out.
   */
  kind: z.enum(['log', 'sync', 'wake', 'edited', 'control', 'left']),
})

export type Hint = z.infer<typeof hintSchema>

export interface Channel {
  post(hint: Hint): void
  onHint(listener: (hint: Hint) => void): void
  close(): void
}
