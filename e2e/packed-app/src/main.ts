/** Shows how many contacts are here, how many were refused, and what the engine is doing. */
import { createSync } from 'tidegate'
import { checked, plain } from './schema'

const parameters = new URLSearchParams(location.search)
const own = parameters.get('worker') === 'own'
const common = {
  account: null,
  endpoint: parameters.get('endpoint') ?? '/',
  token: () => 'packed',
}

const sync = own
  ? createSync({
      ...common,
      name: 'own',
      schema: checked,
      worker: () => new Worker(new URL('./sync-worker.ts', import.meta.url), { type: 'module' }),
    })
  : createSync({ ...common, name: 'packaged', schema: plain })

const contacts = sync.contact.where({ id: { gte: 0 } }).live()
contacts.subscribe(() => show('rows', String(contacts.getSnapshot().rows.length)))
sync.quarantine.subscribe(() => show('refused', String(sync.quarantine.getSnapshot().count)))
sync.status.subscribe(() => show('phase', sync.status.getSnapshot().phase))
sync.ready.catch((error: unknown) => show('error', String(error)))

function show(id: string, text: string): void {
  const element = document.getElementById(id)
  if (element !== null) element.textContent = text
}
