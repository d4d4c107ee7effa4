/** The torso seen from the animal itself: `mesozoic/task/kinematics.py` for one world, without what only rewards ask for. */
import type { Anatomy, Constants } from '../parcel.ts'
import type { Sensed, State } from './state.ts'

/** Speeds in sqrt(g*h), lengths in h. */
export interface Kinematics {
  gravity: [number, number, number]
  lin_vel: [number, number, number]
  ang_vel: [number, number, number]
  height: number
  clearance: number
  target_dir: [number, number]
  target_distance: number
  target_near: [number, number, number]
  gap: number
  foot_load: number[]
}

type Triple = [number, number, number]

export function kinematics(anatomy: Anatomy, constants: Constants, state: State, sensed: Sensed): Kinematics {
  const { qpos, qvel } = sensed
  const turn = rotation(qpos[3], qpos[4], qpos[5], qpos[6])
  const ahead: Triple = [state.target[0] - qpos[0], state.target[1] - qpos[1], state.target[2] - qpos[2]]
  const [dx, dy] = ahead
  const distance = Math.hypot(dx, dy)
  const [r00, r10] = [turn[0], turn[3]]
  const scale = Math.max(Math.hypot(r00, r10) * distance, constants.tiny)
  const span = Math.hypot(...ahead)
  const nearness = Math.min(1 / anatomy.hip_height, constants.near / Math.max(span, constants.tiny))
  const gaps = sensed.site_pos.map((site) =>
    Math.hypot(site[0] - state.target[0], site[1] - state.target[1], site[2] - state.target[2]),
  )
  return {
    gravity: [-turn[6], -turn[7], -turn[8]],
    lin_vel: inTorso(turn, qvel[0] / anatomy.speed_unit, qvel[1] / anatomy.speed_unit, qvel[2] / anatomy.speed_unit),
    ang_vel: [qvel[3] * anatomy.time_unit, qvel[4] * anatomy.time_unit, qvel[5] * anatomy.time_unit],
    height: qpos[2] / anatomy.home_qpos[2],
    clearance: sensed.clearance / anatomy.hip_height,
    target_dir: [(r00 * dx + r10 * dy) / scale, (r00 * dy - r10 * dx) / scale],
    target_distance: distance / anatomy.hip_height,
    target_near: inTorso(turn, ...ahead).map((part) => part * nearness) as Triple,
    gap: Math.min(...gaps) / anatomy.hip_height,
    foot_load: Array.from(sensed.foot_force, (force) => force / anatomy.weight),
  }
}

/** The same with the target straight ahead at distance 0, where it is gone. */
export function hideTarget(kin: Kinematics, gone: boolean): Kinematics {
  return gone ? { ...kin, target_dir: [1, 0], target_distance: 0, target_near: [0, 0, 0] } : kin
}

/** Cosine of the angle between the torso's up axis and the vertical. */
export const tiltCosine = (kin: Kinematics): number => -kin.gravity[2]

/** The rotation matrix from torso to world frame, row by row. */
function rotation(w: number, x: number, y: number, z: number): number[] {
  return [
    1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
    2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
    2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
  ]
}

function inTorso(turn: number[], x: number, y: number, z: number): Triple {
  return [
    turn[0] * x + turn[3] * y + turn[6] * z,
    turn[1] * x + turn[4] * y + turn[7] * z,
    turn[2] * x + turn[5] * y + turn[8] * z,
  ]
}
