/** Floor, sky, light and haze around an animal; they follow it, so that the world has no end. */
import * as THREE from 'three'
import type { Appearance, Colour, Floor, Vector } from './appearance.ts'
import { fromBase64 } from './bytes.ts'
import { FULL } from './material.ts'
import type { Quality } from './quality.ts'

const FLOOR_SIDE = 240 // metres
const SKY_RADIUS = 300
const SAND: Colour = [0.73, 0.63, 0.48]
const SKY: Colour = [0.7, 0.79, 0.85]
const HAZE_FROM = 12 // hip heights
const HAZE_TO = 90
const SHADOW_REACH = 3.2
const SUN_DISTANCE = 8
const RISE = 0.35 // height of the sky at which it has the colour of its top, as a sine

export class Surroundings {
  private readonly h: number
  private readonly floor: THREE.Mesh<THREE.PlaneGeometry, THREE.MeshLambertMaterial>
  private readonly sky: THREE.Mesh<THREE.SphereGeometry, THREE.MeshBasicMaterial>
  private readonly head: THREE.DirectionalLight
  private readonly sun: THREE.DirectionalLight | null
  private readonly sunlight: THREE.Vector3
  private readonly tile: [number, number]

  constructor(scene: THREE.Scene, appearance: Appearance, quality: Quality) {
    this.h = appearance.hip_height
    const horizon = colour(appearance.sky.at(-1) ?? SKY).lerp(colour(appearance.haze), 0.6)
    scene.fog = new THREE.Fog(horizon, HAZE_FROM * this.h, HAZE_TO * this.h)
    this.floor = ground(appearance.floor)
    this.tile = appearance.floor ? [1 / appearance.floor.repeat[0], 1 / appearance.floor.repeat[1]] : [1, 1]
    this.sky = dome(appearance.sky.length ? appearance.sky : [SKY], horizon)
    this.head = new THREE.DirectionalLight(colour(appearance.headlight.diffuse), FULL)
    const ambient = new THREE.AmbientLight(colour(appearance.headlight.ambient), FULL)
    scene.add(this.floor, this.sky, ambient, this.head, this.head.target)
    const { sun } = appearance
    this.sunlight = new THREE.Vector3(...(sun?.dir ?? [0, 0, -1])).normalize()
    this.sun = sun ? new THREE.DirectionalLight(colour(sun.diffuse), FULL) : null
    if (this.sun) {
      this.prepareShadow(this.sun)
      scene.add(this.sun, this.sun.target)
    }
    this.setQuality(quality)
  }

  setQuality(quality: Quality): void {
    if (!this.sun) return
    this.sun.castShadow = quality.shadow > 0
    const map = this.sun.shadow
    if (map.mapSize.x === quality.shadow || quality.shadow === 0) return
    map.mapSize.set(quality.shadow, quality.shadow)
    map.map?.dispose()
    map.map = null
  }

  /** Be around what the camera at `eye` looks at. */
  follow(lookat: Vector, eye: Vector): void {
    const whole = (at: number, step: number) => Math.round(at / step) * step
    this.floor.position.set(whole(lookat[0], this.tile[0]), whole(lookat[1], this.tile[1]), 0)
    this.sky.position.set(...eye)
    this.head.position.set(...eye)
    this.head.target.position.set(...lookat)
    if (!this.sun) return
    const step = (2 * SHADOW_REACH * this.h) / this.sun.shadow.mapSize.x // whole texels, or edges crawl
    this.sun.target.position.set(whole(lookat[0], 8 * step), whole(lookat[1], 8 * step), 0)
    this.sun.position.copy(this.sun.target.position).addScaledVector(this.sunlight, -SUN_DISTANCE * this.h)
  }

  dispose(): void {
    this.floor.material.map?.dispose()
    for (const mesh of [this.floor, this.sky]) {
      mesh.geometry.dispose()
      mesh.material.dispose()
    }
    this.sun?.shadow.map?.dispose()
  }

  private prepareShadow(sun: THREE.DirectionalLight): void {
    const { camera } = sun.shadow
    const reach = SHADOW_REACH * this.h
    camera.left = camera.bottom = -reach
    camera.right = camera.top = reach
    camera.near = 0.1 * this.h
    camera.far = 2 * SUN_DISTANCE * this.h
    sun.shadow.bias = -0.0005
    sun.shadow.normalBias = 0.01 * this.h
  }
}

function colour([r, g, b]: Colour): THREE.Color {
  return new THREE.Color(r, g, b)
}

function ground(floor: Floor | null): THREE.Mesh<THREE.PlaneGeometry, THREE.MeshLambertMaterial> {
  const material = new THREE.MeshLambertMaterial(floor ? { map: pattern(floor) } : { color: colour(SAND) })
  const mesh = new THREE.Mesh(new THREE.PlaneGeometry(FLOOR_SIDE, FLOOR_SIDE), material)
  mesh.receiveShadow = true
  return mesh
}

function pattern(floor: Floor): THREE.DataTexture {
  const rgb = fromBase64(floor.pixels)
  const rgba = new Uint8Array(4 * floor.width * floor.height).fill(255)
  for (let i = 0; i < floor.width * floor.height; i++) rgba.set(rgb.subarray(3 * i, 3 * i + 3), 4 * i)
  const texture = new THREE.DataTexture(rgba, floor.width, floor.height)
  texture.wrapS = texture.wrapT = THREE.RepeatWrapping
  texture.repeat.set(FLOOR_SIDE * floor.repeat[0], FLOOR_SIDE * floor.repeat[1])
  texture.magFilter = THREE.LinearFilter
  texture.minFilter = THREE.LinearMipmapLinearFilter
  texture.generateMipmaps = true
  texture.anisotropy = 8
  texture.needsUpdate = true
  return texture
}

/** A dome with the colours of the sky from its top to the horizon, and the haze at the horizon itself. */
function dome(sky: Colour[], horizon: THREE.Color): THREE.Mesh<THREE.SphereGeometry, THREE.MeshBasicMaterial> {
  const geometry = new THREE.SphereGeometry(SKY_RADIUS, 24, 64).rotateX(Math.PI / 2)
  const heights = geometry.attributes.position
  const colours: number[] = []
  for (let i = 0; i < heights.count; i++) {
    const up = Math.min(1, Math.max(0, heights.getZ(i) / SKY_RADIUS / RISE))
    const from = colour(sky[Math.round((1 - up) * (sky.length - 1))])
    const seen = horizon.clone().lerp(from, Math.min(1, up * 3))
    colours.push(seen.r, seen.g, seen.b)
  }
  geometry.setAttribute('color', new THREE.Float32BufferAttribute(colours, 3))
  const material = new THREE.MeshBasicMaterial({ vertexColors: true, side: THREE.BackSide, fog: false, depthWrite: false })
  const mesh = new THREE.Mesh(geometry, material)
  mesh.renderOrder = -1
  return mesh
}
