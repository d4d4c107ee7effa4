/** A push by hand: a spring from a point of the body to the pointer, at most a few times the strongest push of training. */
import type { MjData } from '@mujoco/mujoco'
import type { Vector } from '../drawing/appearance.ts'
import { add, quaternionAt, rotate, vectorAt } from '../drawing/frames.ts'
import type { AnimalData } from '../parcel.ts'

const MOST = 4 // times the strongest push of training
const GENTLE = 0.3 // sqrt(g*h) in a tenth of a second, for animals that were never pushed
const TENTH = 0.1

export class HandPush {
  /** Newtons: the strongest push of training, which pulls where the pointer is one hip height away. */
  readonly trained: number
  /** Metres from the body at which the pull is that strong. */
  readonly reach: number
  private body = 0
  private local: Vector = [0, 0, 0]
  private to: Vector | null = null
  private from: Vector = [0, 0, 0]
  private force: Vector = [0, 0, 0]

  constructor(animal: AnimalData) {
    const { mass, speed_unit, dt, hip_height } = animal.anatomy
    const pushes = animal.stages.filter((stage) => stage.env.push_velocity_max > 0)
    const strengths = pushes.map(({ env }) => (env.push_velocity_max * speed_unit * mass) / (env.push_steps * dt))
    this.trained = strengths.length ? Math.max(...strengths) : (GENTLE * speed_unit * mass) / TENTH
    this.reach = hip_height
  }

  get active(): boolean {
    return this.to !== null
  }

  /** Take a point of a body, given in the world, which is now at these frames. */
  grab(body: number, point: Vector, pos: ArrayLike<number>, quat: ArrayLike<number>): void {
    const [w, x, y, z] = quaternionAt(quat, body)
    const [px, py, pz] = vectorAt(pos, body)
    this.body = body
    this.local = rotate([w, -x, -y, -z], [point[0] - px, point[1] - py, point[2] - pz])
    this.from = this.to = point
    this.force = [0, 0, 0]
  }

  /** Pull towards a point of the world. */
  pull(to: Vector): void {
    if (this.to) this.to = to
  }

  release(): void {
    this.to = null
    this.force = [0, 0, 0]
  }

  /** Add its force, and its torque about the centre of mass of the body, to the world. */
  apply(data: MjData): void {
    if (!this.to) return
    const b = this.body
    this.from = add(vectorAt(data.xpos, b), rotate(quaternionAt(data.xquat, b), this.local))
    this.force = this.between(this.from, this.to)
    const centre = vectorAt(data.xipos, b)
    const [rx, ry, rz] = [this.from[0] - centre[0], this.from[1] - centre[1], this.from[2] - centre[2]]
    const [fx, fy, fz] = this.force
    const sum = [fx, fy, fz, ry * fz - rz * fy, rz * fx - rx * fz, rx * fy - ry * fx]
    const all = data.xfrc_applied
    sum.forEach((part, i) => (all[6 * b + i] += part))
  }

  /** Newtons that it pulls with now. */
  get strength(): number {
    return Math.hypot(...this.force)
  }

  /** Its arrow now, for a body that is drawn at these frames: where it begins, and along what. */
  arrow(pos: ArrayLike<number>, quat: ArrayLike<number>): { from: Vector; along: Vector } | null {
    if (!this.to) return null
    const from = add(vectorAt(pos, this.body), rotate(quaternionAt(quat, this.body), this.local))
    const force = this.between(from, this.to)
    const metres = this.reach / this.trained
    return { from, along: [force[0] * metres, force[1] * metres, force[2] * metres] }
  }

  private between(from: Vector, to: Vector): Vector {
    const pull: Vector = [to[0] - from[0], to[1] - from[1], to[2] - from[2]]
    const length = Math.hypot(...pull)
    const newtons = Math.min((length / this.reach) * this.trained, MOST * this.trained)
    const share = length > 0 ? newtons / length : 0
    return [pull[0] * share, pull[1] * share, pull[2] * share]
  }
}
