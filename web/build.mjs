/**
 * Builds what the Python package carries: `node build.mjs [FOLDER]`, by default into mesozoic/page/assets.
 *
 * player.html    the page without animals and without MuJoCo: {{mujoco}} and {{parcel}} are filled in by Python
 * replay.html    the page of recorded episodes without any: {{parcel}} and {{motion}} are filled in by Python
 * mujoco.wasm.gz MuJoCo in WebAssembly without its names and debug sections
 *
 * The same sources and lockfile give the same bytes, wherever they lie.
 */
import { build } from 'esbuild'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const here = dirname(fileURLToPath(import.meta.url))
const out = process.argv[2] ?? join(here, '..', 'mesozoic', 'page', 'assets')
const CUSTOM_SECTION = 0
const HEADER = 8
const CARRIED = {
  three: 'node_modules/three/LICENSE',
  '@mujoco/mujoco': '../LICENSE', // it brings none; it has the licence of this project, whose text is the same
}

async function bundle(entry) {
  const built = await build({
    absWorkingDir: here,
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    write: false,
    legalComments: 'none', // their texts are in the page as a whole
    external: ['node:*', 'module', 'worker_threads'], // MuJoCo's loader asks for them outside of browsers only
    define: { 'import.meta.url': '"file:///mujoco.js"' },
    logLevel: 'warning',
  })
  return built.outputFiles[0].text.replaceAll('</script', '<\\/script')
}

/** A WebAssembly module without its custom sections; code and data stay byte for byte. */
function withoutCustomSections(bytes) {
  const kept = [bytes.subarray(0, HEADER)]
  for (let at = HEADER; at < bytes.length; ) {
    const start = at
    const kind = bytes[at++]
    let size = 0
    for (let shift = 0, byte = 128; byte & 128; shift += 7) {
      byte = bytes[at++]
      size |= (byte & 127) << shift
    }
    at += size
    if (kind !== CUSTOM_SECTION) kept.push(bytes.subarray(start, at))
  }
  return Buffer.concat(kept)
}

function licences(...names) {
  return Object.entries(CARRIED)
    .filter(([name]) => names.includes(name))
    .map(([name, text]) => {
      const { version, license } = JSON.parse(readFileSync(join(here, 'node_modules', name, 'package.json'), 'utf8'))
      return `${name} ${version} (${license})\n\n${readFileSync(join(here, text), 'utf8').trim()}`
    })
    .join('\n\n\n')
}

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const source = (name) => readFileSync(join(here, 'src', name), 'utf8').trim()

function fill(page, parts) {
  return page.replace(/\{\{(\w+)\}\}/g, (slot, name) => parts[name] ?? slot)
}

mkdirSync(out, { recursive: true })

/** A page with everything in it that is known here; `carried` are the packages in its script. */
async function page(name, ...carried) {
  return fill(source(`${name}/page.html`), {
    style: source(`${name}/page.css`).replaceAll('\n', ''),
    licences: escaped(licences(...carried)),
    script: await bundle(`src/${name}/main.ts`),
  })
}

const pages = { 'player.html': await page('play', ...Object.keys(CARRIED)), 'replay.html': await page('replay', 'three') }
for (const [name, text] of Object.entries(pages)) {
  writeFileSync(join(out, name), text)
  console.log(`${name} ${text.length} bytes`)
}
const wasm = withoutCustomSections(readFileSync(join(here, 'node_modules/@mujoco/mujoco/mujoco.wasm')))
writeFileSync(join(out, 'mujoco.wasm.gz'), gzipSync(wasm, { level: 9 }))
console.log(`mujoco.wasm.gz ${gzipSync(wasm, { level: 9 }).length} bytes, in ${out}`)
