/** Opens the page of `mesozoic watch` at an address, and prints what it shows while the training goes on: `node watch.mjs ADDRESS SWAPS`. */
import { open } from './browser.mjs'

const [address, swaps] = process.argv.slice(2)
const browser = await open(`${address}#plain`, { offline: false, size: [1000, 600] })
const seen = async () => ({ ...(await browser.state()), text: await browser.page.textContent('#follow') })
await browser.until((least) => globalThis.mesozoic.state().swaps >= least, Number(swaps))
await browser.page.waitForTimeout(500)
const { text, swaps: found, proven, animal, stage, step } = await seen()
if (process.env.SHOTS) await browser.page.screenshot({ path: `${process.env.SHOTS}/watch.png` })
const { requests, console: said, errors } = browser.log
await browser.close()
console.log(JSON.stringify({ text, swaps: found, proven, animal, stage, step, requests: [...new Set(requests)], said: [...said, ...errors] }))
