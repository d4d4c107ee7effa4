/**
 * The camera that follows an animal calmly and keeps all of it, and what it should reach, in the frame.
 *
 * It is the live camera of `mesozoic/rendering/live.py` and `camera.py`: the view that the model asks for as seen by the
 * animal at the beginning; with a goal, from the side of the line to it. A user may turn it and go nearer.
 */
import type { Appearance, Vector } from './appearance.ts'
import type { Frames } from './frames.ts'

const FILL = 0.9 // share of the frame, across and up, that may be filled
const CALM = [0.3, 0.3, 0.7] // seconds over which the camera forgets, along each axis
const SLOW = 0.7
const FARTHEST = 2 // times the first distance, to which it backs away
const TURNS = 4
const LEAST_FREE = 0.4
const LOWEST = -88
const HIGHEST = 20

/** What should be reached: where it is, and its radius, in metres. */
export interface Aim {
  point: Vector
  radius: number
}

export class FollowCamera {
  lookat: Vector = [0, 0, 0]
  distance = 1
  aspect = 16 / 9
  /** What a user has changed: degrees, degrees, and a factor of the distance. */
  turn = 0
  tilt = 0
  zoom = 1
  /** Shares of the frame by which the picture is moved to the left and up. */
  shift: [number, number] = [0, 0]
  private free: [across: number, up: number] = [1, 1] // shares of the frame that no panel covers
  private begun = false
  private azimuth = 0
  private height = 0
  private away: number | null = null
  private speed: Vector = [0, 0, 0]
  private first = 1
  private seconds = 0
  private points = new Float64Array(0)

  constructor(private readonly lens: Appearance['camera']) {}

  /** Forget the episode before; what the user has changed stays. */
  begin(): void {
    this.begun = false
  }

  /** Panels cover these shares of the frame at its top, bottom and right: what is looked at is beside them. */
  cover(top: number, bottom: number, right: number): void {
    this.free = [Math.max(LEAST_FREE, 1 - right), Math.max(LEAST_FREE, 1 - top - bottom)]
    this.shift = [right / 2, (bottom - top) / 2]
  }

  /** The goal was led away: it stays in the frame up to so many metres from the animal. */
  reachFor(away: number): void {
    if (this.away !== null) this.away = Math.max(this.away, away)
  }

  /**
   * Follow what is seen now.
   *
   * @param outline points [3 * p] of the animal; @param frames of its bodies, the torso is the first
   * @param seconds time of the picture, which only grows
   */
  look(outline: Float64Array, frames: Frames, seconds: number, aim: Aim | null): void {
    const torso: Vector = [frames.pos[3], frames.pos[4], frames.pos[5]]
    const begins = !this.begun
    if (begins) this.start(outline, frames, torso, aim)
    this.want(outline, torso, aim)
    const wanted = this.aimAt()
    const passed = Math.max(0, seconds - this.seconds)
    this.seconds = seconds
    if (begins) {
      this.lookat = wanted
      this.speed = [0, 0, 0]
    } else if (passed > 0) this.approach(wanted, passed)
    let need = this.need(this.lookat)
    if (begins) this.first = this.distance = need
    const farthest = FARTHEST * Math.max(this.first, aim && this.away !== null ? this.away : 0)
    need = Math.min(need, farthest)
    this.distance = Math.max(need, need + (this.distance - need) * Math.exp(-passed / SLOW))
  }

  /** Stay where it is until `look` is called again: what a pointer holds must not move away under it. */
  hold(seconds: number): void {
    this.seconds = seconds
    this.speed = [0, 0, 0]
  }

  get position(): Vector {
    const { ahead } = this.axes()
    const far = this.distance * this.zoom
    return [this.lookat[0] - far * ahead[0], this.lookat[1] - far * ahead[1], Math.max(0.05, this.lookat[2] - far * ahead[2])]
  }

  private start(outline: Float64Array, frames: Frames, torso: Vector, aim: Aim | null): void {
    this.begun = true
    const yaw = 2 * Math.atan2(frames.quat[7], frames.quat[4])
    let highest = 0
    for (let i = 2; i < outline.length; i += 3) highest = Math.max(highest, outline[i])
    this.height = highest / 2
    this.away = null
    let [direction, side] = [yaw, 1]
    if (aim) {
      direction = Math.atan2(aim.point[1] - torso[1], aim.point[0] - torso[0])
      this.away = Math.hypot(aim.point[0] - torso[0], aim.point[1] - torso[1], aim.point[2] - torso[2])
      side = Math.sin(yaw - direction) > 0 ? -1 : 1
    }
    this.azimuth = side * this.lens.azimuth + (direction * 180) / Math.PI
  }

