/** Two looks of one map: lights at night, and ink on paper. */
import type { Ink } from './light.ts'
import type { Theme } from '../theme.ts'

export interface Palette {
  readonly sea: string
  readonly rim: string
  readonly graticule: string
  readonly spark: string
  readonly ring: string
  readonly label: string
  readonly halo: string
  readonly ink: Ink
  /** How far the light of large cities reaches beyond them; 0 for none. */
  readonly glow: number
}

type Stop = readonly [at: number, red: number, green: number, blue: number, alpha: number]

const STEPS = 2048
/** The tone curve's contrast: how soon light saturates. */
const BRIGHTEST = 4

function ink(stops: readonly Stop[], exposure: number): Ink {
  const colours = Uint32Array.from({ length: STEPS }, (_, index) => {
    const tone = 1 - Math.exp((-exposure * index * BRIGHTEST) / STEPS)
    const upper = Math.max(1, stops.findIndex(([at]) => at >= tone))
    const [from, to] = [stops[upper - 1], stops[upper]]
    if (from === undefined || to === undefined) return 0
    const share = Math.min(1, (tone - from[0]) / (to[0] - from[0]))
    const mix = (channel: 1 | 2 | 3 | 4): number => Math.round(from[channel] + (to[channel] - from[channel]) * share)
    return ((mix(4) << 24) | (mix(3) << 16) | (mix(2) << 8) | mix(1)) >>> 0
  })
  return { colours, step: STEPS / BRIGHTEST }
}

export const palettes: Readonly<Record<Theme, Palette>> = {
  dark: {
    sea: '#0c131d',
    rim: 'rgb(148 178 206 / 0.20)',
    graticule: 'rgb(148 178 206 / 0.075)',
    spark: '#6ff0dc',
    ring: '#6ff0dc',
    label: '#dfe7ee',
    halo: 'rgb(6 10 16 / 0.85)',
    glow: 0.035,
    ink: ink(
      [
        [0, 120, 78, 40, 0],
        [0.1, 138, 92, 52, 120],
        [0.3, 206, 138, 68, 205],
        [0.6, 250, 192, 110, 245],
        [0.85, 255, 232, 190, 255],
        [1, 255, 253, 246, 255],
      ],
      1.9,
    ),
  },
  light: {
    sea: '#fcfaf4',
    rim: 'rgb(60 52 38 / 0.28)',
    graticule: 'rgb(60 52 38 / 0.085)',
    spark: '#d1432a',
    ring: '#c23a22',
    label: '#2a2620',
    halo: 'rgb(252 250 244 / 0.9)',
    glow: 0,
    ink: ink(
      [
        [0, 58, 84, 112, 0],
        [0.12, 58, 84, 112, 90],
        [0.4, 38, 60, 88, 185],
        [0.75, 22, 38, 62, 240],
        [1, 10, 20, 38, 255],
      ],
      1.5,
    ),
  },
}
