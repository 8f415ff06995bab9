/** The three things a visitor can do to the engine: cut its network, wipe it, and change the server's data. */
import { byId, setText } from '../dom.ts'
import type { OfflineSwitch } from '../offline.ts'

export interface ControlsOptions {
  readonly offline: OfflineSwitch
  /** Looks for news at once; its failure is shown by the status. */
  readonly now: () => Promise<void>
  readonly restart: () => Promise<void>
  /** Changes places at the server; resolves to how many. */
  readonly changePlaces: () => Promise<number>
}

export function createControls({ offline, now, restart, changePlaces }: ControlsOptions): void {
  const cut = byId('offline', HTMLButtonElement)
  const change = byId('change', HTMLButtonElement)
  const wipe = byId('restart', HTMLButtonElement)
  const dialog = byId('restart-dialog', HTMLDialogElement)
  const notice = byId('notice', HTMLElement)
  let hiding: ReturnType<typeof setTimeout> | undefined

  const say = (words: string): void => {
    setText(notice, words)
    notice.classList.add('shown')
    clearTimeout(hiding)
    hiding = setTimeout(() => notice.classList.remove('shown'), 4500)
  }
  const show = (): void => {
    cut.setAttribute('aria-checked', String(offline.get()))
    change.disabled = offline.get()
  }
  const look = (): void => void now().catch(() => undefined)

  cut.addEventListener('click', () => {
    offline.set(!offline.get())
    look()
  })
  offline.subscribe(show)
  show()

  change.addEventListener('click', () => {
    change.disabled = true
    changePlaces()
      .then((many) => {
        say(`${many} places changed at the server`)
        look()
      })
      .catch(() => say('The server cannot be reached'))
      .finally(show)
  })

  wipe.addEventListener('click', () => dialog.showModal())
  dialog.addEventListener('close', () => {
    if (dialog.returnValue !== 'wipe') return
    dialog.returnValue = ''
    wipe.disabled = true
    restart()
      .then(() => say('Wiped. The world comes again, to a new device'))
      .catch((error: unknown) => say(error instanceof Error ? error.message : 'That did not work'))
      .finally(() => {
        wipe.disabled = false
      })
  })
}
