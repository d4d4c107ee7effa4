/** The arrow of scheduled pushes: over the back while a push acts, and fading after it, as `mesozoic render` draws it. */
import type { Animal } from '../drawing/animal.ts'
import type { Vector } from '../drawing/appearance.ts'
import type { Frames } from '../drawing/frames.ts'
import type { World } from './world.ts'

export class Shove {
  private lift: number | null = null
  private velocity: [number, number] = [0, 0]
  private since = Infinity

  /** Another episode begins. */
  begin(): void {
    this.lift = null
    this.since = Infinity
  }

  look(world: World, shown: Frames, animal: Animal): { from: Vector; along: Vector; opacity: number } | null {
    const { anatomy, appearance } = world.animal
    const { marks } = appearance
    this.lift ??= backOf(animal, shown, anatomy.hip_height) + marks.arrow_gap * anatomy.hip_height
    const [x, y] = world.ending === '' ? world.episode.task.pushVelocity(world.episode.state) : [0, 0]
    if (x !== 0 || y !== 0) {
      this.velocity = [x, y]
      this.since = world.steps
    }
    const age = (world.steps - this.since) * anatomy.dt
    const opacity = Math.max(0, 1 - age / marks.arrow_fade)
    if (!(opacity > 0)) return null
    const metres = (marks.arrow_reach * anatomy.hip_height) / anatomy.speed_unit
    return {
      from: [shown.pos[3], shown.pos[4], shown.pos[5] + this.lift],
      along: [this.velocity[0] * metres, this.velocity[1] * metres, 0],
      opacity,
    }
  }
}

/** How high the back is above the middle of the torso, metres: what of the outline is near it. */
function backOf(animal: Animal, frames: Frames, h: number): number {
  const points = animal.outline(frames)
  const [x, y, z] = [frames.pos[3], frames.pos[4], frames.pos[5]]
  let top = 0
  for (let i = 0; i < points.length; i += 3) {
    if (Math.hypot(points[i] - x, points[i + 1] - y) < 0.5 * h) top = Math.max(top, points[i + 2] - z)
  }
  return top
}
