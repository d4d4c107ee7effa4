/** One animal at one stage: policy, task and engine, which together make an episode. */
import { Policy } from './policy.ts'
import type { AnimalData, Constants, StageData } from './parcel.ts'
import type { Disturb, Engine } from './physics/engine.ts'
import { episodeUniforms } from './task/philox.ts'
import { Task } from './task/task.ts'
import type { State } from './task/state.ts'
import type { Step } from './task/task.ts'

export class Episode {
  readonly task: Task
  state: State
  observation: Float32Array = new Float32Array()
  action: Float32Array
  private policy: Policy

  constructor(
    readonly engine: Engine,
    private readonly animal: AnimalData,
    public stage: StageData,
    private readonly constants: Constants,
  ) {
    this.task = new Task(animal.anatomy, stage.env, constants)
    this.policy = policyOf(animal, stage, constants)
    this.action = new Float32Array(animal.anatomy.nu)
    this.state = this.task.reset(new Float32Array(stage.env.uniforms)).state
  }

  /** Go on with another policy of the same animal from the next step on. */
  setPolicy(stage: StageData): void {
    this.policy = policyOf(this.animal, stage, this.constants)
    this.stage = stage
  }

  /** Begin the episode of `seed` that `mesozoic render --seed SEED --episode NUMBER` shows. */
  begin(seed: number, number: number): void {
    this.beginFrom(episodeUniforms(seed, this.constants.stream, number, 0, this.stage.env.uniforms))
  }

  /** Begin from samples [env.uniforms] of [0, 1). */
  beginFrom(samples: ArrayLike<number>): void {
    const first = this.task.reset(samples)
    this.engine.reset(first.qpos, first.qvel, first.friction)
    const begun = this.task.begin(first.state, this.engine.sensed())
    this.state = begun.state
    this.observation = begun.observation
    this.action = new Float32Array(this.animal.anatomy.nu)
  }

  /** One control step, with forces by hand added to the scheduled pushes. */
  step(disturb?: Disturb): Step {
    this.action = this.policy.act(this.observation)
    this.engine.step(this.task.servoTargets(this.action), this.task.pushForce(this.state), disturb)
    const step = this.task.judge(this.state, this.engine.sensed(), this.action)
    this.state = step.state
    this.observation = step.observation
    return step
  }

  /** Put what should be reached somewhere else. */
  lead(x: number, y: number): void {
    this.state = { ...this.state, target: [Math.fround(x), Math.fround(y), this.state.target[2]] }
  }

  /** Go on beyond the end of time: pushes are scheduled once more from the beginning. */
  goOn(): void {
    this.state = { ...this.state, step: 0 }
  }
}

export function policyOf(animal: AnimalData, stage: StageData, constants: Constants): Policy {
  const inputs = animal.layout.reduce((sum, [, size]) => sum + size, 0)
  return new Policy(stage.policy, constants.clip, inputs, animal.anatomy.nu)
}
