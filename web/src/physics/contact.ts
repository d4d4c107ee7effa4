/**
 * What else than the feet touches the floor once somebody pushes the animal by hand.
 *
 * In training only the feet touch it, and whatever else would end the episode. Here the animal goes on falling, so trunk,
 * neck and tail touch the floor from the first push by hand on (switched on later they would be thrown out of it), and the
 * legs from the fall on. Until the fall they touch it a little lower than it is, so that the rules of the training, which
 * ask where the parts are, decide first. Legs that are under it when the animal falls rise out of it slowly.
 */
import type { MjData, MjModel } from '@mujoco/mujoco'
import type { Anatomy } from '../parcel.ts'

export type Touching = 'feet' | 'trunk' | 'everything'

const DEPTH = 0.03 // hip heights; the parts are measured to 0.02 (`mesozoic/species/underside.py`)
const SETTLE = 0.8 // seconds after a fall in which the floor takes its true place for all of them
const LIMP = 0.05 // share of the servos' strength that is left after a fall

interface Original {
  affinity: Uint8Array
  body: Uint8Array
  margin: Float64Array
  gain: Float64Array
  bias: Float64Array
}

export class FloorContact {
  touching: Touching = 'feet'
  private readonly legs = new Set<number>()
  private readonly original: Original
  /** Metres by which each geom is let into the floor, and the share of it that holds now. */
  private depth: Float64Array
  private share = 1

  constructor(
    private readonly model: MjModel,
    private readonly anatomy: Anatomy,
  ) {
    const parent = model.body_parentid
    const body = model.geom_bodyid
    for (const geom of anatomy.foot_geoms.flat()) {
      for (let at = body[geom]; at !== anatomy.torso_id && at !== 0; at = parent[at]) this.legs.add(at)
    }
    this.original = {
      affinity: Uint8Array.from(model.geom_conaffinity),
      body: Uint8Array.from(model.body_conaffinity),
      margin: Float64Array.from(model.geom_margin),
      gain: Float64Array.from(model.actuator_gainprm),
      bias: Float64Array.from(model.actuator_biasprm),
    }
    this.depth = new Float64Array(model.ngeom)
  }

  /** As in training again. */
  reset(): void {
    const { model, original } = this
    this.touching = 'feet'
    model.geom_conaffinity.set(original.affinity)
    model.body_conaffinity.set(original.body)
    model.geom_margin.set(original.margin)
    model.actuator_gainprm.set(original.gain)
    model.actuator_biasprm.set(original.bias)
  }

  /** The first push by hand. */
  holdTrunk(): void {
    if (this.touching !== 'feet') return
    this.depth = this.depth.map(() => DEPTH * this.anatomy.hip_height)
    this.allow('trunk')
  }

  /** The fall: everything touches the floor, and the servos give way. */
  fall(data: MjData): void {
    const { model, original } = this
    const [boxes, centres, turns] = [model.geom_aabb, data.geom_xpos, data.geom_xmat]
    this.depth = this.depth.map((_, geom) => {
      let lowest = centres[3 * geom + 2]
      for (let axis = 0; axis < 3; axis++) {
        const along = turns[9 * geom + 6 + axis]
        lowest += along * boxes[6 * geom + axis] - Math.abs(along) * boxes[6 * geom + 3 + axis]
      }
      return Math.max(DEPTH * this.anatomy.hip_height, -lowest)
    })
    this.allow('everything')
    model.actuator_gainprm.set(original.gain.map((value) => value * LIMP))
    model.actuator_biasprm.set(original.bias.map((value) => value * LIMP))
  }

  /** So many seconds after the fall went by. */
  settle(seconds: number): void {
    if (this.touching !== 'everything' || this.share === 0) return
    this.place(Math.max(0, this.share - seconds / SETTLE))
  }

  private allow(touching: Touching): void {
    this.touching = touching
    const { model } = this
    const [affinity, whole, body] = [model.geom_conaffinity, model.body_conaffinity, model.geom_bodyid]
    for (let geom = 0; geom < model.ngeom; geom++) {
      if (!this.joins(geom, body[geom])) continue
      affinity[geom] = 1
      whole[body[geom]] = 1 // made when the model is compiled; without it the geom's own does nothing
    }
    this.place(1)
  }

  /** Let all that has joined into the floor by this share of its depth. */
  private place(share: number): void {
    this.share = share
    const [margin, body] = [this.model.geom_margin, this.model.geom_bodyid]
    for (let geom = 0; geom < this.model.ngeom; geom++) {
      if (this.joins(geom, body[geom])) margin[geom] = this.original.margin[geom] - share * this.depth[geom]
    }
  }

  /** Whether a geom touches the floor now that did not in training. */
  private joins(geom: number, body: number): boolean {
    if (body === 0 || this.original.affinity[geom]) return false
    return this.touching === 'everything' || !this.legs.has(body)
  }
}
