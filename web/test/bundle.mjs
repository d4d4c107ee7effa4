/** Makes a module of node of a TypeScript file, so that tests run what the page runs. */
import { build } from 'esbuild'
import { mkdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const out = join(here, '..', 'out')

export async function bundle(entry) {
  mkdirSync(out, { recursive: true })
  const outfile = join(out, `${basename(entry, '.ts')}-${process.pid}.mjs`)
  await build({
    entryPoints: [join(here, entry)],
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['@mujoco/mujoco'],
    outfile,
    logLevel: 'warning',
  })
  return outfile
}

export const load = async (entry) => import(pathToFileURL(await bundle(entry)).href)
