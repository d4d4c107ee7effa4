/** The controls and figures over the picture. Tells what was chosen; decides nothing. */
import type { AnimalData, StageData } from '../parcel.ts'
import type { Ending } from './world.ts'

export interface Choices {
  animal(name: string): void
  stage(number: number): void
  episode(seed: number, number: number): void
  next(): void
  again(): void
  pause(): void
  slow(): void
  camera(): void
}

const ENDINGS: Record<string, string> = {
  low: 'it fell: too low',
  tilted: 'it fell: tilted too far',
  touched: 'it fell: on the floor with more than its feet',
  diverged: 'the physics broke down',
  time: 'time is over',
}
const DONE: Record<string, string> = { strike: 'struck', bite: 'bitten', food_reach: 'reached' }
export const LARGEST_EPISODE = 4095

export class Panel {
  private cover: [number, number, number] | null = null // measured once: it lays out the page anew
  private readonly element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T

  constructor(animals: AnimalData[], private readonly choices: Choices) {
    const select = this.element<HTMLSelectElement>('animal')
    select.replaceChildren(...animals.map(({ name }) => new Option(name, name)))
    select.addEventListener('change', () => choices.animal(select.value))
    const stage = this.element<HTMLSelectElement>('stage')
    stage.addEventListener('change', () => choices.stage(Number(stage.value)))
    for (const id of ['seed', 'episode']) this.element(id).addEventListener('change', () => this.chooseEpisode())
    for (const id of ['again', 'next', 'pause', 'slow'] as const) this.element(id).addEventListener('click', choices[id])
    this.element('home').addEventListener('click', choices.camera)
    this.element('proof').addEventListener('click', () => this.element<HTMLDialogElement>('about').showModal())
    addEventListener('keydown', (event) => this.key(event))
    addEventListener('resize', () => (this.cover = null))
    this.element('bar').hidden = this.element('foot').hidden = false
    this.say('')
  }

  showAnimal(animal: AnimalData, stage: StageData): void {
    this.element<HTMLSelectElement>('animal').value = animal.name
    const select = this.element<HTMLSelectElement>('stage')
    select.replaceChildren(...animal.stages.map(({ number, name }) => new Option(`${number} ${name}`, String(number))))
    select.value = String(stage.number)
    this.cover = null
    this.element('title').textContent = animal.title
    this.element('what').textContent = stage.title
    const lead = stage.env.has_target ? `Drag the ${animal.behaviour === 'food_reach' ? 'food' : 'prey'} to lead it. ` : ''
    this.element('hint').textContent = `Drag the animal to push it. ${lead}Drag elsewhere to look around.`
  }

  showEpisode(seed: number, number: number): void {
    const fields = { seed, episode: number }
    for (const [id, value] of Object.entries(fields)) {
      const input = this.element<HTMLInputElement>(id)
      if (input !== document.activeElement) input.value = String(value)
    }
  }

  showEnding(ending: Ending, animal: AnimalData): void {
    const box = this.element('ending')
    box.hidden = ending === ''
    if (ending === '') return
    const good = ending === 'success'
    box.classList.toggle('good', good)
    const reasons = typeof ending === 'string' ? [ending] : ending
    box.textContent = good
      ? `${DONE[animal.behaviour] ?? 'reached'}, and it still stands`
      : reasons.map((reason) => ENDINGS[reason] ?? reason).join(', ').replaceAll(', it fell:', ' and')
  }

  showFigures(text: string): void {
    const box = this.element('figures')
    if (box.textContent !== text) box.textContent = text
  }

  /** Whether the page computes what Python computes; `detail` where a pointer rests on it. */
  showProof(text: string, detail: string, good: boolean): void {
    const proof = this.element('proof')
    proof.textContent = text
    proof.title = detail
    this.element('detail').textContent = detail
    proof.classList.toggle('bad', !good)
  }

  showSpeed(paused: boolean, slow: boolean): void {
    this.element('pause').classList.toggle('on', paused)
    this.element('slow').classList.toggle('on', slow)
  }

  /** Shares of the page that are covered at its top, bottom and right. */
  covered(): [top: number, bottom: number, right: number] {
    if (this.cover) return this.cover
    const box = (id: string) => this.element(id).getBoundingClientRect()
    const aside = box('follow')
    const beside = aside.width > 0 && aside.left > innerWidth / 2 // on a narrow page it is at the bottom
    const share = (part: number) => Math.min(0.4, Math.max(0, part))
    const top = share(box('bar').bottom / innerHeight)
    const bottom = share(1 - box('foot').top / innerHeight)
    return (this.cover = [top, bottom, beside ? share(1 - aside.left / innerWidth) : 0])
  }

  /** A sentence in the middle of the page; empty: none. */
  say(sentence: string): void {
    this.element('note').textContent = sentence
  }

  private chooseEpisode(): void {
    const whole = (id: string, most: number) => {
      const value = Number(this.element<HTMLInputElement>(id).value)
      return Number.isFinite(value) ? Math.min(most, Math.max(0, Math.floor(value))) : 0
    }
    this.choices.episode(whole('seed', Number.MAX_SAFE_INTEGER), whole('episode', LARGEST_EPISODE))
  }

  private key(event: KeyboardEvent): void {
    if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const { choices } = this
    const actions: Record<string, () => void> = {
      ' ': choices.pause,
      s: choices.slow,
      r: choices.again,
      n: choices.next,
      c: choices.camera,
    }
    const action = actions[event.key.toLowerCase()]
    if (!action) return
    event.preventDefault() // a button in focus would take the space bar as well
    action()
  }
}
