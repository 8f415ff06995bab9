/**
 * The only place that touches the console. Levels: `error` (a developer must look), `info`
 * (a session began or ended), `debug`. Entries carry codes and counts only, never a token, a device
 * UUID, an ack key or record contents (promise 8).
 */
export type LogLevel = 'error' | 'info' | 'debug'
export type LogFields = Readonly<Record<string, string | number | boolean | null>>
export type Log = (level: LogLevel, event: string, fields?: LogFields) => void

export const silentLog: Log = () => {}

const LEVELS: readonly LogLevel[] = ['error', 'info', 'debug']

/** A log that writes to the console from `level` upwards. */
export function consoleLog(level: LogLevel): Log {
  return (entry, event, fields) => {
    if (LEVELS.indexOf(entry) <= LEVELS.indexOf(level)) console[entry](`[tidegate] ${event}`, fields ?? {})
  }
}
