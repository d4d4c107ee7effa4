/**
 * Frames of bodies: where they are and how they are turned; from a `qpos` without physics, or between two moments.
 *
 * Agrees with `mj_kinematics` to rounding, for free, ball, slide and hinge joints.
 */
import type { Appearance, Quaternion, Vector } from './appearance.ts'

/** World positions [3 * bodies] and quaternions w x y z [4 * bodies] of all bodies. */
export interface Frames {
  pos: Float64Array
  quat: Float64Array
}

export function emptyFrames(bodies: number): Frames {
  const quat = new Float64Array(4 * bodies)
  for (let body = 0; body < bodies; body++) quat[4 * body] = 1
  return { pos: new Float64Array(3 * bodies), quat }
}

export function copyFrames(from: Frames, to: Frames): void {
  to.pos.set(from.pos)
  to.quat.set(from.quat)
}

/** The frames of all bodies in a pose [nq], written into `frames`. */
export function poseFrames(appearance: Appearance, qpos: ArrayLike<number>, frames: Frames): void {
  const { pos, quat } = frames
  appearance.bodies.forEach((body, index) => {
    if (index === 0) return
    const parent = quaternionAt(quat, body.parent)
    let p = add(vectorAt(pos, body.parent), rotate(parent, body.pos))
    let q = multiply(parent, body.quat)
    for (const joint of body.joints) {
      const at = joint.qpos
      if (joint.kind === 'free') {
        p = [qpos[at], qpos[at + 1], qpos[at + 2]]
        q = unit([qpos[at + 3], qpos[at + 4], qpos[at + 5], qpos[at + 6]])
        continue
      }
      if (joint.kind === 'slide') {
        p = add(p, scale(rotate(q, joint.axis), qpos[at] - joint.ref))
        continue
      }
      const turn: Quaternion =
        joint.kind === 'ball'
          ? unit([qpos[at], qpos[at + 1], qpos[at + 2], qpos[at + 3]])
          : about(joint.axis, qpos[at] - joint.ref)
      const anchor = add(p, rotate(q, joint.pos))
      q = multiply(q, turn)
      p = add(anchor, scale(rotate(q, joint.pos), -1))
    }
    pos.set(p, 3 * index)
    quat.set(q, 4 * index)
  })
}

/** `share` of the way from one moment to another, written into `out`; for moments so close that turns are small. */
export function betweenFrames(from: Frames, to: Frames, share: number, out: Frames): void {
  for (let i = 0; i < out.pos.length; i++) out.pos[i] = from.pos[i] + (to.pos[i] - from.pos[i]) * share
  for (let i = 0; i < out.quat.length; i += 4) {
    let same = 0
    for (let k = 0; k < 4; k++) same += from.quat[i + k] * to.quat[i + k]
    const sign = same < 0 ? -1 : 1
    let length = 0
    for (let k = 0; k < 4; k++) {
      const part = from.quat[i + k] * (1 - share) + sign * to.quat[i + k] * share
      out.quat[i + k] = part
      length += part * part
    }
    length = Math.sqrt(length) || 1
    for (let k = 0; k < 4; k++) out.quat[i + k] /= length
  }
}

export function vectorAt(flat: ArrayLike<number>, index: number): Vector {
  return [flat[3 * index], flat[3 * index + 1], flat[3 * index + 2]]
}

export function quaternionAt(flat: ArrayLike<number>, index: number): Quaternion {
  return [flat[4 * index], flat[4 * index + 1], flat[4 * index + 2], flat[4 * index + 3]]
}

export function rotate(q: Quaternion, v: Vector): Vector {
  const [w, x, y, z] = q
  const tx = 2 * (y * v[2] - z * v[1])
  const ty = 2 * (z * v[0] - x * v[2])
  const tz = 2 * (x * v[1] - y * v[0])
  return [v[0] + w * tx + y * tz - z * ty, v[1] + w * ty + z * tx - x * tz, v[2] + w * tz + x * ty - y * tx]
}

export function multiply(a: Quaternion, b: Quaternion): Quaternion {
  return [
    a[0] * b[0] - a[1] * b[1] - a[2] * b[2] - a[3] * b[3],
    a[0] * b[1] + a[1] * b[0] + a[2] * b[3] - a[3] * b[2],
    a[0] * b[2] - a[1] * b[3] + a[2] * b[0] + a[3] * b[1],
    a[0] * b[3] + a[1] * b[2] - a[2] * b[1] + a[3] * b[0],
  ]
}

function about(axis: Vector, angle: number): Quaternion {
  const sine = Math.sin(angle / 2)
  return [Math.cos(angle / 2), axis[0] * sine, axis[1] * sine, axis[2] * sine]
}

function unit(q: Quaternion): Quaternion {
  const length = Math.hypot(...q) || 1
  return [q[0] / length, q[1] / length, q[2] / length, q[3] / length]
}

export function add(a: Vector, b: Vector): Vector {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

export function scale(a: Vector, by: number): Vector {
  return [a[0] * by, a[1] * by, a[2] * by]
}
