/** One animal as it is drawn: its shapes, merged body by body, and the outline that a camera keeps in its frame. */
import * as THREE from 'three'
import { mergeGeometries } from 'three/addons/utils/BufferGeometryUtils.js'
import type { Appearance, Shape, Vector } from './appearance.ts'
import { floats, fromBase64 } from './bytes.ts'
import { add, quaternionAt, rotate, vectorAt } from './frames.ts'
import type { Frames } from './frames.ts'
import { shiny } from './material.ts'
import type { Quality } from './quality.ts'

export interface AnimalStyle {
  opacity?: number // below 1: a ghost, which casts no shadow
  tint?: [number, number, number]
}

export class Animal {
  readonly group = new THREE.Group()
  private readonly bodies: THREE.Group[]
  private readonly corners: { body: number; points: Vector[] }[]
  private readonly seen: Float64Array

  constructor(appearance: Appearance, quality: Quality, style: AnimalStyle = {}) {
    this.bodies = appearance.bodies.map(() => new THREE.Group())
    this.group.add(...this.bodies)
    for (const shapes of alike(appearance.geoms)) {
      const geometry = mergeGeometries(shapes.map((shape) => solid(shape, quality.round)))
      const mesh = new THREE.Mesh(geometry, surface(shapes[0], style))
      mesh.castShadow = (style.opacity ?? 1) === 1 && shapes[0].rgba[3] === 1
      mesh.userData.body = shapes[0].body
      this.bodies[shapes[0].body].add(mesh)
    }
    this.corners = appearance.bodies.map((_, body) => ({
      body,
      points: body === 0 ? [] : appearance.geoms.filter((shape) => shape.body === body).flatMap(boxCorners),
    }))
    this.seen = new Float64Array(3 * this.corners.reduce((sum, one) => sum + one.points.length, 0))
  }

  /** Show it with its bodies there. */
  pose(frames: Frames): void {
    this.bodies.forEach((group, body) => {
      const [w, x, y, z] = quaternionAt(frames.quat, body)
      group.position.set(...vectorAt(frames.pos, body))
      group.quaternion.set(x, y, z, w)
    })
  }

  /** The corners of the boxes around its shapes in these frames, [3 * corners]; the array is used again. */
  outline(frames: Frames): Float64Array {
    let at = 0
    for (const { body, points } of this.corners) {
      const p = vectorAt(frames.pos, body)
      const q = quaternionAt(frames.quat, body)
      for (const point of points) {
        this.seen.set(add(p, rotate(q, point)), at)
        at += 3
      }
    }
    return this.seen
  }

  dispose(): void {
    this.group.traverse((part) => {
      if (!(part instanceof THREE.Mesh)) return
      part.geometry.dispose()
      part.material.dispose()
    })
  }
}

/** Shapes of one body with one kind of surface, which are drawn in one call. */
function alike(shapes: Shape[]): Shape[][] {
  const groups = new Map<string, Shape[]>()
  for (const shape of shapes) {
    const glow = shape.emission > 0 ? shape.rgba : shape.rgba[3]
    const key = JSON.stringify([shape.body, shape.specular, shape.shininess, shape.emission, glow])
    groups.set(key, [...(groups.get(key) ?? []), shape])
  }
  return [...groups.values()]
}

function surface(shape: Shape, style: AnimalStyle): THREE.MeshPhongMaterial {
  const opacity = shape.rgba[3] * (style.opacity ?? 1)
  const material = shiny(style.tint ?? [1, 1, 1], opacity, shape.specular, shape.shininess)
  material.vertexColors = true
  const [r, g, b] = shape.rgba
  material.emissive.setRGB(r * shape.emission, g * shape.emission, b * shape.emission)
  return material
}

/** The geometry of a shape in the frame of its body, coloured. */
function solid(shape: Shape, round: number): THREE.BufferGeometry {
  const geometry = plainSolid(shape, round)
  const [w, x, y, z] = shape.quat
  const place = new THREE.Matrix4().compose(
    new THREE.Vector3(...shape.pos),
    new THREE.Quaternion(x, y, z, w),
    new THREE.Vector3(1, 1, 1),
  )
  geometry.applyMatrix4(place)
  geometry.deleteAttribute('uv')
  const colours = new Float32Array(3 * geometry.attributes.position.count)
  for (let i = 0; i < colours.length; i += 3) colours.set(shape.rgba.slice(0, 3), i)
  geometry.setAttribute('color', new THREE.BufferAttribute(colours, 3))
  return geometry
}

/** Capsules and cylinders lie along z in MuJoCo, along y in three.js; their second size is half their length. */
function plainSolid(shape: Shape, round: number): THREE.BufferGeometry {
  const [a, b, c] = shape.size
  const rows = Math.max(6, Math.round(round * 0.65))
  switch (shape.kind) {
    case 'sphere':
      return new THREE.SphereGeometry(a, round, rows)
    case 'ellipsoid':
      return new THREE.SphereGeometry(1, round, rows).scale(a, b, c)
    case 'capsule':
      return new THREE.CapsuleGeometry(a, 2 * b, Math.max(3, rows >> 1), round, 1).rotateX(Math.PI / 2)
    case 'cylinder':
      return new THREE.CylinderGeometry(a, a, 2 * b, round).rotateX(Math.PI / 2)
    case 'box':
      return new THREE.BoxGeometry(2 * a, 2 * b, 2 * c)
    case 'mesh':
      return facets(shape)
  }
}

function facets(shape: Shape): THREE.BufferGeometry {
  const corners = floats(shape.corners ?? '')
  const faces = new Int32Array(fromBase64(shape.faces ?? '').buffer)
  const indexed = new THREE.BufferGeometry()
  indexed.setAttribute('position', new THREE.BufferAttribute(corners, 3))
  indexed.setIndex(new THREE.BufferAttribute(new Uint32Array(faces), 1))
  indexed.computeVertexNormals()
  return indexed
}

function boxCorners(shape: Shape): Vector[] {
  const [x, y, z, dx, dy, dz] = shape.box
  const signs = [-1, 1]
  return signs.flatMap((i) =>
    signs.flatMap((j) =>
      signs.map((k) => add(shape.pos, rotate(shape.quat, [x + i * dx, y + j * dy, z + k * dz]))),
    ),
  )
}
