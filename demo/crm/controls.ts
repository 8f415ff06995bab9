/** What a visitor can do to this device: cut its network, wipe it, sign out and in again. */
import { byId, h, setText } from '../dom.ts'
import type { OfflineSwitch } from '../offline.ts'
import type { Notice } from './notice.ts'
import type { CrmSync } from './sync.ts'
import { editWords } from './words.ts'

const LISTED = 5

interface ControlsDeps {
  readonly sync: CrmSync
  readonly offline: OfflineSwitch
  readonly notice: Notice
}

export function createControls({ sync, offline, notice }: ControlsDeps): void {
  const cut = byId('offline', HTMLButtonElement)
  const wipe = byId('restart', HTMLButtonElement)
  const signOut = byId('sign-out', HTMLButtonElement)
  const signIn = byId('sign-in', HTMLButtonElement)
  const look = (): void => void sync.now().catch(() => undefined)

  const show = (): void => cut.setAttribute('aria-checked', String(offline.get()))
  cut.addEventListener('click', () => {
    offline.set(!offline.get())
    look()
  })
  offline.subscribe(show)
  show()

  const restartDialog = byId('restart-dialog', HTMLDialogElement)
  wipe.addEventListener('click', () => {
    const { pending, failed } = sync.outbox.getSnapshot()
    const many = pending + failed
    setText(
      byId('restart-unsent', HTMLElement),
      many === 0 ? '' : `What is not at the server yet stays: ${many} ${many === 1 ? 'edit' : 'edits'}.`,
    )
    restartDialog.showModal()
  })
  answer(restartDialog, (value) => {
    if (value !== 'wipe') return
    wipe.disabled = true
    notice.report(
      sync.restart().finally(() => {
        wipe.disabled = false
      }),
      'Wiped. Everything comes again, to a new device',
    )
  })

  // Followed all the time, so that what is unsent is known the moment somebody wants to leave.
  sync.outbox.subscribe(() => undefined)
  const outDialog = byId('sign-out-dialog', HTMLDialogElement)
  const [keep, discard] = [byId('sign-out-keep', HTMLButtonElement), byId('sign-out-discard', HTMLButtonElement)]
  signOut.addEventListener('click', () => {
    const { edits } = sync.outbox.getSnapshot()
    const many = edits.length
    setText(
      byId('sign-out-words', HTMLElement),
      many === 0
        ? "The CRM's data is removed from this device. Nothing is unsent."
        : `The CRM's data is removed from this device. ${many === 1 ? 'One edit is' : `${many} edits are`} not at the server:`,
    )
    const items = edits.slice(0, LISTED).map((edit) => h('li', {}, editWords(edit), ' ', nameIn(edit.value)))
    if (many > LISTED) items.push(h('li', {}, `and ${many - LISTED} more`))
    byId('sign-out-list', HTMLElement).replaceChildren(...items)
    discard.hidden = many === 0
    setText(keep, many === 0 ? 'Sign out' : 'Keep them for the next login')
    outDialog.showModal()
  })
  answer(outDialog, (value) => {
    if (value !== 'keep' && value !== 'discard') return
    sync.logout({ ifUnsent: value }).catch((error: unknown) => {
      notice.say(error instanceof Error ? error.message : 'That did not work')
    })
  })

  const goneDialog = byId('signed-out-dialog', HTMLDialogElement)
  goneDialog.addEventListener('cancel', (event) => event.preventDefault())
  answer(goneDialog, (value) => value === 'in' && location.reload())
  signIn.addEventListener('click', () => notice.report(sync.resume()))
  const follow = (): void => {
    const status = sync.status.getSnapshot()
    const out = status.phase === 'closed' || (status.phase === 'stopped' && status.error.code === 'signed_out')
    signIn.hidden = status.phase !== 'needs-auth'
    signOut.disabled = out
    // Nothing of what was removed stays to be read.
    document.body.classList.toggle('out', out)
    if (out && !goneDialog.open) goneDialog.showModal()
  }
  sync.status.subscribe(follow)
  follow()
}

function nameIn(value: Readonly<Record<string, unknown>>): string {
  const name = value['name'] ?? value['last_name'] ?? value['content']
  return typeof name === 'string' ? `\u201c${name}\u201d` : ''
}

/** What a dialog was closed with, once each time. */
function answer(dialog: HTMLDialogElement, take: (value: string) => void): void {
  dialog.addEventListener('close', () => {
    const value = dialog.returnValue
    dialog.returnValue = ''
    take(value)
  })
}
