/** Plays the episodes of a replay page: which one, at which moment, how fast; and draws it. */
import type { Vector } from '../drawing/appearance.ts'
import { FollowCamera } from '../drawing/camera.ts'
import { GOOD, LEVELS, PLAIN, Pace } from '../drawing/quality.ts'
import { backOf } from '../drawing/back.ts'
import { View } from '../drawing/view.ts'
import { Actor } from './actor.ts'
import { unpackFeet, unpackPoses } from './motion.ts'
import { CameraPath } from './path.ts'
import type { EpisodeData, Replay } from './parcel.ts'
import { Strip } from './strip.ts'

const GHOST = { opacity: 0.35 }
const TINTS: [number, number, number][] = [[0.55, 0.75, 1], [1, 0.8, 0.5], [0.75, 0.6, 1], [0.6, 1, 0.7]]
const LONGEST = 0.25 // seconds of a frame that count

export interface Told {
  episode(index: number): void
  moment(seconds: number, total: number, text: string): void
  playing(playing: boolean, speed: number): void
}

export class Player {
  readonly view: View
  readonly times = { frames: 0, draw: 0 }
  index = -1
  moment = 0 // poses after the first
  playing: boolean
  speed = 1
  ghosts = true
  private camera!: FollowCamera
  private path!: CameraPath
  private actor!: Actor
  private others: Actor[] = []
  private lift = 0
  private last = 0
  private shownAnimal = ''
  private readonly strip: Strip
  private readonly pace: Pace | null

  constructor(
    readonly replay: Replay,
    private readonly bytes: Uint8Array,
    canvas: HTMLCanvasElement,
    strip: HTMLCanvasElement,
    private readonly told: Told,
    options: { plain: boolean; paused: boolean },
  ) {
    this.view = new View(canvas, options.plain ? PLAIN : GOOD)
    this.pace = options.plain ? null : new Pace()
    this.playing = !options.paused
    this.strip = new Strip(strip, (moment) => this.seek(moment))
  }

  get episode(): EpisodeData {
    return this.replay.episodes[this.index]
  }

  get steps(): number {
    return this.episode.poses - 1
  }

  get turned(): FollowCamera {
    return this.camera
  }

  /** Show another episode from its beginning. */
  choose(index: number): void {
    const count = this.replay.episodes.length
    this.index = ((index % count) + count) % count
    const { episode } = this
    const { appearance } = this.replay.animals[episode.animal]
    for (const other of this.others) this.view.remove(other.animal)
    const animal = this.shownAnimal === episode.animal ? this.view.animals[0] : this.view.stage(appearance)
    this.shownAnimal = episode.animal
    this.actor = new Actor(animal, appearance, unpackPoses(episode, this.bytes), episode.poses)
    this.others = episode.ghosts.map((ghost, i) => {
      const shape = this.view.add(appearance, { ...GHOST, tint: TINTS[i % TINTS.length] })
      return new Actor(shape, appearance, unpackPoses(ghost, this.bytes), ghost.poses)
    })
    this.showGhosts(this.ghosts)
    const turn = this.camera
    this.camera = new FollowCamera(appearance.camera)
    if (turn) Object.assign(this.camera, { turn: turn.turn, tilt: turn.tilt, zoom: turn.zoom })
    this.frame()
    this.actor.show(0)
    this.lift = backOf(animal, this.actor.shown, appearance.hip_height) + appearance.marks.arrow_gap * appearance.hip_height
    this.moment = 0
    this.told.episode(this.index)
    this.strip.show({
      feet: episode.feet,
      loads: unpackFeet(episode, this.bytes),
      steps: this.steps,
      dt: episode.dt,
      pushes: episode.pushes,
      struck: episode.struck,
    })
    this.draw()
  }

  /** After the page has another size. */
  resize(): void {
    this.view.resize()
    this.strip.resize()
    this.frame()
    this.draw()
  }

  play(playing: boolean): void {
    if (playing && this.moment >= this.steps) this.moment = 0
    this.playing = playing
    this.told.playing(this.playing, this.speed)
  }

  setSpeed(speed: number): void {
    this.speed = speed
    this.told.playing(this.playing, this.speed)
  }

  showGhosts(shown: boolean): void {
    this.ghosts = shown
    for (const ghost of this.others) ghost.animal.group.visible = shown
  }

  seek(moment: number): void {
    this.moment = Math.max(0, Math.min(this.steps, moment))
    this.draw()
  }

  /** Call at every frame of the browser, with its time in milliseconds. */
  tick(time: number): void {
    const elapsed = this.last ? (time - this.last) / 1000 : 0
    this.last = time
    if (!this.playing) return
    this.moment += (Math.min(elapsed, LONGEST) * this.speed) / this.episode.dt
    if (this.moment >= this.steps) {
      this.moment = this.steps
      this.play(false)
    }
    this.draw()
    if (elapsed < 1 && this.pace?.frame(elapsed)) this.view.setQuality(LEVELS[this.pace.level])
  }

  draw(): void {
    const began = performance.now()
    const { episode, view, moment } = this
    this.actor.show(moment)
    for (const ghost of this.others) ghost.show(moment)
    if (episode.target) {
      const { point, radius } = episode.target
      view.goal.show(point, radius, episode.struck !== null && moment >= episode.struck)
    } else view.goal.hide()
    const push = this.drawPush()
    this.path.go(moment)
    view.draw(this.camera)
    this.strip.mark(moment)
    this.told.moment(moment * episode.dt, this.steps * episode.dt, this.figures(push))
    this.times.draw += performance.now() - began
    this.times.frames += 1
  }

  /** Work out where the camera is, for this shape of the picture. */
  private frame(): void {
    const { episode } = this
    const { appearance } = this.replay.animals[episode.animal]
    this.camera.aspect = this.view.aspect
    this.path = new CameraPath(this.camera, this.actor, appearance.bodies.length, episode.dt, episode.target)
  }

  private figures(push: number): string {
    const { episode, moment } = this
    const speed = this.actor.speed(moment, episode.dt)
    const parts = [`${(moment * episode.dt).toFixed(2)} s`]
    if (episode.task === 'locomotion' && speed !== null) parts.push(`${speed.toFixed(2)} m/s`)
    if (push > 0) parts.push(`push ${push.toFixed(2)} m/s`)
    if (episode.struck !== null && moment >= episode.struck) parts.push('hit')
    if (moment >= this.steps) parts.push(episode.why)
    return parts.join('   ')
  }

  /** The arrow of a push that acts, or acted just now; how strong it is, m/s. */
  private drawPush(): number {
    const { episode, view, moment } = this
    const { appearance } = this.replay.animals[episode.animal]
    const push = episode.pushes.filter((one) => one.from <= moment).at(-1)
    const faded = push ? ((moment - push.to) * episode.dt) / appearance.marks.arrow_fade : 1
    if (!push || faded >= 1) {
      view.arrow.hide()
      return 0
    }
    const along = push.velocity.map((part) => part * appearance.marks.arrow_scale) as Vector
    const { pos } = this.actor.shown
    view.arrow.show([pos[3], pos[4], pos[5] + this.lift], along, 0, Math.min(1, 1 - faded))
    return Math.hypot(...push.velocity)
  }
}
