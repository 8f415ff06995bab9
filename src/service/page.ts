/**
 * The text of a page (section 4.2). Data goes from the store to the wire as it is, unless `present` shapes
 * it; what that cannot read is listed in `failed_objects`, is not acknowledged and so stays pending (FETCH-8).
 */
import { fromJson, toJson } from './data.ts'
import type { Settings } from './options.ts'
import type { HandedItem } from './store.ts'

export interface FailedObject {
  readonly type: string
  readonly id: string | number
}

export interface Presented {
  readonly items: readonly HandedItem[]
  readonly failed: readonly FailedObject[]
}

export function presentItems(items: readonly HandedItem[], user: string, { present, log }: Settings): Presented {
  if (present === undefined) return { items, failed: [] }
  const shown: HandedItem[] = []
  const failed: FailedObject[] = []
  for (const item of items) {
    const data = fromJson(item.json)
    try {
      shown.push(item.event === 'deleted' ? item : { ...item, json: toJson(present(item.type, data, user)) })
    } catch {
      log('error', 'present_failed', { type: item.type })
      const id = data['id']
      failed.push({ type: item.type, id: typeof id === 'number' ? id : item.id })
    }
  }
  return { items: shown, failed }
}

export function pageBody({ items, failed }: Presented, left: number): string {
  const meta = {
    type: 'collection',
    count: items.length,
    count_left: left,
    ...(failed.length > 0 && { failed_objects: failed }),
  }
  return `{"items":[${items.map(itemText).join(',')}],"meta":${JSON.stringify(meta)}}`
}

// Types, events and keys need no escaping: their alphabets are ours.
function itemText({ type, event, ackKey, revision, json }: HandedItem): string {
  return `{"data":${json},"meta":{"type":"${type}","sync":{"event_type":"${event}","ack_key":"${ackKey}","revision":${revision}}}}`
}
