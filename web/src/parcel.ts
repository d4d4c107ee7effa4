/** What Python hands over (`mesozoic/page/parcel.py`): animals, stages, policies and every constant of the task. */
import type { Appearance } from './drawing/appearance.ts'

export interface Constants {
  clip: number
  far: number
  far_away: number
  max_speed: number
  near: number
  scalars: number
  stream: number
  target_reach: number
  tiny: number
  uniforms_per_push: number
}

/** Constants of a body, see `mesozoic/species/anatomy.py`. */
export interface Anatomy {
  name: string
  nq: number
  nv: number
  nu: number
  nj: number
  substeps: number
  dt: number
  home_qpos: number[]
  home_ctrl: number[]
  ctrl_low: number[]
  ctrl_high: number[]
  action_scale: number[]
  foot_names: string[]
  foot_sensors: number[][]
  foot_geoms: number[][]
  strike_site_ids: number[]
  underside: [body: number, x: number, y: number, z: number, radius: number][]
  torso_id: number
  gravity: number
  hip_height: number
  mass: number
  weight: number
  speed_unit: number
  time_unit: number
}

/** The part of `[env]` that moves, pushes or ends an episode. */
export interface Env {
  task: 'balance' | 'locomotion' | 'behaviour'
  has_target: boolean
  max_episode_steps: number
  reset_noise_scale: number
  fall_height: number
  fall_tilt: number
  push_interval: number
  push_velocity_min: number
  push_velocity_max: number
  push_count: number
  push_steps: number
  friction_range: [number, number] | null
  target_froude: number
  gait_frequency: number
  target_bearing: number
  prey_distance_range: [number, number] | null
  prey_height_range: [number, number]
  reach_radius: number
  reach_tilt: number
  hold_steps: number
  uniforms: number // samples that one reset takes
}

export interface Layer {
  inputs: number
  outputs: number
  kernel: string // float32 [inputs, outputs], base64
  bias: string
}

export interface PolicyData {
  activation: 'elu' | 'tanh' | 'relu'
  output: 'clip' | 'tanh'
  mean: string
  std: string
  layers: Layer[]
}

/** The task's state of an episode as Python writes it. */
export interface StateData {
  step: number
  prev_action: number[]
  target: number[]
  phase: number
  gap: number
  struck: number
  push_start: number[]
  push_velocity: number[][]
}

export interface SensedData {
  qpos: number[]
  qvel: number[]
  foot_force: number[]
  site_pos: number[][]
  clearance: number
  diverged: boolean
}

/** A state with what Python makes of it, and the step after it. */
export interface Example {
  sensed: SensedData
  state: StateData
  observation: number[]
  action: number[]
  targets: number[]
  push: number[]
  next: {
    action: number[]
    sensed: SensedData
    state: StateData
    observation: number[]
    terminated: boolean
    truncated: boolean
    succeeded: boolean
    reasons: string[]
  }
}

export interface StageData {
  number: number
  name: string
  title: string
  env: Env
  policy: PolicyData
  examples: Example[]
}

export interface AnimalData {
  name: string
  title: string
  behaviour: string
  xml: string
  anatomy: Anatomy
  layout: [name: string, size: number][]
  appearance: Appearance
  stages: StageData[]
}

export interface Start {
  animal?: string
  stage?: number
  seed?: number
  episode?: number
  follow?: boolean // whether the page follows a training, at the server it came from
}

export interface Parcel {
  format: number
  version: string
  mujoco: string
  constants: Constants
  animals: AnimalData[]
  start: Start
}

export const FORMAT = 1

/** Refuse what no `mesozoic` of this version wrote, with a sentence. */
export function readParcel(value: unknown): Parcel {
  const parcel = value as Partial<Parcel> | null
  if (typeof parcel !== 'object' || parcel === null || !Array.isArray(parcel.animals) || !parcel.constants) {
    throw new Error('the animals in this file cannot be read; write it again with mesozoic play --html')
  }
  if (parcel.format !== FORMAT) {
    throw new Error(`this file has format ${parcel.format}, the page reads ${FORMAT}; write it again with mesozoic play --html`)
  }
  if (parcel.animals.length === 0) throw new Error('there is no animal in this file; write it again with mesozoic play --html')
  return parcel as Parcel
}
