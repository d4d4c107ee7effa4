/** What needs neither a browser nor MuJoCo: time, quality, samples, the address, the camera. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FollowCamera } from '../src/drawing/camera.ts'
import { betweenFrames, emptyFrames } from '../src/drawing/frames.ts'
import { LEVELS, Pace } from '../src/drawing/quality.ts'
import { readParcel } from '../src/parcel.ts'
import { Policy } from '../src/policy.ts'
import { Clock } from '../src/play/clock.ts'
import { readOptions } from '../src/play/options.ts'
import { episodeUniforms } from '../src/task/philox.ts'

const sum = (values: number[]) => values.reduce((total, value) => total + value, 0)

test('real time: as many steps as time has passed, whatever the frames', () => {
  for (const rate of [12, 30, 60, 144]) {
    const clock = new Clock(0.02)
    const steps = sum(Array.from({ length: 10 * rate }, () => clock.advance(1 / rate)))
    assert.ok(Math.abs(steps - 500) <= 1, `${steps} steps at ${rate} frames a second`)
    assert.equal(clock.dropped, 0)
  }
})

test('a frame that took long is not made up for in full, and what is left out is counted', () => {
  const clock = new Clock(0.02)
  assert.equal(clock.advance(3), 12)
  assert.equal(clock.dropped, 2.75)
})

test('paused nothing passes, slow motion is slow, another episode begins at its beginning', () => {
  const clock = new Clock(0.02)
  clock.paused = true
  assert.equal(clock.advance(0.2), 0)
  clock.paused = false
  clock.speed = 0.25
  assert.equal(sum(Array.from({ length: 100 }, () => clock.advance(0.02))), 25)
  clock.advance(0.04)
  assert.ok(clock.share > 0)
  clock.restart()
  assert.equal(clock.share, 0)
})

test('the picture gets coarser only while frames stay slow, and not below the last level', () => {
  const pace = new Pace()
  for (let i = 0; i < 300; i++) pace.frame(1 / 60)
  assert.equal(pace.level, 0)
  for (let i = 0; i < 20; i++) pace.frame(i % 2 ? 0.05 : 0.016) // slow now and then
  assert.equal(pace.level, 0)
  for (let i = 0; i < 500; i++) pace.frame(0.1)
  assert.equal(pace.level, LEVELS.length - 1)
})

test('samples of an episode are those of NumPy', () => {
  // numpy.random.Generator(numpy.random.Philox(key=[7, 2], counter=[0, 0, 1, 5])).random(9, dtype=float32)
  const wanted = [
    0.224567413, 0.541304171, 0.927027106, 0.74818629, 0.381167412,
    0.317246377, 0.689766169, 0.520226657, 0.322270572,
  ]
  assert.deepEqual(Array.from(episodeUniforms(7, 2, 5, 1, 9)), wanted.map(Math.fround))
})

test('the address chooses, and nonsense in it does not', () => {
  const start = { animal: 'trex', stage: 3, seed: 4, episode: 5 }
  assert.deepEqual(readOptions('', start), { ...start, paused: false, plain: false })
  const typed = readOptions('#animal=velociraptor&stage=2&seed=-1&episode=x&paused', start)
  assert.deepEqual(typed, { animal: 'velociraptor', stage: 2, seed: 4, episode: 5, paused: true, plain: false })
})

test('what is no parcel is refused with a sentence', () => {
  for (const value of [null, 3, {}, { animals: [] }, { animals: [], constants: {}, format: 2 }, { animals: [], constants: {}, format: 1 }]) {
    assert.throws(() => readParcel(value), /write it again with mesozoic play --html/)
  }
})

test('a policy that does not fit, or is not finite, is refused with a sentence', () => {
  const packed = (...values: number[]) => Buffer.from(new Float32Array(values).buffer).toString('base64')
  const layer = { inputs: 2, outputs: 1, kernel: packed(1, 2), bias: packed(0.5) }
  const data = { activation: 'elu', output: 'clip', mean: packed(0, 0), std: packed(1, 1), layers: [layer] } as const
  const good = new Policy({ ...data, layers: [layer] }, 10, 2, 1)
  assert.deepEqual(Array.from(good.act([0.1, -0.2])), [Math.fround(0.2)])
  assert.deepEqual(Array.from(good.act([50, 50])), [1])
  assert.throws(() => new Policy({ ...data, layers: [layer] }, 10, 3, 1), /does not fit the animal/)
  assert.throws(() => new Policy({ ...data, layers: [{ ...layer, bias: packed(NaN) }] }, 10, 2, 1), /not numbers/)
})

test('between two moments a body is between them, turned the shorter way', () => {
  const [from, to, out] = [emptyFrames(1), emptyFrames(1), emptyFrames(1)]
  to.pos.set([2, 0, 0])
  to.quat.set([-Math.cos(0.1), 0, 0, -Math.sin(0.1)]) // a turn by 0.2 about z, written with the other sign
  betweenFrames(from, to, 0.5, out)
  assert.deepEqual(Array.from(out.pos), [1, 0, 0])
  assert.ok(Math.abs(2 * Math.atan2(out.quat[3], out.quat[0]) - 0.1) < 1e-3)
})

test('the camera keeps animal and goal in the frame, between the panels', () => {
  const camera = new FollowCamera({ azimuth: 130, elevation: -15, fovy: 45 })
  camera.aspect = 16 / 9
  const frames = emptyFrames(2)
  for (let step = 0; step < 200; step++) {
    const x = 0.02 * step
    frames.pos.set([x, 0, 1], 3)
    const outline = Float64Array.from([x - 1, -0.3, 0, x + 1, 0.3, 0, x - 1, 0.3, 1.5, x + 1, -0.3, 1.5])
    const goal = { point: [6, 2, 0.8] as [number, number, number], radius: 0.2 }
    camera.look(outline, frames, 0.02 * step, goal)
    for (let i = 0; i < outline.length; i += 3) assertSeen(camera, [outline[i], outline[i + 1], outline[i + 2]], step)
    assertSeen(camera, goal.point, step)
  }
})

function assertSeen(camera: FollowCamera, point: number[], step: number): void {
  const eye = camera.position
  const ahead = camera.lookat.map((value, i) => value - eye[i])
  const far = Math.hypot(...ahead)
  const unit = ahead.map((part) => part / far)
  const right = [unit[1], -unit[0], 0].map((part) => part / Math.hypot(unit[0], unit[1]))
  const up = [right[1] * unit[2], -right[0] * unit[2], right[0] * unit[1] - right[1] * unit[0]]
  const to = point.map((value, i) => value - eye[i])
  const along = (axis: number[]) => to.reduce((total, part, i) => total + part * axis[i], 0)
  const half = Math.tan((45 * Math.PI) / 360)
  const [x, y] = [along(right) / along(unit) / half / camera.aspect, along(up) / along(unit) / half]
  assert.ok(Math.abs(x) < 1 && Math.abs(y) < 1, `step ${step}: ${point} is seen at ${x}, ${y}`)
}
