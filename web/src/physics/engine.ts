/**
 * One world of an animal: `mesozoic/sim/native.py` for one world, on MuJoCo in WebAssembly.
 *
 * Arrays of the model and of the data are views that die when the memory grows, so none is kept.
 */
import type { MjData, MjModel } from '@mujoco/mujoco'
import type { Frames } from '../drawing/frames.ts'
import type { Anatomy, Constants } from '../parcel.ts'
import type { Sensed } from '../task/state.ts'
import type { MuJoCo } from './mujoco.ts'

/** Adds forces to the world just before a physics step; `xfrc_applied` holds that of a scheduled push by then. */
export type Disturb = (data: MjData) => void

export class Engine {
  readonly model: MjModel
  readonly data: MjData
  private feet: Float32Array
  private readonly friction: Float64Array
  private readonly touching: number[] = []

  constructor(
    private readonly mujoco: MuJoCo,
    xml: string,
    private readonly anatomy: Anatomy,
    private readonly constants: Constants,
  ) {
    const model = mujoco.MjModel.from_xml_string(xml)
    if (!model) throw new Error(`the model of ${anatomy.name} does not compile`)
    if (model.nq !== anatomy.nq || model.nu !== anatomy.nu) {
      throw new Error(`the model of ${anatomy.name} is not the one that its numbers are of; write the page again`)
    }
    this.model = model
    this.data = new mujoco.MjData(model)!
    this.feet = new Float32Array(anatomy.foot_sensors.length)
    this.friction = Float64Array.from(model.geom_friction)
    const [con, aff] = [model.geom_contype, model.geom_conaffinity]
    for (let geom = 0; geom < model.ngeom; geom++) if (con[geom] || aff[geom]) this.touching.push(geom)
  }

  /** Place the world; `friction` of floor and feet is the model's own where the stage has none. */
  reset(qpos: ArrayLike<number>, qvel: ArrayLike<number>, friction: number | null): void {
    const { mujoco, model, data } = this
    const sliding = model.geom_friction
    sliding.set(this.friction)
    if (friction !== null) for (const geom of this.touching) sliding[3 * geom] = friction
    mujoco.mj_resetData(model, data)
    data.qpos.set(Array.from(qpos))
    data.qvel.set(Array.from(qvel))
    data.ctrl.set(this.anatomy.home_ctrl)
    mujoco.mj_forward(model, data)
    this.feet = this.footForces(data.sensordata, 1)
  }

  /** Advance one control period with servo targets [nu] and a force on the torso [3] in newtons. */
  step(targets: ArrayLike<number>, push: readonly [number, number, number], disturb?: Disturb): void {
    const { mujoco, model, data, anatomy } = this
    data.ctrl.set(Array.from(targets))
    const total = new Float64Array(model.nsensordata)
    for (let k = 0; k < anatomy.substeps; k++) {
      const force = data.xfrc_applied
      force.fill(0)
      force.set(push, 6 * anatomy.torso_id)
      disturb?.(data)
      mujoco.mj_step(model, data)
      const now = data.sensordata
      for (let i = 0; i < total.length; i++) total[i] += now[i]
    }
    this.feet = this.footForces(total, anatomy.substeps)
  }

  sensed(): Sensed {
    const { data, anatomy } = this
    const qpos = Float32Array.from(data.qpos)
    const qvel = Float32Array.from(data.qvel)
    const sites = data.site_xpos
    return {
      qpos,
      qvel,
      foot_force: this.feet,
      site_pos: anatomy.strike_site_ids.map((site) => Float32Array.from(sites.subarray(3 * site, 3 * site + 3))),
      clearance: Math.fround(this.clearance()),
      diverged: !qpos.every(Number.isFinite) || !qvel.every((speed) => Math.abs(speed) < this.constants.max_speed),
    }
  }

  /** The frames of all bodies now, written into `frames`. */
  readFrames(frames: Frames): void {
    frames.pos.set(this.data.xpos)
    frames.quat.set(this.data.xquat)
  }

  delete(): void {
    this.data.delete()
    this.model.delete()
  }

  /** Height of the lowest point of all parts but the feet over the floor, metres. */
  private clearance(): number {
    const [pos, mat] = [this.data.xpos, this.data.xmat]
    let lowest = this.anatomy.hip_height
    for (const [body, x, y, z, radius] of this.anatomy.underside) {
      const row = 9 * body + 6
      const centre = pos[3 * body + 2] + mat[row] * x + mat[row + 1] * y + mat[row + 2] * z
      lowest = Math.min(lowest, centre - radius)
    }
    return lowest
  }

  private footForces(total: ArrayLike<number>, steps: number): Float32Array {
    return Float32Array.from(this.anatomy.foot_sensors, (ids) => ids.reduce((sum, i) => sum + total[i], 0) / steps)
  }
}
