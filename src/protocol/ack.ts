/** The acknowledge call (section 4.3): a list of opaque keys in a data envelope. */

export function ackBody(keys: readonly string[]): string {
  return JSON.stringify({ data: { ack_keys: keys } })
}
