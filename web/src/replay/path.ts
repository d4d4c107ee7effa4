/** Where the camera is at every pose of an episode, worked out once, so that a moment looks the same however it is reached. */
import type { Vector } from '../drawing/appearance.ts'
import type { Aim, FollowCamera } from '../drawing/camera.ts'
import { emptyFrames } from '../drawing/frames.ts'
import type { Actor } from './actor.ts'

export class CameraPath {
  private readonly at: Vector[] = []
  private readonly far: number[] = []

  constructor(private readonly camera: FollowCamera, actor: Actor, bodies: number, dt: number, aim: Aim | null) {
    const frames = emptyFrames(bodies)
    camera.begin()
    for (let pose = 0; pose < actor.poses; pose++) {
      actor.frames(pose, frames)
      camera.look(actor.animal.outline(frames), frames, pose * dt, aim)
      this.at.push([...camera.lookat])
      this.far.push(camera.distance)
    }
  }

  /** Put the camera where it is so many poses after the first. */
  go(moment: number): void {
    const last = this.at.length - 1
    const before = Math.max(0, Math.min(Math.floor(moment), last))
    const after = Math.min(before + 1, last)
    const share = Math.max(0, Math.min(1, moment - before))
    const mix = (a: number, b: number) => a + (b - a) * share
    this.camera.lookat = [0, 1, 2].map((i) => mix(this.at[before][i], this.at[after][i])) as Vector
    this.camera.distance = mix(this.far[before], this.far[after])
  }
}
