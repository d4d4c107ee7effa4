/** The arrow of scheduled pushes: over the back while a push acts, and fading after it, as `mesozoic render` draws it. */
import type { Animal } from '../drawing/animal.ts'
import { backOf } from '../drawing/back.ts'
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
    const metres = marks.arrow_scale
    return {
      from: [shown.pos[3], shown.pos[4], shown.pos[5] + this.lift],
      along: [this.velocity[0] * metres, this.velocity[1] * metres, 0],
      opacity,
    }
  }
}
