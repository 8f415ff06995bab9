/** The worker's end: serves whichever contestant this build is for. */
import { expose } from 'comlink'
import { create } from 'virtual:contestant'
import { timeCalls, type Client } from './client.ts'
import type { Contestant } from './contestant.ts'

/** Floor A has no queries; nobody asks it. */
export type Hosted = Contestant & Pick<Client, 'timeInside'>

const contestant = create()
expose({ ...contestant, timeInside: (ask, calls) => timeCalls(contestant, ask, calls) } as Hosted)