  /** The points that should be seen: of the animal, of the goal and of its place on the floor. */
  private want(outline: Float64Array, torso: Vector, aim: Aim | null): void {
    const size = outline.length + (aim ? 48 : 0)
    if (this.points.length !== size) this.points = new Float64Array(size)
    this.points.set(outline)
    if (!aim || this.away === null) return
    const to = aim.point.map((at, i) => at - torso[i])
    const share = Math.min(1, this.away / Math.max(Math.hypot(...to), 1e-6))
    let at = outline.length
    for (let corner = 0; corner < 8; corner++) {
      const signs = [corner & 1 ? 1 : -1, corner & 2 ? 1 : -1, corner & 4 ? 1 : -1]
      const seen = to.map((part, i) => torso[i] + part * share + signs[i] * aim.radius)
      this.points.set(seen, at)
      this.points.set([seen[0], seen[1], 0], at + 3)
      at += 6
    }
  }

  /** The point that has all others around it in the frame. */
  private aimAt(): Vector {
    const low = [Infinity, Infinity, Infinity]
    const high = [-Infinity, -Infinity, -Infinity]
    for (let i = 0; i < this.points.length; i++) {
      low[i % 3] = Math.min(low[i % 3], this.points[i])
      high[i % 3] = Math.max(high[i % 3], this.points[i])
    }
    let at: Vector = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, (low[2] + high[2]) / 2]
    if (this.away === null) at[2] = this.height
    for (let turn = 0; turn < TURNS; turn++) {
      const { right, up } = this.axes()
      const [across, above] = this.offCentre(at)
      const rise = this.away === null ? 0 : above
      at = [0, 1, 2].map((i) => at[i] + across * right[i] + rise * up[i]) as Vector
    }
    return at
  }

  /** How far the camera must be from `at`, so that all points are in the frame. */
  private need(at: Vector): number {
    const { right, up, ahead } = this.axes()
    const half = Math.tan((this.lens.fovy * Math.PI) / 360)
    const [wide, steep] = [FILL * this.free[0] * this.aspect * half, FILL * this.free[1] * half]
    let need = 0
    for (let i = 0; i < this.points.length; i += 3) {
      const x = this.points[i] - at[0]
      const y = this.points[i + 1] - at[1]
      const z = this.points[i + 2] - at[2]
      const across = Math.abs(x * right[0] + y * right[1] + z * right[2]) / wide
      const above = Math.abs(x * up[0] + y * up[1] + z * up[2]) / steep
      need = Math.max(need, Math.max(across, above) - (x * ahead[0] + y * ahead[1] + z * ahead[2]))
    }
    return need
  }

  /** How far to the right and up the middle of all points is seen of `at`, metres at the distance of `at`. */
  private offCentre(at: Vector): [number, number] {
    const { right, up, ahead } = this.axes()
    const distance = this.need(at)
    const [least, most] = [[Infinity, Infinity], [-Infinity, -Infinity]]
    for (let i = 0; i < this.points.length; i += 3) {
      const x = this.points[i] - at[0]
      const y = this.points[i + 1] - at[1]
      const z = this.points[i + 2] - at[2]
      const depth = distance + x * ahead[0] + y * ahead[1] + z * ahead[2]
      for (const [axis, n] of [[right, 0], [up, 1]] as const) {
        const seen = (x * axis[0] + y * axis[1] + z * axis[2]) / depth
        least[n] = Math.min(least[n], seen)
        most[n] = Math.max(most[n], seen)
      }
    }
    return [((least[0] + most[0]) / 2) * distance, ((least[1] + most[1]) / 2) * distance]
  }

  /** A filter that forgets within seconds and does not lag behind what moves steadily. */
  private approach(wanted: Vector, passed: number): void {
    for (let i = 0; i < 3; i++) {
      const keep = Math.exp(-passed / CALM[i])
      const ahead = this.lookat[i] + this.speed[i] * passed
      const off = wanted[i] - ahead
      this.lookat[i] = ahead + (1 - keep * keep) * off
      this.speed[i] += ((1 - keep) * (1 - keep) * off) / passed
    }
  }

  private axes(): { right: Vector; up: Vector; ahead: Vector } {
    const turn = ((this.azimuth + this.turn) * Math.PI) / 180
    const tilt = (Math.min(HIGHEST, Math.max(LOWEST, this.lens.elevation + this.tilt)) * Math.PI) / 180
    const ahead: Vector = [Math.cos(tilt) * Math.cos(turn), Math.cos(tilt) * Math.sin(turn), Math.sin(tilt)]
    const right: Vector = [Math.sin(turn), -Math.cos(turn), 0]
    const up: Vector = [right[1] * ahead[2], -right[0] * ahead[2], right[0] * ahead[1] - right[1] * ahead[0]]
    return { right, up, ahead }
  }
}
