/** Light or dark: as the system says, until the visitor chooses. */
export type Theme = 'light' | 'dark'

const KEY = 'world:theme'
const system = matchMedia('(prefers-color-scheme: dark)')

export interface ThemeControl {
  readonly get: () => Theme
  readonly toggle: () => void
  readonly subscribe: (listener: (theme: Theme) => void) => void
}

export function createTheme(): ThemeControl {
  const stored = localStorage.getItem(KEY)
  let chosen: Theme | null = stored === 'light' || stored === 'dark' ? stored : null
  const listeners = new Set<(theme: Theme) => void>()
  const get = (): Theme => chosen ?? (system.matches ? 'dark' : 'light')
  const apply = (): void => {
    if (chosen !== null) document.documentElement.dataset['theme'] = chosen
    for (const listener of listeners) listener(get())
  }
  system.addEventListener('change', apply)
  apply()
  return {
    get,
    toggle: () => {
      chosen = get() === 'dark' ? 'light' : 'dark'
      localStorage.setItem(KEY, chosen)
      apply()
    },
    subscribe: (listener) => void listeners.add(listener),
  }
}
