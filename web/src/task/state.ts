/** What the task knows of one episode. Stored numbers are float32, as in Python, where their last bits decide something. */
import type { StateData } from '../parcel.ts'

export const FREE_QPOS = 7
export const FREE_QVEL = 6

/** What an engine reports after a control step, see `Sensed` in `mesozoic/task/arrays.py`. */
export interface Sensed {
  qpos: ArrayLike<number>
  qvel: ArrayLike<number>
  foot_force: ArrayLike<number>
  site_pos: ArrayLike<number>[]
  clearance: number
  diverged: boolean
}

/** The state of the task, see `TaskState` there. A step makes a new one. */
export interface State {
  readonly step: number
  readonly prev_action: ArrayLike<number>
  readonly target: readonly [number, number, number]
  readonly phase: number
  readonly gap: number
  readonly struck: number
  readonly push_start: readonly number[]
  readonly push_velocity: readonly (readonly [number, number])[]
}

export function stateOf(data: StateData): State {
  const [x, y, z] = data.target
  return { ...data, target: [x, y, z], push_velocity: data.push_velocity.map(([vx, vy]) => [vx, vy]) }
}

export const radians = (degrees: number): number => (degrees * Math.PI) / 180
export const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value))
