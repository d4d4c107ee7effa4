/**
 * What MuJoCo in WebAssembly does where Python has no counterpart: falls, hands, and the kinematics of replay pages.
 *
 * GOLDEN is a folder of parcels, which tests/support/golden.py writes.
 */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { emptyFrames, poseFrames } from '../src/drawing/frames.ts'
import type { Parcel } from '../src/parcel.ts'
import { startMuJoCo } from '../src/physics/mujoco.ts'
import { World } from '../src/play/world.ts'

const folder = process.env.GOLDEN!
const mujoco = await startMuJoCo()
const FALLS = 8
const HARD = 3.5 // times the strongest push of training, in hip heights of the hand from the body

for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
  const parcel: Parcel = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  const [animal] = parcel.animals
  const { hip_height: h, torso_id: torso } = animal.anatomy
  const world = new World(mujoco, animal, animal.stages[0], parcel.constants)
  const heights = () => Array.from(world.now.pos).filter((_, i) => i > 2 && i % 3 === 2)

  test(`${animal.name}: a hand that holds it changes nothing until it pulls`, () => {
    const walk = (touch: boolean) => {
      world.begin(3, 1)
      for (let step = 0; step < 60; step++) {
        if (touch && step === 10) world.hand.grab(torso, [world.now.pos[3], world.now.pos[4], world.now.pos[5]], world.now.pos, world.now.quat)
        if (touch && step === 11) world.hand.release()
        world.step()
      }
      return Array.from(world.engine.data.qpos as Float64Array)
    }
    const [alone, touched] = [walk(false), walk(true)]
    const off = Math.max(...alone.map((_, i) => Math.abs(alone[i] - touched[i])))
    assert.ok(off < 0.05, `it is ${off} away`)
  })

  test(`${animal.name}: hard pushes from all sides fell it; it comes to lie on the floor and the next episode begins`, () => {
    let fell = 0
    for (let side = 0; side < FALLS; side++) {
      world.begin(5, side)
      for (let step = 0; step < 30; step++) world.step()
      const [x, y, z] = world.now.pos.slice(3, 6)
      const angle = (2 * Math.PI * side) / FALLS
      world.hand.grab(torso, [x, y, z], world.now.pos, world.now.quat)
      world.hand.pull([x + HARD * h * Math.cos(angle), y + HARD * h * Math.sin(angle), z])
      for (let step = 0; step < 100 && world.ending === ''; step++) world.step()
      world.hand.release()
      if (world.ending === '') continue
      fell += 1
      assert.ok(Array.isArray(world.ending) && !world.ending.includes('diverged'), String(world.ending))
      const height = world.now.pos[5]
      const [vx, vy, vz] = world.engine.data.qvel as Float64Array
      const carried = (vx * vx + vy * vy + vz * vz) / (2 * animal.anatomy.gravity) // as high as its own speed takes it
      let highest = 0
      let lowest = Infinity
      const episode = world.number
      while (world.number === episode) {
        world.step()
        if (world.number !== episode) break
        highest = Math.max(highest, world.now.pos[5] - height)
        lowest = Math.min(...heights())
      }
      assert.ok(lowest > -0.06 * h, `it lies ${-lowest / h} hip heights under the floor`)
      assert.ok(highest < carried + 0.1 * h, `it is thrown up by ${(highest - carried) / h} hip heights`)
      assert.equal(world.ending, '')
      assert.equal(world.contact.touching, 'feet')
    }
    assert.ok(fell >= FALLS / 2, `only ${fell} of ${FALLS} pushes felled it`)
  })

  test(`${animal.name}: after a push by hand, the next episode is that of the training again`, () => {
    const play = () => {
      world.begin(9, 0)
      for (let step = 0; step < 50; step++) world.step()
      return Array.from(world.engine.data.qpos).join()
    }
    const before = play()
    world.hand.grab(torso, [0, 0, h], world.now.pos, world.now.quat)
    world.hand.pull([9, 0, h])
    for (let step = 0; step < 60; step++) world.step()
    assert.equal(play(), before)
  })

  test(`${animal.name}: frames of a pose are those of MuJoCo`, () => {
    world.begin(1, 1)
    const frames = emptyFrames(animal.appearance.bodies.length)
    let worst = 0
    for (let step = 0; step < 20; step++) {
      world.step()
      mujoco.mj_kinematics(world.engine.model, world.engine.data)
      poseFrames(animal.appearance, world.engine.data.qpos, frames)
      const [pos, quat] = [world.engine.data.xpos, world.engine.data.xquat]
      frames.pos.forEach((value, i) => (worst = Math.max(worst, Math.abs(value - pos[i]))))
      for (let i = 0; i < quat.length; i += 4) {
        const same = [0, 1, 2, 3].reduce((total, k) => total + frames.quat[i + k] * quat[i + k], 0)
        worst = Math.max(worst, 1 - Math.abs(same))
      }
    }
    assert.ok(worst < 1e-6, `they differ by ${worst}`) // the appearance is written with seven digits
  })
}
