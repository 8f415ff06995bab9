/// <reference types="vite/client" />
/**
 * CRM: contacts, deals and tasks, all of them in this browser and to be edited without a network. The second page's
 * composition root: the engine of this device, the shell, and the four views.
 */
import { consoleLog, createSync } from '../src/index.ts'
import { createBoard } from './crm/board.ts'
import { createContacts } from './crm/contacts.ts'
import { createControls } from './crm/controls.ts'
import type { Deps, ViewPart } from './crm/deps.ts'
import { addressOf, device, deviceName, otherDevice } from './crm/device.ts'
import { createMirror } from './crm/mirror.ts'
import { createNotice } from './crm/notice.ts'
import { createOutbox } from './crm/outbox.ts'
import { createRouter, type Route, type View } from './crm/route.ts'
import { schema } from './crm/schema.ts'
import { createTasks } from './crm/tasks.ts'
import { badgeOf } from './crm/words.ts'
import { byId, setText } from './dom.ts'
import { count } from './format.ts'
import { createOfflineSwitch } from './offline.ts'
import { askToken } from './server.ts'
import { createStrip } from './strip/strip.ts'
import { createTheme } from './theme.ts'

const LOOK_EVERY_MS = 3000
const TITLES: Readonly<Record<View, string>> = {
  contacts: 'Contacts',
  deals: 'Deals',
  tasks: 'Tasks',
  outbox: 'Outbox',
}

const name = deviceName(device)
const offline = createOfflineSwitch(name)
const sync = createSync({
  schema,
  name,
  account: 'northwall',
  endpoint: '/',
  token: ({ signal }) => askToken('/demo/crm.json', offline.get, signal),
  // The worker is told by its name which switch to obey.
  worker: () => new Worker(new URL('./crm-worker.ts', import.meta.url), { type: 'module', name }),
  poll: LOOK_EVERY_MS,
  log: consoleLog('error'),
})
sync.ready.catch(() => undefined) // the status shows it
// For the visitor's console: try `await sync.contact.update(700, {title: 'Head baker'})`.
Object.assign(globalThis, { sync })

const theme = createTheme()
byId('theme', HTMLButtonElement).addEventListener('click', theme.toggle)

const notice = createNotice()
const router = createRouter()
const deps: Deps = {
  sync,
  notice,
  router,
  contacts: createMirror(sync.contact.live()),
  stages: createMirror(sync.stage.live()),
  users: createMirror(sync.user.live()),
}

const main = byId('main', HTMLElement)
const makers: Readonly<Record<View, (deps: Deps) => ViewPart>> = {
  contacts: createContacts,
  deals: createBoard,
  tasks: createTasks,
  outbox: createOutbox,
}
const views = new Map<View, ViewPart>()

function show(route: Route): void {
  let view = views.get(route.view)
  if (view === undefined) {
    view = makers[route.view](deps)
    views.set(route.view, view)
    main.append(view.element)
  }
  for (const [other, { element }] of views) element.hidden = other !== route.view
  for (const link of byId('sections', HTMLElement).querySelectorAll('a'))
    link.ariaCurrent = link.hash.startsWith(`#/${route.view}`) ? 'page' : null
  document.body.dataset['view'] = route.view
  document.body.classList.toggle('detail', route.key !== null)
  title()
  view.show(route.key)
}

const badge = byId('badge', HTMLElement)
function title(): void {
  const { outbox } = sync.status.getSnapshot()
  const now = badgeOf(outbox)
  const link = byId('outbox-link', HTMLAnchorElement)
  badge.hidden = now === null
  badge.classList.toggle('alarm', now?.alarm === true)
  setText(badge, now === null ? '' : count(now.count))
  badge.ariaHidden = 'true'
  link.ariaLabel = now === null ? 'Outbox' : `Outbox: ${now.words}`
  link.title = now?.words ?? 'Everything is at the server'
  setText(byId('unsent', HTMLElement), now === null ? 'nothing' : count(outbox.pending + outbox.failed))
  const where = device === 1 ? 'CRM' : `CRM, device ${device}`
  document.title = `${now === null ? '' : `(${now.count}) `}${TITLES[router.get().view]} · ${where}`
}
sync.status.subscribe(title)

const label = byId('device-name', HTMLElement)
const nameDevice = (): void => {
  setText(label, `Device ${device}${offline.get() ? ', offline' : ''}`)
  document.body.classList.toggle('cut', offline.get())
}
offline.subscribe(nameDevice)
nameDevice()
const second = byId('second', HTMLAnchorElement)
second.href = addressOf(otherDevice)
second.target = `crm-device-${otherDevice}`
if (device !== 1) setText(second.lastElementChild as Element, 'Open device 1')
second.title = 'A database, a device UUID and an Offline switch of its own'

// The address after # belongs to the views.
document.querySelector('.skip')?.addEventListener('click', (event) => {
  event.preventDefault()
  main.focus()
})
createStrip(sync.status, offline)
createControls({ sync, offline, notice })
router.subscribe(show)
show(router.get())

if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  navigator.serviceWorker.register('/sw.js').catch(() => undefined) // the page works without, but not offline
}
