/** One line at the foot of the page that says what just happened, sometimes with a way back; and what is only heard. */
import { byId, h, setText } from '../dom.ts'

const SHOWN_MS = 6000

export interface Notice {
  readonly say: (words: string, way?: { readonly label: string; readonly run: () => void }) => void
  /** For screen readers alone. */
  readonly announce: (words: string) => void
  /** Waits for work; says what it was if it succeeds, and why if it does not. */
  readonly report: (work: Promise<unknown>, words?: string) => void
}

export function createNotice(): Notice {
  const notice = byId('notice', HTMLElement)
  const announcer = byId('announcer', HTMLElement)
  let hiding: ReturnType<typeof setTimeout> | undefined
  const hide = (): void => notice.classList.remove('shown')
  const say: Notice['say'] = (words, way) => {
    notice.replaceChildren(h('span', {}, words))
    if (way !== undefined) {
      const run = (): void => {
        hide()
        way.run()
      }
      notice.append(h('button', { type: 'button', onclick: run }, way.label))
    }
    notice.classList.add('shown')
    clearTimeout(hiding)
    hiding = setTimeout(hide, SHOWN_MS)
  }
  return {
    say,
    announce: (words) => setText(announcer, words),
    report: (work, words) =>
      void work.then(
        () => words !== undefined && say(words),
        (error: unknown) => say(error instanceof Error ? error.message : 'That did not work'),
      ),
  }
}
