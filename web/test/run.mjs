/** Runs tests: `node test/run.mjs NAME...` bundles and runs test/NAME.test.ts, in this process. */
import { rmSync } from 'node:fs'
import { bundle } from './bundle.mjs'
import { pathToFileURL } from 'node:url'

const files = await Promise.all(process.argv.slice(2).map((name) => bundle(`${name}.test.ts`)))
process.on('exit', () => files.forEach((file) => rmSync(file, { force: true })))
for (const file of files) await import(pathToFileURL(file).href)
