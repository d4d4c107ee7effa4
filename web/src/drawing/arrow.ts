/** The arrow of a push; of a push by hand, with a ring at the strongest push of the training. */
import * as THREE from 'three'
import type { Appearance, Vector } from './appearance.ts'

const HEAD_LENGTH = 4 // widths of the arrow
const HEAD_WIDTH = 1.6
const RING_WIDTH = 2.2
const SHORTEST = 1e-3

export class Arrow {
  readonly group = new THREE.Group()
  private shaft = new THREE.Mesh()
  private tip = new THREE.Mesh()
  private ring = new THREE.Mesh()
  private width = 1

  build(appearance: Appearance): void {
    const { marks } = appearance
    const width = (this.width = marks.arrow_width * appearance.hip_height)
    const paint = (colour: THREE.Color) =>
      new THREE.MeshBasicMaterial({ color: colour, fog: false, depthTest: false, transparent: true })
    const red = paint(new THREE.Color(...marks.red))
    const turned = (geometry: THREE.BufferGeometry) => geometry.rotateZ(-Math.PI / 2)
    this.group.clear()
    this.shaft = new THREE.Mesh(turned(new THREE.CylinderGeometry(0.5 * width, 0.5 * width, 1, 12)), red)
    this.tip = new THREE.Mesh(turned(new THREE.ConeGeometry(HEAD_WIDTH * width, HEAD_LENGTH * width, 16)), red)
    const ring = new THREE.TorusGeometry(RING_WIDTH * width, 0.3 * width, 8, 24).rotateY(Math.PI / 2)
    this.ring = new THREE.Mesh(ring, paint(new THREE.Color(1, 1, 1)))
    this.group.add(this.shaft, this.tip, this.ring)
    for (const part of this.group.children) part.renderOrder = 9 // over the body that would hide it
    this.group.visible = false
  }

  /**
   * Show it from a point along a vector, both in metres.
   *
   * @param limit where on it the ring is, metres; 0: none
   */
  show(from: Vector, along: Vector, limit: number, opacity = 1): void {
    const length = Math.hypot(...along)
    this.group.visible = length > SHORTEST && opacity > 0
    if (!this.group.visible) return
    this.group.position.set(...from)
    const direction = new THREE.Vector3(...along).divideScalar(length)
    this.group.quaternion.setFromUnitVectors(new THREE.Vector3(1, 0, 0), direction)
    const head = Math.min(HEAD_LENGTH * this.width, 0.6 * length)
    this.tip.scale.x = head / (HEAD_LENGTH * this.width)
    this.tip.position.x = length - head / 2
    this.shaft.scale.x = length - head
    this.shaft.position.x = (length - head) / 2
    this.ring.visible = limit > 0
    this.ring.position.x = limit
    for (const part of [this.shaft, this.tip, this.ring]) (part.material as THREE.MeshBasicMaterial).opacity = opacity
  }

  hide(): void {
    this.group.visible = false
  }
}
