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

const STEPS = 4096
/** Intensity that is drawn as brightest. */
const BRIGHTEST = 9

/** @param exposure how much the tone curve, a logarithm as in the eye, lifts faint light */
function ink(stops: readonly Stop[], exposure: number): Ink {
  const colours = Uint32Array.from({ length: STEPS }, (_, index) => {
    const tone = Math.log1p((exposure * index * BRIGHTEST) / STEPS) / Math.log1p(exposure * BRIGHTEST)
    const upper = Math.max(
      1,
      stops.findIndex(([at]) => at >= tone),
    )
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
        [0, 120, 74, 38, 0],
        [0.1, 132, 84, 46, 90],
        [0.3, 190, 121, 56, 190],
        [0.52, 236, 164, 80, 235],
        [0.74, 255, 212, 146, 255],
        [0.9, 255, 238, 206, 255],
        [1, 255, 253, 247, 255],
      ],
      7,
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
        [0, 66, 92, 120, 0],
        [0.1, 66, 92, 120, 62],
        [0.35, 48, 74, 104, 150],
        [0.65, 30, 50, 78, 225],
        [1, 10, 20, 38, 255],
      ],
      7,
    ),
  },
}
