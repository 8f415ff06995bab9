/** The status strip: what the engine says about itself, in words and numbers, as plainly as it can be put. */
import type { Status, Store } from '../../src/index.ts'
import { byId, setText } from '../dom.ts'
import { bytes, count } from '../format.ts'
import type { OfflineSwitch } from '../offline.ts'
import { statusWords } from './words.ts'

const PATIENCE_MS = 800

const short = (id: string | null): string => (id === null ? '–' : id.slice(0, 8))

export function createStrip(status: Store<Status>, offline: OfflineSwitch): void {
  const strip = byId('strip', HTMLElement)
  const text = (id: string): HTMLElement => byId(id, HTMLElement)
  const phase = text('phase')
  const detail = text('phase-detail')
  const announcer = text('phase-announcer')
  const bar = text('bar')
  const device = byId('device', HTMLButtonElement)
  const facts = {
    session: text('session'),
    role: text('role'),
    inbox: text('inbox'),
    settled: text('settled'),
    acks: text('acks'),
    storage: text('storage'),
    trouble: text('trouble'),
  }
  const trouble = text('trouble-cell')
  let frame = 0
  let patience: ReturnType<typeof setTimeout> | undefined
  let patient = true
  let copied: ReturnType<typeof setTimeout> | undefined

  const draw = (): void => {
    frame = 0
    const now = status.getSnapshot()
    // The look for news every few seconds gets a word only if it takes long.
    if (now.phase !== 'connecting') {
      clearTimeout(patience)
      patience = undefined
      patient = true
    } else if (patient && now.lastSyncedAt !== null && !offline.get()) {
      patience ??= setTimeout(() => {
        patient = false
        wake()
      }, PATIENCE_MS)
      return
    }
    const words = statusWords(now, offline.get(), Date.now())
    strip.dataset['mood'] = words.mood
    if (phase.textContent !== words.phase) setText(announcer, words.phase)
    setText(phase, words.phase)
    setText(detail, words.detail)
    detail.title = words.detail
    const draining = now.phase === 'draining' ? now.progress.fraction : null
    bar.hidden = draining === null
    bar.style.setProperty('--done', String(draining ?? 0))
    bar.setAttribute('aria-valuenow', String(Math.floor((draining ?? 0) * 100)))
    if (copied === undefined) setText(device, short(now.deviceId))
    device.disabled = now.deviceId === null
    setText(facts.session, now.sessionId === null ? '–' : now.sessionId.slice(-8))
    facts.session.title = now.sessionId ?? ''
    setText(facts.role, now.role === 'leader' ? 'this tab syncs' : 'another tab syncs')
    setText(
      facts.inbox,
      now.inbox.records === 0 ? 'empty' : `${count(now.inbox.records)} in ${count(now.inbox.pages)} pages`,
    )
    setText(facts.settled, count(now.records.settled))
    setText(facts.acks, count(now.pendingAcks))
    const { usage, low } = now.storage
    setText(facts.storage, usage === null ? '–' : `${bytes(usage)}${low ? ', nearly full' : ''}`)
    facts.storage.title = `${now.storage.mode}${now.storage.quota === null ? '' : `, up to ${bytes(now.storage.quota)}`}`
    const { stuck, unreadable, quarantined } = now
    trouble.hidden = stuck + unreadable + quarantined === 0
    setText(facts.trouble, `${count(quarantined)} set aside, ${count(stuck)} stuck, ${count(unreadable)} unreadable`)
  }
  const wake = (): void => {
    if (frame === 0) frame = requestAnimationFrame(draw)
  }

  device.addEventListener('click', () => {
    const id = status.getSnapshot().deviceId
    if (id === null) return
    navigator.clipboard.writeText(id).then(
      () => setText(device, 'copied'),
      () => setText(device, id),
    )
    clearTimeout(copied)
    copied = setTimeout(() => {
      copied = undefined
      wake()
    }, 1500)
  })
  const more = byId('more', HTMLButtonElement)
  more.addEventListener('click', () => {
    const open = strip.classList.toggle('open')
    more.setAttribute('aria-expanded', String(open))
  })

  status.subscribe(wake)
  offline.subscribe(wake)
  // Count-downs go on while nothing else happens.
  setInterval(() => {
    if (status.getSnapshot().phase === 'waiting' && !document.hidden) wake()
  }, 1000)
  draw()
}
