/** MuJoCo, compiled to WebAssembly, from bytes that are already here: nothing is fetched. */
import load from '@mujoco/mujoco'
import type { MainModule } from '@mujoco/mujoco'

export type MuJoCo = MainModule

export async function startMuJoCo(wasmBinary?: Uint8Array): Promise<MuJoCo> {
  // Without `locateFile` the loader looks for an address, which a page in one file does not have.
  return load(wasmBinary ? { wasmBinary, locateFile: (name: string) => name } : {})
}
