/** Numbers, times and places as people read them. */
const whole = new Intl.NumberFormat()
export const count = (value: number): string => whole.format(Math.round(value))

const percentage = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 0 })
/** Rounded down: 100 % is said only when it is reached. */
export const percent = (fraction: number): string => percentage.format(Math.floor(fraction * 100) / 100)

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })
export const time = (at: number): string => clock.format(at)

export function duration(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000))
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}

export function bytes(value: number): string {
  return value < 1e6
    ? `${Math.round(value / 1e3)} kB`
    : value < 1e9
      ? `${Math.round(value / 1e6)} MB`
      : `${(value / 1e9).toFixed(1)} GB`
}

export function coordinates(lon: number, lat: number): string {
  return `${degrees(lat)}${lat < 0 ? 'S' : 'N'}  ${degrees(lon)}${lon < 0 ? 'W' : 'E'}`
}

function degrees(value: number): string {
  const minutes = Math.round(Math.abs(value) * 60)
  return `${Math.floor(minutes / 60)}°${String(minutes % 60).padStart(2, '0')}′`
}

const FEATURES: Readonly<Record<string, string>> = {
  PPLC: 'Capital',
  PPLCH: 'Former capital',
  PPLA: 'Regional capital',
  PPLA2: 'District seat',
  PPLA3: 'Municipal seat',
  PPLA4: 'Local seat',
  PPLA5: 'Local seat',
  PPLX: 'Quarter of a city',
  PPLL: 'Locality',
  PPLF: 'Farm village',
  PPLG: 'Seat of government',
  PPLS: 'Places',
  PPLQ: 'Abandoned place',
  PPLW: 'Destroyed place',
  PPLH: 'Historical place',
  PPLR: 'Religious place',
  STLMT: 'Settlement',
}
export const feature = (code: string): string => FEATURES[code] ?? 'Town or village'
