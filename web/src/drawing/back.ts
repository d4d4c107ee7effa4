/** Where an animal's back is: arrows of pushes begin above it. */
import type { Animal } from './animal.ts'
import type { Frames } from './frames.ts'

/** How high the back is above the middle of the torso, metres: what of the outline is near it; h is the hip height. */
export function backOf(animal: Animal, frames: Frames, h: number): number {
  const points = animal.outline(frames)
  const [x, y, z] = [frames.pos[3], frames.pos[4], frames.pos[5]]
  let top = 0
  for (let i = 0; i < points.length; i += 3) {
    if (Math.hypot(points[i] - x, points[i + 1] - y) < 0.5 * h) top = Math.max(top, points[i + 2] - z)
  }
  return top
}
