/** What the animal should reach: a sphere on a post (prey) or on a trunk (food), with its place on the floor. */
import * as THREE from 'three'
import type { Appearance, Colour, Vector } from './appearance.ts'
import { shiny } from './material.ts'

const GLOW = 0.4
const DISC_OPACITY = 0.45
const ROUND = 24
const HANDLE = 1.3 // times the radius: how near a pointer must be to take it

export class Goal {
  readonly group = new THREE.Group()
  readonly handles: THREE.Object3D[] = []
  private core = new THREE.Mesh()
  private shell = new THREE.Mesh()
  private readonly posts: Record<'post' | 'trunk', THREE.Mesh> = { post: new THREE.Mesh(), trunk: new THREE.Mesh() }
  private disc = new THREE.Mesh()
  private marks: Appearance['marks'] | null = null
  private h = 1

  build(appearance: Appearance): void {
    const { marks, hip_height: h } = appearance
    this.marks = marks
    this.h = h
    this.group.clear()
    const post = (width: number, paint: Colour) =>
      new THREE.Mesh(new THREE.CylinderGeometry(width * h, width * h, 1, 12).rotateX(Math.PI / 2), shiny(paint, 1, 0.5, 0.5))
    this.core = new THREE.Mesh(new THREE.SphereGeometry(marks.core * h, ROUND, 16), shiny(marks.open, 1, 0.5, 0.5))
    this.shell = new THREE.Mesh(new THREE.SphereGeometry(1, ROUND, 16), shiny(marks.open, marks.opacity, 0.5, 0.5))
    this.disc = new THREE.Mesh(new THREE.CircleGeometry(1, 32), shiny(marks.shade, DISC_OPACITY, 0, 0.5))
    this.posts.post = post(marks.post, marks.shade)
    this.posts.trunk = post(marks.trunk, marks.bark)
    const handle = new THREE.Mesh(new THREE.SphereGeometry(HANDLE, 12, 8), new THREE.MeshBasicMaterial())
    handle.visible = false // seen by no camera, only by pointers
    this.shell.add(handle)
    this.core.castShadow = this.posts.post.castShadow = this.posts.trunk.castShadow = true
    this.handles.splice(0, this.handles.length, handle)
    this.group.add(this.core, this.shell, this.disc, this.posts.post, this.posts.trunk)
    this.group.visible = false
  }

  /** Show it at a point, with the radius within which it is reached; green once it was. */
  show([x, y, z]: Vector, radius: number, struck: boolean): void {
    if (!this.marks) return
    this.group.visible = true
    this.group.position.set(x, y, z)
    this.shell.scale.setScalar(radius)
    this.disc.scale.set(radius, radius, 1)
    this.disc.position.z = 0.004 * this.h - z
    const food = z > this.h
    this.posts.trunk.visible = food
    this.posts.post.visible = !food
    for (const post of Object.values(this.posts)) {
      post.scale.z = Math.max(z, 1e-6)
      post.position.z = -z / 2
    }
    const [r, g, b] = struck ? this.marks.struck : this.marks.open
    for (const mesh of [this.core, this.shell]) {
      const material = mesh.material as THREE.MeshPhongMaterial
      material.color.setRGB(r, g, b)
      material.emissive.setRGB(r * GLOW, g * GLOW, b * GLOW)
    }
  }

  hide(): void {
    this.group.visible = false
  }
}
