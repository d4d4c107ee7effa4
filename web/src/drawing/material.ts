/** Surfaces that look as MuJoCo's do. */
import * as THREE from 'three'

/** three.js divides diffuse light by this, MuJoCo does not. */
export const FULL = Math.PI

/** A surface with MuJoCo's specular and shininess, both in [0, 1]. */
export function shiny(
  [r, g, b]: readonly [number, number, number],
  opacity: number,
  specular: number,
  shininess: number,
): THREE.MeshPhongMaterial {
  const exponent = shininess * 128
  const strength = specular / (FULL * 0.25 * (exponent / 2 + 1)) // three.js scales highlights by their sharpness
  return new THREE.MeshPhongMaterial({
    color: new THREE.Color(r, g, b),
    specular: new THREE.Color(strength, strength, strength),
    shininess: exponent,
    transparent: opacity < 1,
    opacity,
    depthWrite: opacity === 1,
  })
}
