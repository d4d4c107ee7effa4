/** How long a command takes to show a page whose animal moves: `node first_frame.mjs COMMAND...`, which serves it. */
import { spawn } from 'node:child_process'
import { open } from './browser.mjs'

const began = Date.now()
const [program, ...words] = process.argv.slice(2)
const server = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] })
const address = await new Promise((resolve, reject) => {
  let said = ''
  server.stdout.on('data', (data) => {
    said += data
    const found = /page (\S+)/.exec(said)
    if (found) resolve(found[1])
  })
  server.on('exit', () => reject(new Error(`the command ended: ${said}`)))
})
const serving = Date.now() - began
const browser = await open(`${address}#plain`, { offline: false })
await browser.until(() => globalThis.mesozoic.state().steps > 2)
const moving = Date.now() - began
const { requests, console: said, errors } = browser.log
await browser.close()
server.removeAllListeners('exit')
const code = await new Promise((resolve) => {
  server.on('exit', resolve)
  server.kill('SIGINT')
})
console.log(JSON.stringify({ serving, moving, readyMs: browser.readyMs, requests, console: said, errors, code }))
