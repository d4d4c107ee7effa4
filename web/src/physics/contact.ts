/**
 * What else than the feet touches the floor once somebody pushes the animal by hand.
 *
 * In training only the feet touch it, and whatever else would end the episode. Here the animal goes on falling, so trunk,
 * neck and tail touch the floor from the first push by hand on (switched on later they would be thrown out of it), and the
 * legs from the fall on. Until the fall they touch it a little lower than it is, so that the rules of the training, which
 * ask where the parts are, decide first.
 */
import type { MjModel } from '@mujoco/mujoco'
import type { Anatomy } from '../parcel.ts'

export type Touching = 'feet' | 'trunk' | 'everything'

const DEPTH = 0.03 // hip heights; the parts are measured to 0.02 (`mesozoic/species/underside.py`)
const SETTLE = 0.5 // seconds after a fall in which the floor takes its true place for all of them
const LIMP = 0.05 // share of the servos' strength that is left after a fall

export class FloorContact {
  touching: Touching = 'feet'
  private depth = 0
  private readonly legs = new Set<number>()
  private readonly original: { affinity: Uint8Array; body: Uint8Array; margin: Float64Array; gain: Float64Array; bias: Float64Array }

  constructor(private readonly model: MjModel, private readonly anatomy: Anatomy) {
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
    if (this.touching === 'feet') this.allow('trunk', DEPTH)
  }

  /** The fall: everything touches the floor, and the servos give way. */
  fall(): void {
    this.allow('everything', DEPTH)
    const { gain, bias } = this.original
    this.model.actuator_gainprm.set(gain.map((value) => value * LIMP))
    this.model.actuator_biasprm.set(bias.map((value) => value * LIMP))
  }

  /** So many seconds after the fall went by. */
  settle(seconds: number): void {
    if (this.touching === 'everything' && this.depth > 0) {
      this.allow('everything', Math.max(0, this.depth - (DEPTH * seconds) / SETTLE))
    }
  }

  private allow(touching: Touching, depth: number): void {
    this.touching = touching
    this.depth = depth
    const { model, original } = this
    const [affinity, whole, margin] = [model.geom_conaffinity, model.body_conaffinity, model.geom_margin]
    const body = model.geom_bodyid
    for (let geom = 0; geom < model.ngeom; geom++) {
      const at = body[geom]
      if (at === 0 || original.affinity[geom] || (touching === 'trunk' && this.legs.has(at))) continue
      affinity[geom] = 1
      whole[at] = 1 // made when the model is compiled; without it the geom's own does nothing
      margin[geom] = original.margin[geom] - depth * this.anatomy.hip_height
    }
  }
}
