/**
 * The episodes that the page shows: they begin, run, end for the reason that training has, and the next one begins.
 *
 * Knows nothing of drawing, pointers or time on the wall: `step` is one control step.
 */
import { copyFrames, emptyFrames } from '../drawing/frames.ts'
import type { Frames } from '../drawing/frames.ts'
import { Episode } from '../episode.ts'
import type { AnimalData, Constants, StageData } from '../parcel.ts'
import { FloorContact } from '../physics/contact.ts'
import { Engine } from '../physics/engine.ts'
import type { MuJoCo } from '../physics/mujoco.ts'
import { HandPush } from '../physics/push.ts'
import type { Reason } from '../task/task.ts'

export type Ending = '' | 'success' | 'time' | Reason[]

const AFTER: Record<'success' | 'time' | 'fall', number> = { success: 1.5, time: 0.8, fall: 2.5 }

export class World {
  readonly engine: Engine
  readonly hand: HandPush
  readonly contact: FloorContact
  readonly before: Frames
  readonly now: Frames
  episode: Episode
  seed = 0
  number = 0
  ending: Ending = ''
  /** Episodes that were begun, and control steps since the page was opened. */
  begun = 0
  steps = 0
  /** Seconds since this episode began, and since it ended. */
  seconds = 0
  private sinceEnd = 0
  private bearing: [number, number] = [0, 0]

  constructor(
    mujoco: MuJoCo,
    readonly animal: AnimalData,
    stage: StageData,
    private readonly constants: Constants,
  ) {
    this.engine = new Engine(mujoco, animal.xml, animal.anatomy, constants)
    this.contact = new FloorContact(this.engine.model, animal.anatomy)
    this.hand = new HandPush(animal)
    this.before = emptyFrames(animal.appearance.bodies.length)
    this.now = emptyFrames(animal.appearance.bodies.length)
    this.episode = new Episode(this.engine, animal, stage, constants)
  }

  get stage(): StageData {
    return this.episode.stage
  }

  /** Play another stage from the next `begin` on. */
  setStage(stage: StageData): void {
    this.episode = new Episode(this.engine, this.animal, stage, this.constants)
  }

  /** Go on with another policy of this stage. */
  swap(fresh: StageData): void {
    this.episode.setPolicy(fresh)
  }

  begin(seed: number, number: number): void {
    this.seed = seed
    this.number = number
    this.ending = ''
    this.seconds = this.sinceEnd = 0
    this.hand.release()
    this.contact.reset()
    this.episode.begin(seed, number)
    const { target } = this.episode.state
    this.bearing = [target[0], target[1]]
    this.engine.readFrames(this.now)
    copyFrames(this.now, this.before)
    this.begun += 1
  }

  /** One control step; after an ending, of the time until the next episode, which it begins. */
  step(): void {
    if (this.ending === '') this.play()
    else this.wait()
    copyFrames(this.now, this.before)
    this.engine.readFrames(this.now)
    this.steps += 1
  }

  /** The point to reach, its radius in metres, and whether it was reached; null where there is nothing to reach. */
  get goal(): { point: [number, number, number]; radius: number; struck: boolean } | null {
    const { env } = this.stage
    if (!env.has_target) return null
    const [x, y, z] = this.episode.state.target
    const radius = env.reach_radius * this.animal.anatomy.hip_height
    return { point: [x, y, z], radius, struck: this.episode.state.struck >= 0 }
  }

  /** Horizontal speed of the torso, m/s. */
  get speed(): number {
    const qvel = this.engine.data.qvel
    return Math.hypot(qvel[0], qvel[1])
  }

  delete(): void {
    this.engine.delete()
  }

  private play(): void {
    if (this.hand.active) this.contact.holdTrunk()
    const step = this.episode.step((data) => this.hand.apply(data))
    this.seconds += this.animal.anatomy.dt
    if (step.succeeded) this.ending = 'success'
    else if (step.terminated) this.ending = step.reasons
    else if (step.truncated) this.timeOver()
    if (step.terminated && !step.succeeded) this.contact.fall(this.engine.data)
  }

  /** Standing and walking have no end but falling: here they go on. Hunting has failed. */
  private timeOver(): void {
    if (this.stage.env.has_target) {
      this.ending = 'time'
      return
    }
    const qpos = this.engine.data.qpos // what it walks to stays as far away as it was
    this.episode.goOn()
    this.episode.lead(qpos[0] + this.bearing[0], qpos[1] + this.bearing[1])
  }

  private wait(): void {
    const { dt, nu } = this.animal.anatomy
    const fell = typeof this.ending !== 'string'
    if (fell) {
      const home = this.episode.task.servoTargets(new Float32Array(nu))
      this.engine.step(home, [0, 0, 0], (data) => this.hand.apply(data))
      this.contact.settle(dt)
    } else this.episode.step((data) => this.hand.apply(data))
    this.sinceEnd += dt
    const kind = fell ? 'fall' : (this.ending as 'success' | 'time')
    if (this.sinceEnd >= AFTER[kind] && !this.hand.active) this.begin(this.seed, this.number + 1)
  }
}
