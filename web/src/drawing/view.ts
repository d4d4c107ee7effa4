/**
 * The renderer: draws what `mesozoic render` draws, on a canvas. It knows neither physics nor task nor page.
 *
 * Two things are drawn from:
 *   - an `Appearance` (appearance.ts): what an animal, its floor, light and sky look like; plain JSON that Python reads
 *     from the compiled model (`mesozoic.rendering.appearance.appearance_of`);
 *   - a stream of `Frames` (frames.ts): world position and quaternion of every body. The physics has them; for a
 *     recorded `qpos` they come from `poseFrames(appearance, qpos, frames)`.
 *
 *     const view = new View(canvas, GOOD)                    // throws NoWebGL with a sentence
 *     const animal = view.stage(appearance)                  // floor, sky, light and the animal; replaces what was there
 *     const ghost = view.add(appearance, { opacity: 0.3 })   // more animals beside it
 *     animal.pose(frames)                                    // as often as there is a new pose
 *     view.goal.show([x, y, z], radius, struck)              // what it should reach; view.goal.hide()
 *     view.arrow.show(from, [dx, dy, dz], limit, opacity)    // a push; view.arrow.hide()
 *     const camera = new FollowCamera(appearance.camera)     // camera.ts: follows calmly, all of the animal in the frame
 *     camera.look(animal.outline(frames), frames, seconds, { point, radius } or null)
 *     view.draw(camera)
 */
import * as THREE from 'three'
import { Animal } from './animal.ts'
import type { AnimalStyle } from './animal.ts'
import type { Appearance, Vector } from './appearance.ts'
import { Arrow } from './arrow.ts'
import type { FollowCamera } from './camera.ts'
import { Goal } from './goal.ts'
import type { Quality } from './quality.ts'
import { Surroundings } from './surroundings.ts'

THREE.ColorManagement.enabled = false // MuJoCo mixes colours as they are shown, without gamma

export class NoWebGL extends Error {}

/** What lies under a point of the canvas. */
export interface Picked {
  what: 'goal' | 'animal' | 'nothing'
  body: number
  point: Vector
}

const NEAR_PLANE = 0.02
const FAR_PLANE = 400

export class View {
  readonly goal = new Goal()
  readonly arrow = new Arrow()
  readonly camera = new THREE.PerspectiveCamera(45, 1, NEAR_PLANE, FAR_PLANE)
  animals: Animal[] = []
  private readonly renderer: THREE.WebGLRenderer
  private scene = new THREE.Scene()
  private surroundings: Surroundings | null = null
  private readonly ray = new THREE.Raycaster()

  constructor(
    readonly canvas: HTMLCanvasElement,
    private quality: Quality,
  ) {
    try {
      this.renderer = new THREE.WebGLRenderer({ canvas, antialias: quality.smooth, powerPreference: 'high-performance' })
    } catch {
      throw new NoWebGL('this browser does not draw with WebGL; turn on hardware acceleration, or try another browser')
    }
    this.renderer.outputColorSpace = THREE.LinearSRGBColorSpace
    this.renderer.shadowMap.type = THREE.PCFShadowMap
    this.camera.up.set(0, 0, 1)
    this.setQuality(quality)
  }

  /** Begin anew with one animal, on its own floor and under its own sky. */
  stage(appearance: Appearance): Animal {
    for (const animal of this.animals) animal.dispose()
    this.surroundings?.dispose()
    this.animals = []
    this.scene = new THREE.Scene()
    this.surroundings = new Surroundings(this.scene, appearance, this.quality)
    this.goal.build(appearance)
    this.arrow.build(appearance)
    this.scene.add(this.goal.group, this.arrow.group)
    this.camera.fov = appearance.camera.fovy
    return this.add(appearance)
  }

  /** One more animal, or the ghost of one. */
  add(appearance: Appearance, style: AnimalStyle = {}): Animal {
    const animal = new Animal(appearance, this.quality, style)
    this.animals.push(animal)
    this.scene.add(animal.group)
    return animal
  }

  remove(animal: Animal): void {
    this.animals = this.animals.filter((one) => one !== animal)
    animal.group.removeFromParent()
    animal.dispose()
  }

