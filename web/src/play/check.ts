/** The page's own check: does it make of a few real states what Python made of them? */
import { Policy } from '../policy.ts'
import { policyOf } from '../episode.ts'
import type { AnimalData, Constants, Example, StageData } from '../parcel.ts'
import { hideTarget, kinematics } from '../task/kinematics.ts'
import { stateOf } from '../task/state.ts'
import { Task } from '../task/task.ts'

/** How far numbers of the page may be from those of Python. */
export const TOLERANCE = 1e-5

export interface Checked {
  states: number
  worst: number // largest difference, with pushes and distances as a share of what is large in them
  where: string
  wrong: string[] // flags that differ
}

export const agrees = (checked: Checked): boolean => checked.worst <= TOLERANCE && checked.wrong.length === 0

export function checkStage(animal: AnimalData, stage: StageData, constants: Constants): Checked {
  const task = new Task(animal.anatomy, stage.env, constants)
  const policy = policyOf(animal, stage, constants)
  const checked: Checked = { states: 0, worst: 0, where: '', wrong: [] }
  for (const example of stage.examples) checkExample(task, policy, example, checked, animal.layout)
  return checked
}

function checkExample(task: Task, policy: Policy, example: Example, checked: Checked, layout: AnimalData['layout']): void {
  const note = (where: string, ours: ArrayLike<number>, theirs: ArrayLike<number>, unit = 1) => {
    const off = difference(ours, theirs) / unit
    if (!(off <= checked.worst)) [checked.worst, checked.where] = [off, where]
  }
  const { anatomy, constants } = task
  const [state, { next }] = [stateOf(example.state), example]
  const seen = kinematics(anatomy, constants, state, example.sensed)
  const observation = task.observe(state, example.sensed, hideTarget(seen, state.struck >= 0))
  let at = 0
  for (const [block, size] of layout) {
    note(block, observation.subarray(at, at + size), example.observation.slice(at, at + size))
    at += size
  }
  note('action', policy.act(observation), example.action)
  note('servo targets', task.servoTargets(policy.act(observation)), example.targets)
  note('push', task.pushForce(state), example.push, anatomy.weight)
  const step = task.judge(state, next.sensed, next.action)
  note('next observation', step.observation, next.observation)
  note('gait clock', [step.state.phase], [next.state.phase])
  note('gap', [step.state.gap], [next.state.gap], Math.max(1, next.state.gap))
  const flags: [string, unknown, unknown][] = [
    ['terminated', step.terminated, next.terminated],
    ['truncated', step.truncated, next.truncated],
    ['succeeded', step.succeeded, next.succeeded],
    ['struck', step.state.struck, next.state.struck],
    ['reasons', step.reasons.join(), next.reasons.join()],
  ]
  for (const [name, ours, theirs] of flags) if (ours !== theirs) checked.wrong.push(name)
  checked.states += 1
}

function difference(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  if (ours.length !== theirs.length) return Infinity
  let most = 0
  for (let i = 0; i < ours.length; i++) {
    const off = Math.abs(ours[i] - theirs[i])
    if (!(off <= most)) most = off // not a number counts as well
  }
  return most
}
