/** One animal in an episode: its poses, shown at any moment. */
import type { Animal } from '../drawing/animal.ts'
import type { Appearance } from '../drawing/appearance.ts'
import { betweenFrames, emptyFrames, poseFrames } from '../drawing/frames.ts'
import type { Frames } from '../drawing/frames.ts'

export class Actor {
  readonly shown: Frames
  private readonly before: Frames
  private readonly after: Frames
  private readonly nq: number
  private at = -1

  constructor(
    readonly animal: Animal,
    private readonly appearance: Appearance,
    private readonly qpos: Float64Array,
    readonly poses: number,
  ) {
    const bodies = appearance.bodies.length
    this.shown = emptyFrames(bodies)
    this.before = emptyFrames(bodies)
    this.after = emptyFrames(bodies)
    this.nq = qpos.length / poses
  }

  /** Show it so many poses after the first, between two of them or beyond the last. */
  show(moment: number): void {
    const last = this.poses - 1
    const at = Math.max(0, Math.min(Math.floor(moment), last - 1))
    if (at !== this.at) {
      this.frames(at, this.before)
      this.frames(Math.min(at + 1, last), this.after)
      this.at = at
    }
    betweenFrames(this.before, this.after, Math.max(0, Math.min(1, moment - at)), this.shown)
    this.animal.pose(this.shown)
  }

  /** The frames of one pose. */
  frames(pose: number, into: Frames): void {
    poseFrames(this.appearance, this.qpos.subarray(pose * this.nq, (pose + 1) * this.nq), into)
  }

  /** Mean horizontal speed over the second before a moment, m/s; null in the first second. */
  speed(moment: number, dt: number): number | null {
    const window = Math.round(1 / dt)
    const now = Math.min(Math.floor(moment), this.poses - 1)
    if (now < window) return null
    const [a, b] = [(now - window) * this.nq, now * this.nq]
    return Math.hypot(this.qpos[b] - this.qpos[a], this.qpos[b + 1] - this.qpos[a + 1]) / (window * dt)
  }
}
