/** The page as a whole: the world in real time, drawn; and what the user chooses. */
import { FollowCamera } from '../drawing/camera.ts'
import { betweenFrames, emptyFrames } from '../drawing/frames.ts'
import type { Frames } from '../drawing/frames.ts'
import { GOOD, LEVELS, PLAIN, Pace } from '../drawing/quality.ts'
import type { Animal } from '../drawing/animal.ts'
import { View } from '../drawing/view.ts'
import type { AnimalData, Parcel, StageData } from '../parcel.ts'
import type { MuJoCo } from '../physics/mujoco.ts'
import { agrees, checkStage } from './check.ts'
import type { Checked } from './check.ts'
import { Clock } from './clock.ts'
import { Follow } from './follow.ts'
import type { Options } from './options.ts'
import { LARGEST_EPISODE, Panel } from './panel.ts'
import { Pointer } from './pointer.ts'
import { Shove } from './shove.ts'
import { World } from './world.ts'

const SLOW = 0.25

/** Times of the page, milliseconds: means since it was opened. */
export interface Times {
  frames: number
  step: number
  draw: number
}

export class Game {
  readonly view: View
  readonly panel: Panel
  readonly pointer: Pointer
  readonly times: Times = { frames: 0, step: 0, draw: 0 }
  readonly follows: Follow | null
  readonly checked = new Map<StageData, Checked>()
  world: World
  camera: FollowCamera
  clock: Clock
  private animal: Animal
  private readonly shove = new Shove()
  private shown: Frames
  private last = 0
  private readonly pace: Pace | null

  constructor(
    private readonly mujoco: MuJoCo,
    readonly parcel: Parcel,
    options: Options,
    canvas: HTMLCanvasElement,
  ) {
    this.pace = options.plain ? null : new Pace()
    const { animal, stage } = chosen(parcel.animals, options)
    this.view = new View(canvas, options.plain ? PLAIN : GOOD)
    this.camera = new FollowCamera(animal.appearance.camera)
    this.world = new World(mujoco, animal, stage, parcel.constants)
    this.clock = new Clock(animal.anatomy.dt)
    this.animal = this.view.stage(animal.appearance)
    this.shown = emptyFrames(animal.appearance.bodies.length)
    this.pointer = new Pointer(this.view, () => this.camera, () => this.world, () => this.shown)
    this.panel = new Panel(parcel.animals, {
      animal: (name) => this.choose({ animal: name }),
      stage: (number) => this.choose({ animal: this.world.animal.name, stage: number }),
      episode: (seed, number) => this.begin(seed, number),
      next: () => this.begin(this.world.seed, (this.world.number + 1) % (LARGEST_EPISODE + 1)),
      again: () => this.begin(this.world.seed, this.world.number),
      pause: () => this.setSpeed(!this.clock.paused, this.clock.speed),
      slow: () => this.setSpeed(this.clock.paused, this.clock.speed === 1 ? SLOW : 1),
      camera: () => this.resetCamera(),
    })
    this.setSpeed(options.paused, 1)
    this.begin(options.seed ?? 0, options.episode ?? 0)
    this.present()
    this.follows = parcel.start.follow ? new Follow((fresh) => this.swap(fresh)) : null
    addEventListener('resize', () => this.view.resize())
    document.addEventListener('visibilitychange', () => (this.last = 0)) // a tab that was hidden goes on where it was
  }

  /** Call at every frame of the browser, with its time in milliseconds. */
  frame(time: number): void {
    const elapsed = this.last ? (time - this.last) / 1000 : 0
    this.last = time
    this.advance(this.clock.advance(elapsed))
    this.draw(this.clock.share)
    if (elapsed < 1 && this.pace?.frame(elapsed)) this.view.setQuality(LEVELS[this.pace.level])
  }

  /** Take control steps, however long they take. */
  advance(steps: number): void {
    const began = performance.now()
    for (let i = 0; i < steps; i++) {
      const episodes = this.world.begun
      this.world.step()
      if (this.world.begun !== episodes) this.startOver()
    }
    this.times.step += performance.now() - began
  }

  /** Let the camera follow what is shown, `share` of a control step after the last but one. */
  private follow(share: number): void {
    const { world, camera } = this
    camera.aspect = this.view.aspect
    camera.cover(...this.panel.covered())
    const seconds = (world.steps - 1 + share) * world.animal.anatomy.dt
    if (this.pointer.drag === 'lead') camera.hold(seconds)
    else camera.look(this.animal.outline(this.shown), this.shown, seconds, world.goal)
  }

