/** How an episode begins, from uniform samples: `mesozoic/task/reset.py` and `pushes.py` for one world. */
import type { Anatomy, Constants, Env } from '../parcel.ts'
import { FREE_QPOS, radians } from './state.ts'
import type { State } from './state.ts'

const single = Math.fround
const LINEAR = 3 // numbers of qvel that are a speed in m/s; the others are rad/s

export interface Beginning {
  state: State
  qpos: Float32Array
  qvel: Float32Array
  friction: number | null
}

/** @param samples [env.uniforms] of [0, 1) */
export function reset(anatomy: Anatomy, env: Env, constants: Constants, samples: ArrayLike<number>): Beginning {
  const { nj, nv, home_qpos: home } = anatomy
  const noise = (index: number) => (2 * samples[index] - 1) * env.reset_noise_scale
  const yaw = single(2 * Math.PI * samples[0])
  const qpos = new Float32Array(anatomy.nq)
  qpos.set([0, 0, home[2], Math.cos(yaw / 2), 0, 0, Math.sin(yaw / 2)])
  for (let j = 0; j < nj; j++) qpos[FREE_QPOS + j] = home[FREE_QPOS + j] + noise(constants.scalars + j)
  const qvel = new Float32Array(nv)
  for (let j = 0; j < nv; j++) {
    qvel[j] = noise(constants.scalars + nj + j) * (j < LINEAR ? anatomy.speed_unit : 1 / anatomy.time_unit)
  }
  const state: State = {
    step: 0,
    prev_action: new Float32Array(anatomy.nu),
    target: placeTarget(anatomy, env, constants, yaw, samples),
    phase: samples[1],
    gap: 0,
    struck: -1,
    ...schedulePushes(anatomy, env, constants, samples),
  }
  return { state, qpos, qvel, friction: frictionOf(env, samples[5]) }
}

function placeTarget(
  anatomy: Anatomy,
  env: Env,
  constants: Constants,
  yaw: number,
  samples: ArrayLike<number>,
): [number, number, number] {
  const [near, far] = env.prey_distance_range ?? [constants.far, constants.far]
  const [low, high] = env.has_target ? env.prey_height_range : [0, 0]
  const distance = (near + samples[2] * (far - near)) * anatomy.hip_height
  const bearing = yaw + (2 * samples[3] - 1) * radians(env.target_bearing)
  const height = (low + samples[4] * (high - low)) * anatomy.hip_height
  return [single(distance * Math.cos(bearing)), single(distance * Math.sin(bearing)), single(height)]
}

function frictionOf(env: Env, sample: number): number | null {
  if (env.friction_range === null) return null
  const [low, high] = env.friction_range
  return single(low + sample * (high - low))
}

function schedulePushes(
  anatomy: Anatomy,
  env: Env,
  constants: Constants,
  samples: ArrayLike<number>,
): Pick<State, 'push_start' | 'push_velocity'> {
  const first = constants.scalars + anatomy.nj + anatomy.nv
  const interval = env.push_interval / anatomy.dt
  const window = Math.max(interval - env.push_steps, 0)
  const push_start: number[] = []
  const push_velocity: [number, number][] = []
  for (let i = 0; i < env.push_count; i++) {
    const at = first + constants.uniforms_per_push * i
    push_start.push(Math.floor(single(single(i * single(interval)) + single(samples[at] * window))))
    const angle = single(2 * Math.PI * samples[at + 1])
    const span = env.push_velocity_max - env.push_velocity_min
    const strength = (env.push_velocity_min + samples[at + 2] * span) * anatomy.speed_unit
    push_velocity.push([single(strength * Math.cos(angle)), single(strength * Math.sin(angle))])
  }
  return { push_start, push_velocity }
}
