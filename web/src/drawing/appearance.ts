/** What an animal looks like: the JSON that `mesozoic/rendering/appearance.py` reads from a compiled model. */

export type Vector = [number, number, number]
export type Quaternion = [number, number, number, number] // w x y z, as in MuJoCo
export type Colour = [number, number, number]

export interface Joint {
  kind: 'free' | 'ball' | 'slide' | 'hinge'
  qpos: number // index of its first number in qpos
  axis: Vector
  pos: Vector
  ref: number // its angle or length in the pose that the bodies' own frames describe
}

export interface Body {
  name: string
  parent: number
  pos: Vector
  quat: Quaternion
  joints: Joint[]
}

export interface Shape {
  kind: 'sphere' | 'capsule' | 'ellipsoid' | 'cylinder' | 'box' | 'mesh'
  body: number
  pos: Vector
  quat: Quaternion
  size: Vector
  box: [number, number, number, number, number, number] // centre and half sizes of the box around it, in its own frame
  rgba: [number, number, number, number]
  specular: number
  shininess: number
  emission: number
  corners?: string // of a mesh: float32 [k, 3] and int32 [m, 3], base64
  faces?: string
}

export interface Floor {
  repeat: [number, number] // of the pattern in a metre
  width: number
  height: number
  pixels: string // RGB, base64
}

export interface Sun {
  dir: Vector
  ambient: Colour
  diffuse: Colour
  specular: Colour
}

/** Colours, and sizes in hip heights, of what is drawn beside the animal. */
export interface Marks {
  open: Colour
  struck: Colour
  bark: Colour
  shade: Colour
  red: Colour
  opacity: number
  core: number
  trunk: number
  post: number
  arrow_width: number
  arrow_scale: number // metres of the arrow for a push of 1 m/s
  arrow_gap: number
  arrow_fade: number
}

export interface Appearance {
  hip_height: number
  bodies: Body[]
  geoms: Shape[]
  floor: Floor | null
  sun: Sun | null
  headlight: { ambient: Colour; diffuse: Colour; specular: Colour }
  sky: Colour[] // from the top to the horizon
  haze: Colour
  camera: { azimuth: number; elevation: number; fovy: number } // degrees
  marks: Marks
}
