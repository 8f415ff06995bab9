/** Numbers and tables as text. Nothing measured is a dash. */
export const NONE = '–'

export function ms(value: number | null): string {
  if (value === null) return NONE
  return value < 10 ? value.toFixed(1) : value.toFixed(0)
}

export function ratio(value: number | null): string {
  return value === null ? NONE : value.toFixed(2)
}

export function percent(value: number | null): string {
  return value === null ? NONE : `±${Math.round(value * 100)}%`
}

export function megabytes(bytes: number | null): string {
  return bytes === null ? NONE : (bytes / 1e6).toFixed(1)
}

export function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
