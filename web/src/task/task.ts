/**
 * The decision process of one animal and stage: `mesozoic/task/mdp.py` for one world, without rewards.
 *
 *     action -> actuate: servo targets and push -> the engine advances -> Sensed -> judge: Step
 */
import type { Anatomy, Constants, Env } from '../parcel.ts'
import { hideTarget, kinematics, tiltCosine } from './kinematics.ts'
import type { Kinematics } from './kinematics.ts'
import { reset } from './reset.ts'
import type { Beginning } from './reset.ts'
import { FREE_QPOS, FREE_QVEL, clamp, radians } from './state.ts'
import type { Sensed, State } from './state.ts'

const single = Math.fround

/** Why an episode failed; several may hold at once, `diverged` stands alone. */
export type Reason = 'low' | 'tilted' | 'touched' | 'diverged'

export interface Step {
  state: State
  observation: Float32Array
  hit: boolean
  succeeded: boolean
  terminated: boolean
  truncated: boolean
  reasons: Reason[]
}

export class Task {
  constructor(
    readonly anatomy: Anatomy,
    readonly env: Env,
    readonly constants: Constants,
  ) {}

  /** Begin an episode from samples [env.uniforms]; `begin` completes it once the body is placed. */
  reset(samples: ArrayLike<number>): Beginning {
    return reset(this.anatomy, this.env, this.constants, samples)
  }

  begin(state: State, sensed: Sensed): { state: State; observation: Float32Array } {
    const kin = kinematics(this.anatomy, this.constants, state, sensed)
    return { state: { ...state, gap: kin.gap }, observation: this.observe(state, sensed, kin) }
  }

  /** Servo targets in radians [nu]: a residual around the home pose. */
  servoTargets(action: ArrayLike<number>): Float32Array {
    const { home_ctrl, action_scale, ctrl_low, ctrl_high } = this.anatomy
    return Float32Array.from(action, (value, i) =>
      clamp(home_ctrl[i] + action_scale[i] * clamp(value, -1, 1), ctrl_low[i], ctrl_high[i]),
    )
  }

  /** Force of the scheduled pushes on the torso in the coming control step, newtons. */
  pushForce(state: State): [number, number, number] {
    const [x, y] = this.pushVelocity(state)
    const newtons = this.anatomy.mass / (this.env.push_steps * this.anatomy.dt)
    return [single(x * newtons), single(y * newtons), 0]
  }

  /** Velocity change, m/s, that the pushes which act in the coming step give in all. */
  pushVelocity(state: State): [number, number] {
    let [x, y] = [0, 0]
    state.push_start.forEach((start, i) => {
      const since = state.step - start
      if (since < 0 || since >= this.env.push_steps) return
      x += state.push_velocity[i][0]
      y += state.push_velocity[i][1]
    })
    return [x, y]
  }

  /** Judge the control step that `action` led to. */
  judge(before: State, seenBy: Sensed, taken: ArrayLike<number>): Step {
    const { anatomy, env, constants } = this
    const sensed = seenBy.diverged ? this.atHome(seenBy) : seenBy
    const prev_action = Float32Array.from(taken, (value) => (seenBy.diverged ? 0 : clamp(value, -1, 1)))
    const advanced = { ...before, step: before.step + 1, prev_action, phase: this.nextPhase(before.phase) }
    const seen = kinematics(anatomy, constants, advanced, sensed)
    const kin = hideTarget(seen, before.struck >= 0)
    const reasons = this.reasons(kin, sensed.diverged)
    const fallen = reasons.length > 0
    const { hit, struck } = this.strike(before, kin, fallen)
    const succeeded = struck >= env.hold_steps && !fallen
    const terminated = fallen || succeeded
    const state: State = { ...advanced, gap: kin.gap, struck }
    const observation = this.observe(state, sensed, hideTarget(seen, struck >= 0))
    const truncated = state.step >= env.max_episode_steps && !terminated
    return { state, observation, hit, succeeded, terminated, truncated, reasons }
  }

  observe(state: State, sensed: Sensed, kin: Kinematics): Float32Array {
    const { anatomy, env, constants } = this
    const { nj, home_qpos: home } = anatomy
    const out: number[] = [...kin.gravity, ...kin.lin_vel, ...kin.ang_vel, kin.height - 1]
    for (let j = FREE_QPOS; j < FREE_QPOS + nj; j++) out.push(sensed.qpos[j] - home[j])
    for (let j = FREE_QVEL; j < FREE_QVEL + nj; j++) out.push(sensed.qvel[j] * anatomy.time_unit)
    out.push(...kin.foot_load, ...Array.from(state.prev_action))
    out.push(...kin.target_dir, Math.min(kin.target_distance, constants.target_reach) / constants.target_reach)
    out.push(...kin.target_near, state.struck < 0 ? Math.sqrt(env.target_froude) : 0)
    const angle = 2 * Math.PI * state.phase
    out.push(...(env.gait_frequency === 0 ? [0, 0] : [Math.sin(angle), Math.cos(angle)]))
    return Float32Array.from(out)
  }

  /** The gait clock is float32 in Python, after every operation: in double precision it would drift away from it. */
  private nextPhase(phase: number): number {
    const { env, anatomy } = this
    return single(single(phase + single((env.gait_frequency * anatomy.dt) / anatomy.time_unit)) % 1)
  }

  private reasons(kin: Kinematics, diverged: boolean): Reason[] {
    if (diverged) return ['diverged']
    const found: Reason[] = []
    if (kin.height < single(this.env.fall_height)) found.push('low')
    if (tiltCosine(kin) < single(Math.cos(radians(this.env.fall_tilt)))) found.push('tilted')
    if (kin.clearance < 0) found.push('touched')
    return found
  }

  /** Whether a strike site touches the target in this step, and steps since it did (-1: never). */
  private strike(state: State, kin: Kinematics, fallen: boolean): { hit: boolean; struck: number } {
    const { env } = this
    if (!env.has_target) return { hit: false, struck: state.struck }
    if (state.struck >= 0) return { hit: false, struck: state.struck + 1 }
    const upright = tiltCosine(kin) >= single(Math.cos(radians(env.reach_tilt)))
    const hit = kin.gap <= single(env.reach_radius) && upright && !fallen
    return { hit, struck: hit ? 0 : -1 }
  }

  /** A world whose physics broke down is observed as if it stood at home, far from everything. */
  private atHome(sensed: Sensed): Sensed {
    const { anatomy, constants } = this
    return {
      qpos: anatomy.home_qpos,
      qvel: new Float32Array(anatomy.nv),
      foot_force: new Float32Array(anatomy.foot_names.length),
      site_pos: sensed.site_pos.map(() => [constants.far_away, constants.far_away, constants.far_away]),
      clearance: anatomy.hip_height,
      diverged: true,
    }
  }
}
