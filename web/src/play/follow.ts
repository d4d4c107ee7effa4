/** Follows a training at the server that the page came from: new policies, curves, and what is missing to the gate. */
import type { StageData } from '../parcel.ts'
import { drawCurve } from './curve.ts'

export interface News {
  problem?: string
  policy: string
  play?: StageData
  run: string
  stage: number
  name: string
  step: number
  budget: number
  passed: boolean | null
  judged: boolean
  missing: string[]
  consecutive: number
  required: number
  curves: Record<string, [step: number, value: number][]>
  gates: Record<string, number | null>
}

const EVERY = 2000 // milliseconds; a policy is swapped in within ten seconds of its checkpoint
const NAMES: Record<string, string> = {
  success: 'success',
  success_low: 'success, lower bound',
  survival: 'survival',
  score: 'score',
  avg_episode_length: 'episode length, steps',
  avg_reward: 'episode reward',
}
const SHARES = ['success', 'success_low', 'survival', 'score']

export class Follow {
  swaps = 0
  private has = ''

  constructor(private readonly swap: (stage: StageData) => void) {
    document.getElementById('follow')!.hidden = false
    void this.ask()
  }

  private async ask(): Promise<void> {
    try {
      const answer = await fetch(`news?has=${encodeURIComponent(this.has)}`)
      if (!answer.ok) throw new Error(`the server says ${answer.status}`)
      this.show((await answer.json()) as News)
    } catch {
      this.say('The server does not answer any more: it was ended, or the connection is lost.')
    }
    setTimeout(() => void this.ask(), EVERY)
  }

  private show(news: News): void {
    if (news.problem) {
      this.say(news.problem)
      return
    }
    if (news.play) {
      this.swap(news.play)
      this.has = news.policy
      this.swaps += 1
    }
    const box = document.getElementById('follow')!
    const title = document.createElement('b')
    title.textContent = `${news.run}, stage ${news.stage} ${news.name}`
    const progress = document.createElement('progress')
    progress.max = news.budget
    progress.value = news.step
    const steps = paragraph(`${news.step.toLocaleString('en')} of ${news.budget.toLocaleString('en')} steps`)
    const curves = Object.entries(news.curves).map(([name, points]) => {
      const most = SHARES.includes(name) ? 1 : null
      return drawCurve(NAMES[name] ?? name, points, news.gates[name] ?? null, news.budget, most)
    })
    box.replaceChildren(title, progress, steps, ...verdict(news), ...curves)
  }

  private say(sentence: string): void {
    document.getElementById('follow')!.replaceChildren(paragraph(sentence))
  }
}

/** What the gate says, and what is missing. */
function verdict(news: News): HTMLElement[] {
  if (news.passed === true) return [paragraph('The gate has passed.', 'good')]
  if (news.passed === false) return [paragraph('The training is over, and the gate has not passed.', 'bad'), ...missing(news)]
  if (!news.judged) return [paragraph('Not judged yet: no checkpoint since the first evaluation.')]
  if (news.missing.length) return [paragraph('Missing to the gate:'), ...missing(news)]
  return [paragraph(`The gate passes, ${news.consecutive} of ${news.required} times in a row.`, 'good')]
}

function missing(news: News): HTMLElement[] {
  const list = document.createElement('ul')
  for (const one of news.missing) {
    const item = document.createElement('li')
    item.textContent = one
    list.append(item)
  }
  return [list]
}

function paragraph(text: string, kind = ''): HTMLElement {
  const made = document.createElement('p')
  made.textContent = text
  made.className = kind
  return made
}
