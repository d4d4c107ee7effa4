/** Starts the page; whatever goes wrong is said in a sentence on it. */
import { embedded, embeddedJson } from '../drawing/bytes.ts'
import { readParcel } from '../parcel.ts'
import { startMuJoCo } from '../physics/mujoco.ts'
import { Game } from './game.ts'
import { hookOf } from './hook.ts'
import { readOptions } from './options.ts'

async function start(): Promise<void> {
  const [mujoco, parcel] = await Promise.all([embedded('mujoco').then(startMuJoCo), embeddedJson('parcel').then(readParcel)])
  const options = readOptions(location.hash, parcel.start)
  const game = new Game(mujoco, parcel, options, document.getElementById('view') as HTMLCanvasElement)
  Object.assign(globalThis, { mesozoic: hookOf(game) })
  const frame = (time: number) => {
    try {
      game.frame(time)
      requestAnimationFrame(frame)
    } catch (error) {
      explain(error)
    }
  }
  requestAnimationFrame(frame)
}

function explain(error: unknown): void {
  const said = error instanceof Error ? error.message : String(error)
  document.getElementById('note')!.textContent = `This page cannot go on: ${said}.`
  Object.assign(globalThis, { mesozoicFailed: said })
}

start().catch(explain)
