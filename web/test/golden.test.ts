/**
 * The page computes what Python computes: states of shipped policies, and whole episodes.
 *
 * GOLDEN is a folder of parcels with examples and episodes, which tests/support/golden.py writes.
 */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Episode } from '../src/episode.ts'
import type { AnimalData, Parcel, StageData } from '../src/parcel.ts'
import { Engine } from '../src/physics/engine.ts'
import { startMuJoCo } from '../src/physics/mujoco.ts'
import { TOLERANCE, checkStage } from '../src/play/check.ts'
import { episodeUniforms } from '../src/task/philox.ts'

const FIRST_SECOND = 1e-4
const folder = process.env.GOLDEN!
const parcels: Parcel[] = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')))
const mujoco = await startMuJoCo()

interface Played {
  seed: number
  world: number
  qpos: Record<string, number[]>
  length: number
  succeeded: boolean
  reasons: string[]
  phase: number
}

for (const parcel of parcels) {
  const [animal] = parcel.animals
  test(`${animal.name}: the MuJoCo of npm is that of Python`, () => assert.equal(mujoco.mj_versionString(), parcel.mujoco))
  const engine = new Engine(mujoco, animal.xml, animal.anatomy, parcel.constants)
  for (const stage of animal.stages) {
    const where = `${animal.name} stage ${stage.number}`
    test(`${where}: states agree`, () => {
      const found = checkStage(animal, stage, parcel.constants)
      console.log(`${where}: ${found.states} states, worst ${found.worst.toExponential(1)} (${found.where})`)
      assert.deepEqual(found.wrong, [])
      assert.ok(found.worst <= TOLERANCE, `${found.where} differs by ${found.worst}`)
      assert.equal(found.states, Number(process.env.STATES))
    })
    test(`${where}: whole episodes agree`, () => playAll(engine, animal, stage, parcel))
  }
}

function playAll(engine: Engine, animal: AnimalData, stage: StageData, parcel: Parcel): void {
  const episode = new Episode(engine, animal, stage, parcel.constants)
  let worst = 0
  for (const one of (stage as StageData & { episodes: Played[] }).episodes) {
    episode.beginFrom(episodeUniforms(one.seed, parcel.constants.stream, one.world, 0, stage.env.uniforms))
    for (let step = 0; ; ) {
      const wanted = one.qpos[step]
      if (wanted) worst = Math.max(worst, ...wanted.map((value, i) => Math.abs(value - engine.data.qpos[i])))
      const { terminated, truncated, succeeded, reasons } = episode.step()
      step += 1
      if (!terminated && !truncated) continue
      assert.deepEqual({ succeeded, reasons }, { succeeded: one.succeeded, reasons: one.reasons }, `world ${one.world}`)
      if (step === one.length) assert.equal(episode.state.phase, one.phase, 'the gait clock, bit for bit')
      assert.ok(Math.abs(step - one.length) <= 1, `world ${one.world} ended at ${step}, not ${one.length}`)
      break
    }
  }
  console.log(`${animal.name} stage ${stage.number}: worst pose in the first second ${worst.toExponential(1)}`)
  assert.ok(worst <= FIRST_SECOND, `a pose in the first second differs by ${worst}`)
}
