/** What the address of the page says after `#`: which animal, stage, seed and episode; and how it is drawn, for tests. */
import type { Start } from '../parcel.ts'

export interface Options extends Start {
  paused: boolean
  plain: boolean // drawn the same everywhere, and quickly
}

export function readOptions(hash: string, start: Start): Options {
  const given = new URLSearchParams(hash.replace(/^#/, ''))
  const whole = (name: 'stage' | 'seed' | 'episode') => {
    const text = given.get(name)
    return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : start[name]
  }
  return {
    ...start,
    animal: given.get('animal') ?? start.animal,
    stage: whole('stage'),
    seed: whole('seed') ?? 0,
    episode: whole('episode') ?? 0,
    paused: given.has('paused'),
    plain: given.has('plain'),
  }
}
