/** What Python hands over (`mesozoic/page/replay.py`): animals, and episodes whose poses are in the other part. */
import type { Appearance, Vector } from '../drawing/appearance.ts'

/** Where the poses of one animal begin in the bytes, and how they are packed, see motion.ts. */
export interface Track {
  poses: number
  first: number[]
  unit: number[]
  at: number
}

export interface Push {
  from: number // the first step in which it acts, and the step after the last one
  to: number
  velocity: Vector // m/s
}

export interface EpisodeData extends Track {
  animal: string
  label: string
  good: boolean
  why: string
  source: string
  provenance: string
  dt: number
  feet: string[]
  pushes: Push[]
  target: { point: Vector; radius: number } | null
  struck: number | null // the pose in which it was reached
  task: 'balance' | 'locomotion' | 'behaviour'
  ghosts: (Track & { name: string })[]
}

export interface Replay {
  format: number
  version: string
  title: string
  left_out: number
  animals: Record<string, { title: string; appearance: Appearance }>
  episodes: EpisodeData[]
}

export const FORMAT = 1
const AGAIN = 'write it again with mesozoic render --html'

/** Refuse what no `mesozoic` of this version wrote, with a sentence. */
export function readReplay(value: unknown): Replay {
  const replay = value as Partial<Replay> | null
  if (typeof replay !== 'object' || replay === null || !Array.isArray(replay.episodes) || !replay.animals) {
    throw new Error(`the episodes in this file cannot be read; ${AGAIN}`)
  }
  if (replay.format !== FORMAT) throw new Error(`this file has format ${replay.format}, the page reads ${FORMAT}; ${AGAIN}`)
  if (replay.episodes.length === 0) throw new Error(`there is no episode in this file; ${AGAIN}`)
  return replay as Replay
}