  /** Draw the moment `share` of a control step after the last but one. */
  draw(share: number): void {
    const began = performance.now()
    const { world, view } = this
    betweenFrames(world.before, world.now, share, this.shown)
    this.animal.pose(this.shown)
    const goal = world.goal
    if (goal) view.goal.show(goal.point, goal.radius, goal.struck)
    else view.goal.hide()
    this.drawPush()
    this.follow(share)
    view.draw(this.camera)
    this.panel.showEnding(world.ending, world.animal)
    this.panel.showFigures(`${world.seconds.toFixed(1)} s   ${world.speed.toFixed(2)} m/s`)
    this.times.draw += performance.now() - began
    this.times.frames += 1
  }

  begin(seed: number, number: number): void {
    this.world.begin(seed, number)
    this.startOver()
  }

  choose(wanted: { animal: string; stage?: number }): void {
    const { animal, stage } = chosen(this.parcel.animals, { stage: this.world.stage.number, ...wanted })
    const { seed } = this.world
    if (animal !== this.world.animal) {
      this.world.delete()
      this.world = new World(this.mujoco, animal, stage, this.parcel.constants)
      this.animal = this.view.stage(animal.appearance)
      this.shown = emptyFrames(animal.appearance.bodies.length)
      this.camera = new FollowCamera(animal.appearance.camera)
    } else this.world.setStage(stage)
    this.begin(seed, 0)
    this.present()
  }

  /** Another policy of the animal, of the stage that is played or of a new one: it acts from the next step on. */
  swap(fresh: StageData): void {
    const { stages } = this.world.animal
    const at = stages.findIndex((one) => one.number === fresh.number)
    stages.splice(at < 0 ? stages.length : at, at < 0 ? 0 : 1, fresh)
    if (fresh.number === this.world.stage.number) this.world.swap(fresh)
    else this.choose({ animal: this.world.animal.name, stage: fresh.number })
    this.present()
  }

  setSpeed(paused: boolean, speed: number): void {
    this.clock.paused = paused
    this.clock.speed = speed
    this.panel.showSpeed(paused, speed !== 1)
  }

  resetCamera(): void {
    this.camera.turn = this.camera.tilt = 0
    this.camera.zoom = 1
  }

  /** Show what is played, and whether the page computes it as Python does. */
  present(): void {
    const { animal, stage } = this.world
    this.panel.showAnimal(animal, stage)
    let found = this.checked.get(stage)
    if (!found) this.checked.set(stage, (found = checkStage(animal, stage, this.parcel.constants)))
    const ours = this.mujoco.mj_versionString()
    const versions = ours === this.parcel.mujoco ? `MuJoCo ${ours}` : `MuJoCo ${ours} here, ${this.parcel.mujoco} in Python`
    const states = `${found.states} states of real episodes`
    const detail = agrees(found)
      ? `Observation, action, servo targets, pushes and endings of ${states} agree with Python's within ${found.worst.toExponential(0)}.`
      : `Of ${states}, ${[...found.wrong, found.where].join(', ')} differs from Python's by ${found.worst.toExponential(0)}.`
    const verdict = this.proven ? 'checked: the numbers of the training' : 'NOT the numbers of the training'
    this.panel.showProof(verdict, `${detail} ${versions}.`, this.proven)
  }

  get proven(): boolean {
    const found = this.checked.get(this.world.stage)
    return found !== undefined && agrees(found) && this.mujoco.mj_versionString() === this.parcel.mujoco
  }

  private startOver(): void {
    this.clock.restart()
    this.camera.begin()
    this.shove.begin()
    this.panel.showEpisode(this.world.seed, this.world.number)
  }

  /** The arrow of the push by hand, or of the scheduled one that acts or acted just now. */
  private drawPush(): void {
    const { world, view } = this
    const hand = world.hand.arrow(this.shown.pos, this.shown.quat)
    if (hand) {
      view.arrow.show(hand.from, hand.along, world.hand.reach)
      return
    }
    const shove = this.shove.look(world, this.shown, this.animal)
    if (shove) view.arrow.show(shove.from, shove.along, 0, shove.opacity)
    else view.arrow.hide()
  }
}

/** The animal and the stage that are meant; what is not there gives way to the first and the last. */
export function chosen(animals: AnimalData[], wanted: { animal?: string; stage?: number }) {
  const animal = animals.find((one) => one.name === wanted.animal) ?? animals[0]
  const stage = animal.stages.find((one) => one.number === wanted.stage) ?? animal.stages[animal.stages.length - 1]
  if (!stage) throw new Error(`there is no policy of ${animal.name} in this file; write it again with mesozoic play --html`)
  return { animal, stage }
}
