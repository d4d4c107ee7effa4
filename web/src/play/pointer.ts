/**
 * Mouse and fingers on the picture: drag the animal to push it, what it should reach to lead it, anything else to turn the
 * camera; two fingers or the wheel go nearer. One code path for mouse and touch.
 */
import type { Vector } from '../drawing/appearance.ts'
import type { FollowCamera } from '../drawing/camera.ts'
import type { Frames } from '../drawing/frames.ts'
import type { View } from '../drawing/view.ts'
import type { World } from './world.ts'

const TURN = 0.3 // degrees a pixel
const NEAREST = 0.3
const FARTHEST = 4
const LEAD_REACH = 12 // hip heights from the animal within which it can be led

export type Drag = '' | 'push' | 'lead' | 'turn'

export class Pointer {
  drag: Drag = ''
  private readonly down = new Map<number, [number, number]>()
  private plane: { point: Vector; normal: Vector } = { point: [0, 0, 0], normal: [0, 0, 1] }

  constructor(
    private readonly view: View,
    private readonly camera: () => FollowCamera,
    private readonly world: () => World,
    private readonly shown: () => Frames,
  ) {
    const { canvas } = view
    canvas.addEventListener('pointerdown', (event) => this.press(event))
    canvas.addEventListener('pointermove', (event) => this.move(event))
    for (const kind of ['pointerup', 'pointercancel', 'lostpointercapture'] as const) {
      canvas.addEventListener(kind, (event) => this.lift(event))
    }
    canvas.addEventListener('wheel', (event) => this.roll(event), { passive: false })
    canvas.addEventListener('contextmenu', (event) => event.preventDefault())
  }

  private press(event: PointerEvent): void {
    this.view.canvas.setPointerCapture(event.pointerId)
    this.down.set(event.pointerId, [event.clientX, event.clientY])
    if (this.down.size > 1) {
      this.letGo()
      this.drag = 'turn'
      return
    }
    const picked = event.button === 0 ? this.view.pick(event.clientX, event.clientY) : null
    const world = this.world()
    if (picked?.what === 'goal' && world.ending === '') {
      this.drag = 'lead'
      this.plane = { point: [0, 0, world.episode.state.target[2]], normal: [0, 0, 1] }
    } else if (picked?.what === 'animal') {
      this.drag = 'push'
      this.plane = { point: picked.point, normal: this.view.ahead }
      const { pos, quat } = this.shown()
      world.hand.grab(picked.body, picked.point, pos, quat)
    } else this.drag = 'turn'
  }

  private move(event: PointerEvent): void {
    const before = this.down.get(event.pointerId)
    if (!before) return
    const now: [number, number] = [event.clientX, event.clientY]
    if (this.down.size === 2) {
      const other = [...this.down].find(([id]) => id !== event.pointerId)![1]
      const apart = (point: [number, number]) => Math.hypot(point[0] - other[0], point[1] - other[1])
      this.nearer(apart(before) / Math.max(1, apart(now)))
    } else if (this.drag === 'turn') {
      this.camera().turn -= (now[0] - before[0]) * TURN
      this.camera().tilt -= (now[1] - before[1]) * TURN
    } else {
      const at = this.view.onPlane(now[0], now[1], this.plane.point, this.plane.normal)
      if (at && this.drag === 'push') this.world().hand.pull(at)
      if (at && this.drag === 'lead') this.lead(at)
    }
    this.down.set(event.pointerId, now)
  }

  private lift(event: PointerEvent): void {
    if (!this.down.delete(event.pointerId)) return
    if (this.down.size === 0) this.letGo()
  }

  private letGo(): void {
    this.world().hand.release()
    this.drag = ''
  }

  private lead(to: Vector): void {
    const world = this.world()
    const { pos } = this.shown()
    const away = Math.hypot(to[0] - pos[3], to[1] - pos[4])
    if (away > LEAD_REACH * world.animal.anatomy.hip_height || world.ending !== '') return
    world.episode.lead(to[0], to[1])
    this.camera().reachFor(away)
  }

  private roll(event: WheelEvent): void {
    event.preventDefault()
    this.nearer(Math.exp(event.deltaY * 0.001))
  }

  private nearer(factor: number): void {
    this.camera().zoom = Math.min(FARTHEST, Math.max(NEAREST, this.camera().zoom * factor))
  }
}