  /** Another quality; how round shapes are changes with the next `stage`. */
  setQuality(quality: Quality): void {
    this.quality = quality
    this.renderer.shadowMap.enabled = quality.shadow > 0
    this.surroundings?.setQuality(quality)
    this.resize()
  }

  /** After the canvas has changed its size on the page. */
  resize(): void {
    const width = Math.max(1, this.canvas.clientWidth)
    const height = Math.max(1, this.canvas.clientHeight)
    this.renderer.setPixelRatio(Math.min(this.quality.ratio, globalThis.devicePixelRatio || 1))
    this.renderer.setSize(width, height, false)
    this.camera.aspect = width / height
  }

  get aspect(): number {
    return this.camera.aspect
  }

  draw(from: FollowCamera): void {
    const { camera } = this
    const [right, down] = from.shift
    camera.position.set(...from.position)
    camera.lookAt(...from.lookat)
    const [width, height] = [this.canvas.clientWidth || 1, this.canvas.clientHeight || 1]
    camera.setViewOffset(width, height, right * width, down * height, width, height)
    camera.updateProjectionMatrix()
    this.surroundings?.follow(from.lookat, from.position)
    this.renderer.render(this.scene, camera)
  }

  /** What a pointer at (x, y) of the window points at. */
  pick(x: number, y: number): Picked {
    this.aim(x, y)
    const touched = (objects: THREE.Object3D[]) => this.ray.intersectObjects(objects, true)[0]
    const goal = this.goal.group.visible ? touched(this.goal.handles) : undefined
    const animal = this.animals.length ? touched([this.animals[0].group]) : undefined
    if (goal && !(animal && animal.distance < goal.distance)) return { what: 'goal', body: 0, point: goal.point.toArray() }
    if (animal) return { what: 'animal', body: animal.object.userData.body, point: animal.point.toArray() }
    return { what: 'nothing', body: 0, point: [0, 0, 0] }
  }

  /** Where the line of sight through (x, y) of the window meets the plane through `point` with this normal. */
  onPlane(x: number, y: number, point: Vector, normal: Vector): Vector | null {
    this.aim(x, y)
    const plane = new THREE.Plane().setFromNormalAndCoplanarPoint(new THREE.Vector3(...normal), new THREE.Vector3(...point))
    return this.ray.ray.intersectPlane(plane, new THREE.Vector3())?.toArray() ?? null
  }

  /** The direction in which the camera looks. */
  get ahead(): Vector {
    return this.camera.getWorldDirection(new THREE.Vector3()).toArray()
  }

  /** Where a point is seen, in pixels of the window. */
  project(point: Vector): [number, number] {
    const at = new THREE.Vector3(...point).project(this.camera)
    const box = this.canvas.getBoundingClientRect()
    return [box.left + ((at.x + 1) / 2) * box.width, box.top + ((1 - at.y) / 2) * box.height]
  }

  /** Draw calls and triangles of the last picture, and what draws them. */
  get work(): { calls: number; triangles: number; by: string } {
    const gl = this.renderer.getContext()
    const told = gl.getExtension('WEBGL_debug_renderer_info')
    const by = told ? String(gl.getParameter(told.UNMASKED_RENDERER_WEBGL)) : ''
    const { calls, triangles } = this.renderer.info.render
    return { calls, triangles, by }
  }

  /** How many colours the picture has that is drawn now: few, where nothing is to be seen. */
  colours(from: FollowCamera): number {
    this.draw(from)
    const gl = this.renderer.getContext()
    const [width, height] = [gl.drawingBufferWidth, gl.drawingBufferHeight]
    const pixels = new Uint8Array(4 * width * height)
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels)
    const found = new Set<number>()
    for (let i = 0; i < pixels.length; i += 4) found.add((pixels[i] << 16) | (pixels[i + 1] << 8) | pixels[i + 2])
    return found.size
  }

  private aim(x: number, y: number): void {
    const box = this.canvas.getBoundingClientRect()
    const across = ((x - box.left) / box.width) * 2 - 1
    const up = 1 - ((y - box.top) / box.height) * 2
    this.ray.setFromCamera(new THREE.Vector2(across, up), this.camera)
  }
}
